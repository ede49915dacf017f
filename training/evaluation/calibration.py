"""Learn prediction intervals from the errors of held-out rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pandas as pd

from scoring.artifact.calibration import FEWEST_ROWS, STEP, TAILS, Calibration
from scoring.models import Model
from training.evaluation.metrics import Values

_MOST_GROUPS: Final = 20


def calibrate(
    model: Model,
    split: str,
    held_out: pd.DataFrame,
    scores: Values,
    say: Callable[[str], object] = lambda _line: None,
) -> Calibration | None:
    """Return the calibration of a regression by the rows of `split`, which it has not seen, and
    their n_rows scores; None where they are too few, which `say` is told, and of a classification.

    The groups are of like scores and about the same size. A group's bound of the tail t is its
    floor((n + 1) t)-th error from the outside: the truth of another row of the group lies beyond it
    with the probability t at most, whatever the model and the distribution of errors. A bound on
    the other side of zero is zero: an interval holds its prediction.
    """
    if model.task != "regression":
        return None
    if len(held_out) < FEWEST_ROWS:
        say(
            f"no prediction intervals: the {split} data has {len(held_out)} rows; "
            f"{FEWEST_ROWS} are needed"
        )
        return None
    edges, group = _groups(scores)
    errors = held_out[model.target].to_numpy(dtype=np.float64) - scores
    tails = STEP * np.arange(1, TAILS + 1)
    below, above = [], []
    for place in range(len(edges) + 1):
        ordered = np.sort(errors[group == place])
        ranks = np.floor((len(ordered) + 1) * tails + 1e-9).astype(int) - 1
        below.append(np.minimum(ordered[ranks], 0.0))
        above.append(np.maximum(ordered[::-1][ranks], 0.0))
    return Calibration(
        split=split,
        rows=len(held_out),
        edges=edges.tolist(),
        below=[_short(of_group) for of_group in below],
        above=[_short(of_group) for of_group in above],
    )


def _groups(scores: Values) -> tuple[Any, Any]:
    """Return the scores between the groups, rising, and the group of each row; all groups have
    FEWEST_ROWS at least."""
    for wanted in range(min(_MOST_GROUPS, len(scores) // FEWEST_ROWS), 1, -1):
        edges = np.unique(np.quantile(scores, np.arange(1, wanted) / wanted))
        group = np.searchsorted(edges, scores, side="right")
        if np.bincount(group, minlength=len(edges) + 1).min() >= FEWEST_ROWS:
            return edges, group
    return np.empty(0), np.zeros(len(scores), dtype=int)


def _short(errors: Values) -> list[float]:
    """Return numbers with as many digits as an error is worth; their order stays."""
    return [float(f"{error:.6g}") for error in errors]
