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

    gender: Annotated[Literal["female", "male"], Spelling]
    seniorcitizen: int = Field(ge=0, le=1, description="1 where the customer is 65 or older")
    partner: YesNo
    dependents: YesNo
    tenure: int = Field(ge=0, le=1200, description="months as a customer")
    phoneservice: YesNo
    multiplelines: Line
    internetservice: Annotated[Literal["dsl", "fiber_optic", "no"], Spelling]
    onlinesecurity: Option
    onlinebackup: Option
    deviceprotection: Option
    techsupport: Option
    streamingtv: Option
    streamingmovies: Option
    contract: Annotated[Literal["month-to-month", "one_year", "two_year"], Spelling]
    paperlessbilling: YesNo
    paymentmethod: Annotated[
        Literal[
            "electronic_check",
            "mailed_check",
            "bank_transfer_(automatic)",
            "credit_card_(automatic)",
        ],
        Spelling,
    ]
    monthlycharges: float = Field(ge=0, le=10_000, description="US dollars a month")
    totalcharges: float = Field(ge=0, le=10_000_000, description="US dollars since the beginning")


def features(customer: Customer) -> Features:
    """The fields as they are: sixteen categories and three quantities."""
    return dict(customer)


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
    rank=2,
)
