"""Describes the data field by field, for the terminal and the manifest."""

from __future__ import annotations

from typing import Any

import pandas as pd

from scoring.models import Model
from scoring.values.json_values import as_json
from training.data.columns import plain

_QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
_MOST_FREQUENT = 10


def profile(used: pd.DataFrame, read: pd.DataFrame, model: Model) -> dict[str, dict[str, Any]]:
    """Return a description of each field and the target, over the rows `used` for training.

    It has the count, the number of distinct values, the ten most frequent ones with their counts,
    and for numbers min, max, mean, standard deviation and quantiles. The missing share is over the
    rows as `read`.
    """
    found = {}
    for name in (*model.record.model_fields, model.target):
        column = used[name]
        frequent = column.value_counts().head(_MOST_FREQUENT)
        entry: dict[str, Any] = {
            "count": int(column.count()),
            "missing": round(float(read[name].isna().mean()), 6),
            "distinct": int(column.nunique()),
            "most_frequent": [[as_json(plain(v)), int(count)] for v, count in frequent.items()],
        }
        if column.hasnans:  # a field that may be null: its numbers are Python's, beside None
            column = column.dropna().infer_objects()
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            entry |= {
                "min": float(column.min()),
                "max": float(column.max()),
                "mean": float(column.mean()),
                "std": float(column.std(ddof=0)),
                "quantiles": {f"{q:g}": float(column.quantile(q)) for q in _QUANTILES},
            }
        found[name] = entry
    return found


def table(profile: dict[str, dict[str, Any]]) -> str:
    """Return the profile as lines for a terminal, in columns that fit the longest name."""
    width = max(map(len, ["field", *profile])) + 1
    lines = [f"{'field':{width}}{'count':>9}{'missing':>9}{'range':>22}{'mean':>10}  most frequent"]
    for name, entry in profile.items():
        span = f"{entry['min']:g} to {entry['max']:g}" if "min" in entry else ""
        mean = f"{entry['mean']:.4g}" if "mean" in entry else ""
        often = ", ".join(f"{value} ({count})" for value, count in entry["most_frequent"][:3])
        lines.append(
            f"{name:{width}}{entry['count']:>9}{entry['missing']:>9.2%}{span:>22}{mean:>10}"
            f"  {often}"
        )
    return "\n".join(lines)
