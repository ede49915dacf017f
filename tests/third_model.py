"""A third model as somebody would add it: one file's worth, with the kinds of field that the two
of ours have not, and without the texts that are optional."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Flask
from pydantic import Field

from scoring.engine import Predictors
from scoring.models import Answer, Features, Model
from scoring.predictor import Predictor
from scoring.record import Record
from serving.app import create_app
from serving.settings import Settings
from tests.support import write_artifact

# What a hostile or careless author may write: it must never become markup.
HOSTILE = "<script>alert('&')</script>"


class Bill(Record):
    party: int = Field(ge=1)
    card: bool
    waiter: str = Field(description=HOSTILE)
    total: float = Field(ge=0)


def features(bill: Bill) -> Features:
    return {
        "card": "yes" if bill.card else "no",
        "party": float(bill.party),
        "total": bill.total,
    }


def answer(score: float, _threshold: float) -> Answer:
    return {"tip": score}


TIPS = Model(
    name="tips",
    title="Tip of a table",
    registered_name="tips",
    artifact_file="tips.bin",
    task="regression",
    target="tip",
    unit="US dollars",
    record=Bill,
    features=features,
    answer=answer,
    example={"party": 2, "card": True, "waiter": "O'Neill", "total": 50.5},
)


def app_of(model: Model, folder: Path, **facts: Any) -> Flask:
    """Return the app over a tiny artifact of `model` with these `facts` in its manifest."""
    write_artifact(model, folder, **facts)
    predictor = Predictor.from_folder(folder / model.name, model)
    return create_app(Settings(models_dir=folder), Predictors({model.name: predictor}))
