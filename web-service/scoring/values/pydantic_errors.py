"""What is read of pydantic's errors: the only file that knows their types' names.

A test provokes each of them, so that an upgrade that renames one fails there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

MISSING: Final = "missing"  # a field that is not there
CHOICE: Final = frozenset({"literal_error", "enum"})  # a value that is not listed
OUTSIDE: Final = frozenset(
    {
        "greater_than", "greater_than_equal", "less_than", "less_than_equal", "finite_number",
        "multiple_of", "string_too_short", "string_too_long", "string_pattern_mismatch",
    }
)  # fmt: skip
# What a validator of ours raised; its words are in this key of the context.
RAISED: Final = frozenset({"value_error", "assertion_error"})
RAISED_CONTEXT: Final = "error"


def message(line: Mapping[str, Any]) -> str:
    """Return what an error's line says: a validator's own words as it raised them, without the
    prefix that pydantic puts before them."""
    if line["type"] in RAISED:
        return str(line["ctx"][RAISED_CONTEXT])
    return str(line["msg"])


def first_error(error: ValidationError, whole: str = "the file") -> str:
    """Return the place and the text of the first error, as in `threshold: Field required`; `whole`
    names the place of an error that concerns no single field."""
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc']) or whole}: {message(first)}"
