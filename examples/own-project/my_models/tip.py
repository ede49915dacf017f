"""How much a passenger tips: US dollars."""

from typing import Annotated, Literal

from pydantic import Field

from scoring.models import Answer, Features, Model
from scoring.record import Record, Spelling


class Tip(Record):
    """A paid ride."""

    fare: float = Field(ge=0, le=1000, description="US dollars on the meter")
    payment: Annotated[Literal["card", "cash"], Spelling] = Field(title="Paid by")
    passengers: int = Field(ge=1, le=9, description="people in the cab")


def features(tip: Tip) -> Features:
    """Return what the vectorizer takes; the share of a tip depends on how it is paid."""
    return {
        "fare": tip.fare,
        "payment": tip.payment,
        "fare_by_card": tip.fare if tip.payment == "card" else 0.0,
        "passengers": tip.passengers,
    }


def answer(score: float, _threshold: float) -> Answer:
    """Return the tip, which is never negative."""
    return {"tip": max(score, 0.0)}


MODEL = Model(
    name="tip",
    title="Tip of a taxi ride",
    registered_name="tip",
    artifact_file="tip.bin",
    task="regression",
    target="tip",
    unit="US dollars",
    record=Tip,
    features=features,
    answer=answer,
    example={"fare": 20.0, "payment": "card", "passengers": 2},
)
