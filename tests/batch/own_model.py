"""A model of somebody's own: three classes, fields that may be null, its file in a folder that
MODEL_CODE names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression

from scoring.models import Model, discover
from tests.support import write_pair

_CODE = '''\
"""Species of a penguin."""

from typing import Literal

from pydantic import Field

from scoring.models import Answer, Model, Shares
from scoring.record import Record


class Penguin(Record):
    """A penguin as somebody measures it."""

    bill_mm: float = Field(ge=0, le=100)
    mass_kg: float | None = Field(ge=0, le=10)
    island: Literal["biscoe", "dream"]
    ring: str | None = Field(max_length=20)


def features(penguin: Penguin) -> dict[str, str | float | None]:
    return {
        "bill": penguin.bill_mm,
        "mass": penguin.mass_kg,
        "island": penguin.island,
        "ring": penguin.ring,
    }


def answer(score: Shares, _threshold: float) -> Answer:
    return {"species": score.most_likely, "probabilities": score.by_class}


MODEL = Model(
    name="penguin", title="Species of a penguin", registered_name="penguin",
    artifact_file="penguin.bin", task="classification", target="species", unit="probability",
    record=Penguin, features=features, answer=answer, classes=("adelie", "chinstrap", "gentoo"),
    example={"bill_mm": 39.1, "mass_kg": 3.75, "island": "dream", "ring": "red"},
)
'''


def write_code(folder: Path) -> Path:
    """Write the model's file to a folder, and return the folder."""
    folder.mkdir(parents=True)
    (folder / "penguin.py").write_text(_CODE)
    return folder


def penguins(count: int) -> pa.Table:
    """Return a table of penguins: every third without a mass, every fifth without a ring, some with
    one that training never saw, and every 50th with a bill that is not valid."""
    places = range(count)
    return pa.table(
        {
            "bill_mm": [-1.0 if n % 50 == 7 else 30 + n % 97 * 0.25 for n in places],
            "mass_kg": pa.array(
                [None if n % 3 == 1 else 3 + n % 301 * 0.0075 for n in places], pa.float64()
            ),
            "island": [("biscoe", "dream")[n // 2 % 2] for n in places],
            "ring": [
                None if n % 5 == 0 else ("red", "blue", f"nr {n % 40}")[n % 3] for n in places
            ],
            "tag": [f"t{n}" for n in places],
        }
    )


def write_artifact(output: Path, estimator: Any = None) -> Model:
    """Write an artifact to `output/penguin/` and return the model; MODEL_CODE names its folder."""
    model = discover()["penguin"]
    rows = [row for row in penguins(300).to_pylist() if row["bill_mm"] > 0]
    rows = [row for row in rows if not (row["ring"] or "").startswith("nr")]
    features = [
        model.features(model.record.model_validate({k: row[k] for k in model.record.model_fields}))
        for row in rows
    ]
    bills = np.array([row["bill_mm"] for row in rows])
    y = np.array(model.classes)[np.digitize(bills, [38.0, 46.0])]
    vectorizer = DictVectorizer(sparse=False)
    x = vectorizer.fit_transform(features)
    chosen = LogisticRegression(max_iter=2000) if estimator is None else estimator
    write_pair(output, model, (vectorizer, chosen.fit(x, y)))
    return model
