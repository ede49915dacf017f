"""Lines of JSON about rows that are not valid, whatever was read of them."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson

from scoring.values.strict_json import DuplicateKey


def line_of(value: Any) -> bytes:
    """Return a line of JSON, UTF-8: null for a NaN, an infinity and a key that was there twice, a
    text for what JSON has no word for."""
    try:
        return orjson.dumps(value, default=_said) + b"\n"
    except TypeError:  # a number of more than 64 bits, half of a surrogate pair
        return json.dumps(_finite(value), default=_said).encode() + b"\n"


def _said(value: object) -> str | None:
    return None if isinstance(value, DuplicateKey) else str(value)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(cell) for key, cell in value.items()}
    if isinstance(value, list):
        return [_finite(cell) for cell in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
