"""A model of three classes, with a field of numbers, of categories, and one that may be null."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from scoring.models import Answer, Model, Shares
from scoring.record import Record

SPECIES = ("setosa", "versicolor", "iris virginica")


class Flower(Record):
    """A flower as somebody measures it."""

    petal_mm: float = Field(ge=0, le=100)
    sepal_mm: float | None
    soil: Literal["wet", "dry"]
    place: str = Field(min_length=1)


def features(flower: Flower) -> dict[str, Any]:
    return {
        "petal": flower.petal_mm,
        "sepal": flower.sepal_mm,
        "where": f"{flower.place}_{flower.soil}",
        "soil": flower.soil,
    }


def answer(score: Shares, _threshold: float) -> Answer:
    return {"species": score.most_likely, "probabilities": score.by_class}


FLOWERS = Model(
    name="flowers", title="Species of a flower", registered_name="flowers",
    artifact_file="flowers.bin", task="classification", target="species", unit="probability",
    record=Flower, features=features, answer=answer, classes=SPECIES,
    example={"petal_mm": 14.0, "sepal_mm": 50.0, "soil": "dry", "place": "hill"},
)  # fmt: skip

CASES: list[dict[str, Any]] = [
    {"petal_mm": petal, "sepal_mm": sepal, "soil": soil, "place": place}
    for petal in (8.0, 14.5, 33.25, 45.0)
    for sepal in (None, 48.5, 60.0)
    for soil in ("wet", "dry")
    for place in ("hill", "shore")
]  # fmt: skip
UNSEEN = {**CASES[0], "place": "moon"}


def table(rows: int = 240) -> pd.DataFrame:
    """Return flowers whose species shows in the petal, and a little in the soil."""
    draw = np.random.default_rng(5)
    place = draw.integers(0, 3, rows)
    sepal = (50 + 6 * place + draw.normal(0, 4, rows)).round(1)
    return pd.DataFrame(
        {
            "petal_mm": (14 + 14 * place + draw.normal(0, 5, rows)).clip(0, 100).round(1),
            "sepal_mm": np.where(draw.random(rows) < 0.1, np.nan, sepal),
            "soil": np.where(draw.random(rows) < 0.3 + 0.2 * place, "wet", "dry"),
            "place": np.array(["hill", "shore", "wood"])[draw.integers(0, 3, rows)],
            "species": np.array(SPECIES)[place],
        }
    )
