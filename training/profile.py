"""What the data looks like, field by field: printed, and kept in the manifest."""

from __future__ import annotations

from typing import Any

import pandas as pd

from scoring.models import Model

_QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
_MOST_FREQUENT = 10


def profile(used: pd.DataFrame, read: pd.DataFrame, model: Model) -> dict[str, dict[str, Any]]:
    """Gives, for each field and the target, over the rows `used` for training: count, the number
    of distinct values, the most frequent ones with their counts, and for numbers min, max, mean,
    standard deviation and quantiles. The missing share is over the rows as `read`."""
    found = {}
    for name in (*model.record.model_fields, model.target):
        column = used[name]
        frequent = column.value_counts().head(_MOST_FREQUENT)
        entry: dict[str, Any] = {
            "count": int(column.count()),
            "missing": round(float(read[name].isna().mean()), 6),
            "distinct": int(column.nunique()),
            "most_frequent": [[_plain(value), int(count)] for value, count in frequent.items()],
        }
        if pd.api.types.is_numeric_dtype(column):
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
    """Gives the profile as lines for a terminal."""
    lines = [f"{'field':18}{'count':>9}{'missing':>9}{'range':>22}{'mean':>10}  most frequent"]
    for name, entry in profile.items():
        span = f"{entry['min']:g} to {entry['max']:g}" if "min" in entry else ""
        mean = f"{entry['mean']:.4g}" if "mean" in entry else ""
        often = ", ".join(f"{value} ({count})" for value, count in entry["most_frequent"][:3])
        lines.append(
            f"{name:18}{entry['count']:>9}{entry['missing']:>9.2%}{span:>22}{mean:>10}  {often}"
        )
    return "\n".join(lines)


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
