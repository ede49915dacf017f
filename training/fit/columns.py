"""Columns that no tree of XGBoost can ask for: fitted without them it grows the same trees, to the
bit, in a part of the time.

Of a split on a sparse column, one side holds nothing but rows that have a value there. Each row
weighs one (squared error) or less (the logistic losses), so that fewer rows than
`min_child_weight` make no side. Nine in ten of thirteen thousand pairs of zones have fewer than
ten.
"""

from __future__ import annotations

import json
from typing import Any, Final

import numpy as np
from scipy.sparse import issparse

from training.evaluation.metrics import Places

_OBJECTIVES: Final = (None, "reg:squarederror", "binary:logistic", "multi:softprob")
# Parameters that do not change what is said above, nor draw or name columns.
_KNOWN: Final = frozenset({
    "early_stopping_rounds", "enable_categorical", "eval_metric", "gamma", "grow_policy",
    "learning_rate", "max_bin", "max_depth", "max_leaves", "min_child_weight", "missing",
    "n_estimators", "n_jobs", "objective", "random_state", "reg_alpha", "reg_lambda", "subsample",
    "verbosity",
})  # fmt: skip


def asked_for(estimator: Any, x: Any) -> Places | None:
    """Return the places of the columns of `x`, (n_rows, n_columns), that a tree can ask for; None
    where that may be any."""
    if not (hasattr(estimator, "get_booster") and issparse(x)):
        return None
    given = {name for name, value in estimator.get_params().items() if value is not None}
    if not given <= _KNOWN or estimator.objective not in _OBJECTIVES:
        return None
    least = estimator.min_child_weight
    filled = np.bincount(x.indices, minlength=x.shape[1])
    places: Places = np.flatnonzero(filled >= (1 if least is None else least))
    return places if 0 < len(places) < x.shape[1] else None


def widen(estimator: Any, places: Places, columns: int) -> None:
    """Let an estimator that was fitted on the columns at `places` take all of so many."""
    booster = estimator.get_booster()
    made = json.loads(bytes(booster.save_raw("json")))
    learner = made["learner"]
    learner["learner_model_param"]["num_feature"] = str(columns)
    for tree in learner["gradient_booster"]["model"]["trees"]:
        tree["split_indices"] = places[tree["split_indices"]].tolist()
        tree["tree_param"]["num_feature"] = str(columns)
    booster.load_model(bytearray(json.dumps(made).encode()))
