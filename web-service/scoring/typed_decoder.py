"""An array of plain records, read and checked in one pass.

msgspec decodes JSON straight into objects with a slot for each field, and checks types, limits and
categories while it reads, in a fifth of the time that decoding and then validating take. The
record's pydantic model is the only source of what it checks. Whatever is unusual (a key more or
twice, another spelling, any error) is left to the reader of every other body, which words errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import msgspec
from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from scoring.record import Record, Spelling
from scoring.typed_records import TypedRecords
from scoring.values.field_parts import missing_limits

_PLAIN: Final = (int, float, bool, str)
_BOUNDS: Final[Mapping[type, str]] = {Ge: "ge", Gt: "gt", Le: "le", Lt: "lt"}
_CONFIG: Final = ("strict", "extra", "allow_inf_nan", "str_strip_whitespace", "str_to_lower")

# the second is what msgspec raises where it is to quote a category that is not UTF-8
_NOT_READ: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class TypedDecoder:
    """Reads arrays of one kind of record."""

    def __init__(self, kind: type[msgspec.Struct], width: int) -> None:
        """`kind` is the records' type, `width` the number of its fields."""
        self.kind = kind
        self._width = width
        self._decode = msgspec.json.Decoder(list[kind]).decode  # type: ignore[valid-type]  # a type made at run time
        self._decode_one = msgspec.json.Decoder(kind).decode

    def many(self, body: bytes) -> TypedRecords | None:
        """Return the records of a JSON array, or None where another reader must look at it.

        Each record has the fields as attributes and, for `vars()`, as a dictionary.
        """
        try:
            records = self._decode(body)
        except _NOT_READ:
            return None
        # Each key comes with a colon, and every field is there: with no more colons than fields, no
        # key is there twice, and no other key.
        if body.count(b":") != self._width * len(records):
            return None
        return TypedRecords(records)

    def one(self, body: bytes) -> Any | None:
        """Return the record of a JSON object, or None where another reader must look at it."""
        try:
            record = self._decode_one(body)
        except _NOT_READ:
            return None
        return record if body.count(b":") == self._width else None


def typed_decoder(record: type[Record]) -> TypedDecoder | None:
    """Return the decoder of a record, None where it needs more than types and bounds.

    Its fields are plain numbers, texts, truth values and categories then.
    """
    if not _is_plain(record):
        return None
    try:
        fields = [(name, _type(field)) for name, field in record.model_fields.items()]
        kind = msgspec.defstruct(
            record.__name__, fields, frozen=True, gc=False,
            namespace={"__dict__": property(msgspec.structs.asdict)},
        )  # fmt: skip
        return TypedDecoder(kind, len(fields))
    except (TypeError, ValueError):  # ours, or msgspec's of bounds that it cannot check
        return None


def _is_plain(record: type[Record]) -> bool:
    """Say whether a record is no more than its fields: nothing is called to read or to use it."""
    decorators = record.__pydantic_decorators__
    checks = (
        decorators.validators, decorators.field_validators, decorators.root_validators,
        decorators.model_validators, decorators.computed_fields,
    )  # fmt: skip
    own = {
        name
        for kind in record.__mro__[: record.__mro__.index(Record)]
        for name in vars(kind)
        if not name.startswith(("_", "model_")) and name not in record.model_fields
    }
    same = all(record.model_config.get(key) == Record.model_config.get(key) for key in _CONFIG)
    return bool(
        record.model_fields
        and same
        and not any(checks)
        and not own
        and record.model_post_init is Record.model_post_init
        and not record.__pydantic_custom_init__
    )


def _type(field: FieldInfo) -> Any:
    """Return what msgspec is to check of a field; raise TypeError where it cannot check all."""
    if not field.is_required() or field.alias or field.validation_alias or field.discriminator:
        raise TypeError
    bounds = {}
    for part in [*field.metadata, *missing_limits(field)]:
        if part is Spelling:
            continue  # what is spelt as the schema has it is read alike
        if type(part) not in _BOUNDS:
            raise TypeError
        name = _BOUNDS[type(part)]
        bounds[name] = getattr(part, name)
    kind = field.annotation
    if get_origin(kind) is Literal and all(type(choice) is str for choice in get_args(kind)):
        if bounds:
            raise TypeError
        return kind
    if kind not in _PLAIN or (bounds and kind not in (int, float)):
        raise TypeError
    return Annotated[kind, msgspec.Meta(**bounds)] if bounds else kind
