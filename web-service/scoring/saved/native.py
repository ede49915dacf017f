"""Boosters that XGBoost wrote in its own formats, JSON and UBJSON."""

from __future__ import annotations

from typing import Final

from scoring.saved.stand_ins import Name, StandIn

_MARK: Final = b"learner"  # stands near the beginning of what `save_model` writes
_LOOKED_AT: Final = 4096


def native(data: bytes) -> StandIn | None:
    """Return a stand-in for the booster of a file that `Booster.save_model` wrote; None of any
    other file."""
    if not data.startswith(b"{") or _MARK not in data[:_LOOKED_AT]:
        return None
    return StandIn(Name("xgboost.core", "Booster"), (), state={"handle": data, "native": True})
