"""A field's type and what is said beside it, however its author wrote it down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from annotated_types import Ge, GroupedMetadata, Gt, Le, Lt
from pydantic import StringConstraints
from pydantic.fields import FieldInfo


class Parts(NamedTuple):
    """`Annotated[int, Field(ge=1)] | None` is the `kind` int, with what is `said`, `nullable`."""

    kind: Any
    said: list[Any]
    nullable: bool


def parts_of(field: FieldInfo) -> Parts:
    """Return a field's type without `Annotated` and `None`, and everything said beside it."""
    kind, said, nullable = field.annotation, list(_flat(field.metadata)), False
    while True:
        if get_origin(kind) is Annotated:
            kind, *more = get_args(kind)
            said += _flat(more)
            continue
        several = get_args(kind) if get_origin(kind) in (Union, UnionType) else ()
        others = [part for part in several if part is not NoneType]
        if len(others) == 1 < len(several):
            [kind], nullable = others, True
            continue
        return Parts(kind, said, nullable)


def missing_limits(field: FieldInfo) -> list[Ge | Le]:
    """Return the limits that a whole number without its own has: those of 64 bits, which is what
    Arrow, JSON's readers and the prediction log hold, and a float, though not exactly."""
    kind, said, _ = parts_of(field)
    if kind is not int:
        return []
    low = [] if any(isinstance(part, Ge | Gt) for part in said) else [Ge(-(2**63))]
    high = [] if any(isinstance(part, Le | Lt) for part in said) else [Le(2**63 - 1)]
    return [*low, *high]


def _flat(said: Iterable[Any]) -> Iterator[Any]:
    for part in said:
        if isinstance(part, FieldInfo):
            yield from _flat(part.metadata)
        elif isinstance(part, GroupedMetadata) and not isinstance(part, StringConstraints):
            yield from _flat(part)
        elif part is not None:
            yield part
