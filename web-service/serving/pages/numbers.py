"""Numbers as a person reads them."""

from __future__ import annotations

import math
from datetime import date
from typing import Final

_MINUS: Final = "\N{MINUS SIGN}"
_NO_BREAK: Final = "\N{NO-BREAK SPACE}"


def number(value: object, significant: int = 4) -> str:
    """Return a number as a person reads it, or a dash for what is not a number.

    It has so many significant digits and thousands apart; a whole number is shown in full.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return "\N{EN DASH}"
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}".replace("-", _MINUS)
    digits = significant - 1 - (math.floor(math.log10(abs(value))) if value else 0)
    return f"{value:.{min(max(digits, 0), 6)}f}".rstrip("0").rstrip(".").replace("-", _MINUS)


def fixed(value: float, decimals: int) -> str:
    """Return a number with so many decimals."""
    return f"{value:,.{decimals}f}".replace("-", _MINUS)


def signed(value: float, decimals: int = 2) -> str:
    """Return a contribution with its sign."""
    return f"{value:+,.{decimals}f}".replace("-", _MINUS)


def decimals_for(error: float) -> int:
    """Return how many decimals a number has sense with that is wrong by `error`: none where it is
    wrong by 3, one where by 0.3."""
    return min(max(-math.floor(math.log10(error)), 0), 6) if error > 0 else 6


def percent(value: float) -> str:
    """Return a probability as whole percents, and never 0 or 100 for what is not certain."""
    if 0 < value < 0.01:
        return f"less than{_NO_BREAK}1{_NO_BREAK}%"
    if 0.99 < value < 1:
        return f"more than{_NO_BREAK}99{_NO_BREAK}%"
    return f"{value:.0%}".replace("%", f"{_NO_BREAK}%")


def share(value: float) -> str:
    """Return a share of a whole as percents with a decimal."""
    return f"{100 * value:.1f}{_NO_BREAK}%"


def day(moment: date) -> str:
    """Return a date like `21 November 2026`."""
    return f"{moment.day} {moment:%B %Y}"
