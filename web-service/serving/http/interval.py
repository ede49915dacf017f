"""Which prediction intervals a request asks for: `?interval=0.9`, or a protocol's own parameter."""

from __future__ import annotations

from typing import Any

from flask import request

from scoring.intervals import PARAMETER, level_of


def queried() -> float | None:
    """Return what the query of Flask's request says, None where it says nothing of intervals.

    Raises InvalidQuery for a value that is none.
    """
    value = request.args.get(PARAMETER)
    return None if value is None else level_of(value)


def asked(parameters: Any) -> float | None:
    """Return what the parameters in a body say, else the query; other parameters are ignored, as
    other keys are. Raises InvalidQuery for a value that is none."""
    if isinstance(parameters, dict) and PARAMETER in parameters:
        return level_of(parameters[PARAMETER])
    return queried()
