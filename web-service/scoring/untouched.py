"""Stand-ins for a field's value that tell whether a function looks into it or only hands it on.

A model's `features` is given a record some of whose fields are `Untouched`. What only hands such a
field on gets a table's column in its place; what looks into it, to format, compare or add it,
raises `LookedInto`, and the field's values take part in the combinations for which `features` is
called: one call for each distinct one instead of one for each row.
"""

from __future__ import annotations

from typing import NoReturn


class LookedInto(Exception):
    """A field was looked into."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class Untouched:
    """Stand for any value of a field: it can be handed on, and anything else raises."""

    def __init__(self, field: str) -> None:
        """Stand for the values of `field`."""
        object.__setattr__(self, "field", field)

    def __getattribute__(self, _name: str) -> NoReturn:
        """Raise: the field is looked into."""
        raise LookedInto(field_of(self))


def field_of(value: Untouched) -> str:
    """Return the name of the field that `value` stands for."""
    name: str = object.__getattribute__(value, "field")
    return name


def _look(value: Untouched, *_: object) -> NoReturn:
    raise LookedInto(field_of(value))


# Python looks these up on the type, past __getattribute__.
_SPECIAL = """
    str repr format hash bool len iter contains getitem eq ne lt le gt ge neg pos abs int float
    index complex round trunc floor ceil add radd sub rsub mul rmul truediv rtruediv floordiv
    rfloordiv mod rmod divmod rdivmod pow rpow and rand or ror xor rxor invert lshift rlshift
    rshift rrshift
"""
for _word in _SPECIAL.split():
    setattr(Untouched, f"__{_word}__", _look)
