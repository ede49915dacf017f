"""Whether a telephone customer will leave: the probability of churn."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from scoring.models import Answer, Features, Model
from scoring.record import Record, Spelling

YesNo = Annotated[Literal["yes", "no"], Spelling]
Line = Annotated[Literal["yes", "no", "no_phone_service"], Spelling]
Option = Annotated[Literal["yes", "no", "no_internet_service"], Spelling]


class Customer(Record):
    """A customer as in the Telco sample. Categories are read in any case, with spaces or
    underscores: `Month-to-month` is `month-to-month`."""

    gender: Annotated[Literal["female", "male"], Spelling] = Field(title="Gender")
    seniorcitizen: int = Field(
        ge=0, le=1, title="Senior citizen", description="1 where the customer is 65 or older"
    )
    partner: YesNo = Field(title="Partner")
    dependents: YesNo = Field(title="Dependents")
    tenure: int = Field(ge=0, le=1200, title="Tenure", description="months as a customer")
    phoneservice: YesNo = Field(title="Telephone")
    multiplelines: Line = Field(title="More than one line")
    internetservice: Annotated[Literal["dsl", "fiber_optic", "no"], Spelling] = Field(
        title="Internet"
    )
    onlinesecurity: Option = Field(title="Online security")
    onlinebackup: Option = Field(title="Online backup")
    deviceprotection: Option = Field(title="Device protection")
    techsupport: Option = Field(title="Technical support")
    streamingtv: Option = Field(title="Streaming of television")
    streamingmovies: Option = Field(title="Streaming of films")
    contract: Annotated[Literal["month-to-month", "one_year", "two_year"], Spelling] = Field(
        title="Contract"
    )
    paperlessbilling: YesNo = Field(title="Paperless billing")
    paymentmethod: Annotated[
        Literal[
            "electronic_check",
            "mailed_check",
            "bank_transfer_(automatic)",
            "credit_card_(automatic)",
        ],
        Spelling,
    ] = Field(title="Payment method")
    monthlycharges: float = Field(
        ge=0, le=10_000, title="Monthly charges", description="US dollars a month"
    )
    totalcharges: float = Field(
        ge=0, le=10_000_000, title="Total charges", description="US dollars since the beginning"
    )


def features(customer: Customer) -> Features:
    """The fields as they are: sixteen categories and three quantities."""
    return vars(customer)


def answer(score: float, threshold: float) -> Answer:
    """The probability of leaving, and whether it reaches the threshold."""
    return {"churn_probability": score, "churn": score >= threshold}


MODEL = Model(
    name="churn",
    title="Churn of a telephone customer",
    registered_name="churn",
    artifact_file="model_C=1.0.bin",
    task="classification",
    target="churn",
    unit="probability",
    record=Customer,
    features=features,
    answer=answer,
    example={
        "gender": "female",
        "seniorcitizen": 0,
        "partner": "yes",
        "dependents": "no",
        "tenure": 1,
        "phoneservice": "no",
        "multiplelines": "no_phone_service",
        "internetservice": "dsl",
        "onlinesecurity": "no",
        "onlinebackup": "yes",
        "deviceprotection": "no",
        "techsupport": "no",
        "streamingtv": "no",
        "streamingmovies": "no",
        "contract": "month-to-month",
        "paperlessbilling": "yes",
        "paymentmethod": "electronic_check",
        "monthlycharges": 29.85,
        "totalcharges": 29.85,
    },
    intended_use="To find the customers whom an offer may keep: a ranking by probability, from "
    "which people choose. Not a ground for refusing anybody a service or a price.",
    limits=(
        "It learned from one company's customers at one moment; elsewhere it must be trained anew.",
        "Gender and age are among its fields: look at what it does to each group before acting on "
        "it.",
        "It says who resembles those that left, not why they left, nor what would keep them.",
        "The threshold of 0.5 weighs both mistakes alike; an offer that costs little deserves a "
        "lower one.",
    ),
    rank=2,
)
