"""Records of one msgspec type, whose fields can be had as columns, made once for all who ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

import msgspec


class TypedRecords(list[Any]):
    """A list of records of one type."""

    @cached_property
    def columns(self) -> Mapping[str, list[Any]]:
        """The values of every field by its name, in the order of the records, at least one."""
        names = type(self[0]).__struct_fields__
        flat = list(chain.from_iterable(map(msgspec.structs.astuple, self)))
        return {name: flat[place :: len(names)] for place, name in enumerate(names)}


def column(records: Sequence[Any], field: str) -> Sequence[Any]:
    """Return the values of a field, in the order of `records`."""
    if records and isinstance(records, TypedRecords):
        return records.columns[field]
    return [getattr(record, field) for record in records]
