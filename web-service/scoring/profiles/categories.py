"""How often each category came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from scoring.values.json_values import as_json

MOST: Final = 5_000  # categories that are told apart; what comes less often is counted together


class Categories(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="category"):
    """Counts by category, as texts: a taxi zone is "74", a truth "true"."""

    count: int
    missing: int
    hidden: int  # known by their hash only, and among the categories under it
    other: int  # of categories beyond the MOST frequent
    counts: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """Return plain values, the fields by their names."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


def categories(
    counts: Mapping[str, int], *, missing: int = 0, hidden: int = 0, other: int = 0
) -> Categories:
    """Return counts by category; of more than MOST, the rarest are counted together."""
    kept = counts
    if len(counts) > MOST:
        kept = dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST])
    total = sum(counts.values()) + other
    return Categories(total, missing, hidden, total - sum(kept.values()), kept)


def add(parts: Sequence[Categories]) -> Categories:
    """Return the sum of counts."""
    counts: dict[str, int] = {}
    for part in parts:  # thousands of hours: a Counter takes twice as long
        for name, rows in part.counts.items():
            counts[name] = counts.get(name, 0) + rows
    return categories(
        counts,
        missing=sum(part.missing for part in parts),
        hidden=sum(part.hidden for part in parts),
        other=sum(part.other for part in parts),
    )


def text_of(value: object) -> str:
    """Return a value of a category as the text under which it is counted."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(as_json(value))  # as the prediction log has it
