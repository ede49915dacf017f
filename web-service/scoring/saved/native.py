"""Models that XGBoost and CatBoost wrote in their own formats: JSON, and XGBoost's UBJSON."""

from __future__ import annotations

from typing import Final

from scoring.saved.stand_ins import Name, StandIn

_MARK: Final = b"learner"  # stands near the beginning of what `save_model` writes
_LOOKED_AT: Final = 4096
_CATBOOST: Final = b'"oblivious_trees"', b'"features_info"'  # in its JSON, wherever they stand


def native(data: bytes) -> StandIn | None:
    """Return a stand-in for the model of a file that `save_model` of XGBoost's Booster or of
    CatBoost (format="json") wrote; None of any other file."""
    if data.lstrip()[:1] == b"{" and all(mark in data for mark in _CATBOOST):
        return StandIn(Name("catboost.core", "CatBoost"), (), state={"json": data})
    if not data.startswith(b"{") or _MARK not in data[:_LOOKED_AT]:
        return None
    return StandIn(Name("xgboost.core", "Booster"), (), state={"handle": data, "native": True})
