"""Probabilities that are as often right as they say, by a sigmoid over the estimator's own score.

Forests and boosting are surer of themselves than they may be, or less. What they say of rows of
other folds, next to what came true, gives the two numbers of a sigmoid (Platt, 1999); the estimator
itself learns from all rows. The order of the rows, and so the AUC, stays.
"""

from __future__ import annotations

from typing import Any, Final

from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import StratifiedKFold

_FOLDS: Final = 5


def calibrated(estimator: Any, seed: int) -> CalibratedClassifierCV:
    """Return the unfitted estimator behind a sigmoid; `seed` is that of the folds."""
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    return CalibratedClassifierCV(estimator, method="sigmoid", cv=folds, ensemble=False)
