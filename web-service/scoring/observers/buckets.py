"""Where the histograms of what comes in and goes out are divided: by the training data.

Bounds are rounded to two digits, so that a model trained anew on similar data has the same ones and
instances of different age can be added up. Those of a process are made once, at its start:
histograms whose bounds change with every version could not be compared at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeGuard

from scoring.models import Model

PROBABILITIES: Final = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
_PLAIN: Final = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1e3, 1e4, 1e5, 1e6)
_PARTS: Final = 10

Profile = Mapping[str, Mapping[str, Any]]  # of a manifest


def of_input(field: str, schema: Mapping[str, Any], profile: Profile) -> list[float]:
    """Return the bounds for a numeric field: the training data's minimum, quantiles and maximum.

    Where these are missing, they are equal parts of what the schema allows, or else powers of ten.
    """
    low: Any = schema.get("minimum")
    high: Any = schema.get("maximum")
    bounded = low is not None and high is not None
    if bounded and schema.get("type") == "integer" and high - low < _PARTS:
        return [float(value) for value in range(low, high + 1)]
    if found := _of_profile(profile.get(field, {})):
        return found
    if not bounded:
        return list(_PLAIN)
    return sorted({_rounded(low + (high - low) * part / _PARTS) for part in range(_PARTS + 1)})


def of_output(model: Model, profile: Profile) -> list[float]:
    """Return the bounds for a model's score: probabilities, or those of the target."""
    if model.task == "classification":
        return list(PROBABILITIES)
    return _of_profile(profile.get(model.target, {})) or list(_PLAIN)


def spread(names: Iterable[str], profile: Profile) -> dict[str, tuple[float, float]]:
    """Return mean and standard deviation of the training data by each of `names` with both."""
    found = {}
    for name in names:
        entry = profile.get(name, {})
        mean, deviation = entry.get("mean"), entry.get("std")
        if _is_finite(mean) and _is_finite(deviation):
            found[name] = float(mean), float(deviation)
    return found


def _of_profile(entry: Mapping[str, Any]) -> list[float]:
    quantiles = entry.get("quantiles")
    inner = quantiles.values() if isinstance(quantiles, Mapping) else ()
    if not all(map(_is_finite, (entry.get("min"), entry.get("max"), *inner))):
        return []
    between = {_rounded(value) for value in inner}
    return sorted({_rounded(entry["min"], math.floor), *between, _rounded(entry["max"], math.ceil)})


def _is_finite(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and math.isfinite(value)


def _rounded(value: float, to: Callable[[float], int] = round) -> float:
    """Return `value` to two digits.

    What lies beyond the training data must lie beyond its bounds, so the least is rounded down and
    the greatest up.
    """
    if value == 0 or not math.isfinite(value):
        return value
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    return float(f"{to(round(value / unit, 9)) * unit:.2g}")
