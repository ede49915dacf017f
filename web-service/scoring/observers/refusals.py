"""What of a refused request is counted and logged: its bad fields and why, never a value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container

from scoring.errors import InvalidRecords, Reason
from scoring.shared_memory.layout import OTHER


def bad_fields(error: InvalidRecords, fields: Container[str]) -> Counter[tuple[str, Reason]]:
    """Return how often each of `fields` was bad, by reason, over all records of the request; what
    is none of them, such as a misspelt key, is a caller's own text, and counted as `_other`."""
    found: Counter[tuple[str, Reason]] = Counter()
    for line in error.errors:
        field = line.field.rpartition("].")[2]
        found[field if field in fields else OTHER, line.reason] += 1
    return found
