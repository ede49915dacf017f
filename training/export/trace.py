"""A model's `features` as data: which fields it hands on, joins into a text, or looks up.

`features` is called with stand-ins in the place of a record's values. A stand-in may be handed on,
spelled into a text, or turned into a number; any other use raises. A field whose values are few is
then given each of them instead.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any, Final, NoReturn

from scoring.models import Model
from scoring.values.field_parts import parts_of
from scoring.values.field_schemas import choices_of, field_schemas
from scoring.values.json_values import as_json
from training.export.form import Category, ExportError, Feature, Lookup, Number, Value

_MARK: Final = "\0"
_MARKED: Final = re.compile(f"{_MARK}([^{_MARK}]+){_MARK}")
_MOST_COMBINATIONS: Final = 5_000
_FEW: Final = 300  # values of a field


class _LookedInto(Exception):
    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class _StandIn:
    """Stands for any value of a field."""

    def __init__(self, field: str, schema: Mapping[str, Any], number: int) -> None:
        # as a text it is spelled the same in every language: whole numbers and texts alone
        plain = schema.get("type") in ("integer", "string") and "format" not in schema
        plain = plain or {*map(type, choices_of(schema))} in ({str}, {int})
        vars(self)["_field"] = field
        vars(self)["_spelled"] = plain and not schema.get("nullable")
        vars(self)["_text"] = "enum" in schema or schema.get("type") == "string"
        vars(self)["_number"] = number

    def __getattr__(self, _name: str) -> NoReturn:
        raise _LookedInto(vars(self)["_field"])

    def __str__(self) -> str:
        own = vars(self)
        if not own["_spelled"]:
            raise _LookedInto(own["_field"])
        return f"{_MARK}{own['_field']}{_MARK}"

    def __format__(self, spec: str) -> str:
        if spec:
            _look(self)
        return str(self)

    def __add__(self, other: object) -> str:
        if not (vars(self)["_text"] and isinstance(other, str | _StandIn)):
            _look(self)
        return f"{self}{other}"

    def __radd__(self, other: object) -> str:
        if not (vars(self)["_text"] and isinstance(other, str)):
            _look(self)
        return f"{other}{self}"

    def __float__(self) -> float:
        return float(vars(self)["_number"])

    def __int__(self) -> int:
        number: int = vars(self)["_number"]
        return number


def _look(value: _StandIn, *_: object) -> NoReturn:
    raise _LookedInto(vars(value)["_field"])


_SPECIAL: Final = """
    bool len iter contains getitem eq ne lt le gt ge neg pos abs index complex round trunc floor
    ceil sub rsub mul rmul truediv rtruediv floordiv rfloordiv mod rmod divmod rdivmod pow rpow and
    rand or ror xor rxor invert hash
"""
for _word in _SPECIAL.split():
    setattr(_StandIn, f"__{_word}__", _look)


def trace(model: Model) -> tuple[Feature, ...]:
    """Return the features that a model's code makes. Raises ExportError, which names the field or
    the feature, where they are made otherwise."""
    schemas = field_schemas(model.record)
    known: dict[str, list[Any]] = {}
    while True:
        try:
            return _features(model, schemas, known)
        except _LookedInto as error:
            values = None if error.field in known else _few(model, error.field, schemas)
            if values is None:
                raise ExportError(
                    f"field '{error.field}' is looked into by the features of '{model.name}', and "
                    "has too many values to list: a format holds fields that are handed on, joined "
                    "into a text, or have few values"
                ) from None
            known[error.field] = values


def _few(model: Model, name: str, schemas: Mapping[str, Any]) -> list[Any] | None:
    """Return every value that a record has for a field, None where they are many."""
    schema = schemas[name]
    kind, _, nullable = parts_of(model.record.model_fields[name])
    low, high = schema.get("minimum"), schema.get("maximum")
    found: list[Any]
    if choices := choices_of(schema):
        found = [kind(one) if isinstance(kind, type) else one for one in choices]
    elif schema.get("type") == "boolean":
        found = [False, True]
    elif schema.get("type") == "integer" and None not in (low, high) and high - low < _FEW:
        found = [*range(low, high + 1)]
    else:
        return None
    return [*found, None] if nullable else found


def _features(
    model: Model, schemas: Mapping[str, Any], known: Mapping[str, list[Any]]
) -> tuple[Feature, ...]:
    count = 1
    for values in known.values():
        count *= len(values)
    if count > _MOST_COMBINATIONS:
        raise ExportError(
            f"the features of '{model.name}' look into {' and '.join(known)}, which have {count} "
            f"combinations; at most {_MOST_COMBINATIONS} are listed"
        )
    stand_ins = {
        name: _StandIn(name, schemas[name], 2**51 + 97 * place)
        for place, name in enumerate(model.record.model_fields)
    }
    made: dict[tuple[Any, ...], dict[str, Any]] = {}
    for combined in itertools.product(*known.values()):
        record = SimpleNamespace(**{**stand_ins, **dict(zip(known, combined, strict=True))})
        made[tuple(map(as_json, combined))] = _called(model, record)
    names = dict.fromkeys(name for one in made.values() for name in one)
    by_number = {vars(one)["_number"]: name for name, one in stand_ins.items()}
    return tuple(_feature(name, [*known], made, by_number) for name in names)


def _called(model: Model, record: SimpleNamespace) -> dict[str, Any]:
    try:
        return dict(model.features(record))
    except _LookedInto:
        raise
    except Exception as error:
        raise ExportError(
            f"the features of '{model.name}' cannot be read as joined fields: "
            f"{type(error).__name__}: {error}"
        ) from error


def _feature(
    name: str,
    known: list[str],
    made: Mapping[tuple[Any, ...], dict[str, Any]],
    by_number: Mapping[int, str],
) -> Feature:
    found = [one.get(name) for one in made.values()]
    read = [_handed_on(name, value, by_number) for value in found]
    if all(one == read[0] for one in read) and isinstance(read[0], Number | Category):
        return read[0]
    if any(isinstance(one, Number | Category) for one in read):
        raise ExportError(f"feature '{name}' is made in one way or another: by {', '.join(known)}")
    values = dict(zip(made, found, strict=True))
    if len({isinstance(value, str) for value in found if value is not None}) > 1:
        raise ExportError(f"feature '{name}' is a text or a number: by {', '.join(known)}")
    fields, table = [*known], {key: _plain(value) for key, value in values.items()}
    for field in known:  # those that make no difference are left out
        place = fields.index(field)
        shorter: dict[tuple[Value, ...], str | float | None] = {}
        same = all(
            shorter.setdefault((*key[:place], *key[place + 1 :]), value) == value
            for key, value in table.items()
        )
        if same:
            fields.pop(place)
            table = shorter
    return Lookup(name, tuple(fields), table)


def _plain(value: Any) -> str | float | None:
    return value if value is None or isinstance(value, str) else float(value)


def _handed_on(name: str, value: Any, by_number: Mapping[int, str]) -> Feature | None:
    """Return what a traced value is; None for a constant."""
    if type(value) is _StandIn:
        own = vars(value)
        field = own["_field"]
        return Category(name, (("field", field),)) if own["_text"] else Number(name, field)
    if isinstance(value, str) and _MARK in value:
        return Category(name, tuple(_pieces(value)))
    if isinstance(value, int | float) and not isinstance(value, bool) and value in by_number:
        return Number(name, by_number[int(value)])
    return None


def _pieces(text: str) -> Iterator[Any]:
    for place, piece in enumerate(_MARKED.split(text)):
        if place % 2:
            yield "field", piece
        elif piece:
            yield piece
