"""Tables that the tests of guessed models share."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction import DictVectorizer

from training.fit.features import narrow


def tips(rows: int = 400) -> pd.DataFrame:
    """Return paid rides, with columns of every kind, and some that nothing can be learned from."""
    draw = np.random.default_rng(1)
    fare = draw.uniform(3, 60, rows).round(2)
    vendor = np.where(np.arange(rows) % 10 == 0, "CMT", "vts")
    tip = (fare * 0.2 + 3 * (vendor == "CMT") + draw.normal(0, 0.3, rows)).round(2)
    return pd.DataFrame(
        {
            "trip_id": np.arange(rows) + 1000,
            "fare": fare,
            "Vendor Name": vendor,
            "passengers": draw.integers(1, 6, rows),
            "from_zone": draw.integers(1, 5, rows),
            "to_zone": draw.integers(1, 4, rows),
            "night": draw.integers(0, 2, rows).astype(bool),
            "currency": "USD",
            "comment": [f"ride number {n}" for n in range(rows)],
            "tip_cents": (tip * 100).round(),
            "tip": tip,
            "generous": np.where(tip > np.median(tip), "Yes", "No"),
        }
    )


def write_tips(folder: Path) -> Path:
    """Write the table to a folder and return the file's path."""
    path = folder / "tips.csv"
    tips().to_csv(path, index=False)
    return path


def features(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what a notebook makes of the table: texts in lower case, zones joined."""
    rows = table.to_dict("records")
    return [
        {
            "fare": row["fare"],
            "vendor_name": row["Vendor Name"].lower(),
            "passengers": row["passengers"],
            "FROM_TO": f"{row['from_zone']}_{row['to_zone']}",
        }
        for row in rows
    ]


def write_notebook(
    folder: Path, estimator: Any, target: str = "tip", share: Any = None
) -> tuple[Any, Any]:
    """Write the notebook's pair to a folder and return it."""
    table = tips()
    dv = DictVectorizer()
    x = narrow(dv.fit_transform(features(table)))
    truth = table[target] if target == "tip" else (table[target] == "Yes").astype(int)
    pair = dv, estimator.fit(x, truth if share is None else share)
    (folder / "notebook.pkl").write_bytes(pickle.dumps(pair))
    return pair
