"""What a record is, and the door through which records come in.

A model's record is a subclass of `Record`: its fields have types, limits and units, and `validate`
turns JSON values into records or names every bad field at once. Past this door nobody checks again.
"""

from __future__ import annotations

import copy
import difflib
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    TypeAdapter,
    ValidationError,
    create_model,
)

from scoring.errors import FieldError, InvalidRecords, Reason
from scoring.limits import Limits
from scoring.values.field_parts import missing_limits, parts_of
from scoring.values.field_schemas import describe, field_schemas
from scoring.values.json_values import is_reader, reader_of
from scoring.values.pydantic_errors import CHOICE, MISSING, OUTSIDE
from scoring.values.strict_json import DuplicateKey

MAX_ERRORS: Final = Limits.max_errors  # where no Limits are given

# Looking for the key that was meant costs time that a hostile request must not multiply.
_MAX_KEYS_COMPARED: Final = 100
_MAX_KEY_LENGTH: Final = 40
_MAX_RECORDS_COMPARED: Final = 5  # of a slice
_SLICE: Final = 100


class Record(BaseModel):
    """One thing to predict for. Strict: no text for a number, no true for 1, no NaN; other keys
    are ignored, since callers may carry an id of their own along."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="ignore", allow_inf_nan=False, ser_json_inf_nan="null"
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Let fields of dates, times and Enums read what JSON has for them."""
        changed = False
        for field in cls.model_fields.values():
            reader = reader_of(parts_of(field)[0])
            if reader and not any(map(is_reader, field.metadata)):
                field.metadata.insert(0, reader)  # the last is called first, such as Spelling
                changed = True
        if changed:
            cls.model_rebuild(force=True)


RecordT = TypeVar("RecordT", bound=Record)


def normalise(value: object) -> object:
    """Return a category in its one spelling; anything but a text as it is.

    `"Month-to-month "` and `"month-to-month"` are the same, and so are `"No phone service"` and
    `"no_phone_service"`.
    """
    return "_".join(value.lower().split()) if isinstance(value, str) else value


# In front of a Literal: `Annotated[Literal["yes", "no"], Spelling]`.
Spelling: Final = BeforeValidator(normalise)


class RecordReader:
    """Validates what a request holds against one record type.

    `one(value)` takes a JSON object and gives a record; `many(values)` takes a JSON array and gives
    as many records, in order. Both raise InvalidRecords with every bad field; in an array the field
    carries its index, `[42].trip_distance`.

    Most records spell their categories as the schema does: they are tried first, by a record that
    calls no Python for each of them. Only what it refuses is asked of the record itself.
    """

    def __init__(self, record: type[Record]) -> None:
        self._fields = field_schemas(record)
        self._integers = [name for name, field in self._fields.items() if _is_integer(field)]
        record = _within_64_bits(record)
        self._one: TypeAdapter[Record] = TypeAdapter(record)
        self._many: TypeAdapter[list[Record]] = TypeAdapter(list[record])  # type: ignore[valid-type]  # a type made at run time
        exact = _without_spelling(record)
        self._same = exact.model_construct  # of values that are valid already
        self._exact = TypeAdapter(exact).validate_python
        self._exact_many = TypeAdapter(list[exact]).validate_python  # type: ignore[valid-type]  # likewise

    def one(self, value: object) -> Record:
        """Return a JSON value as a record, or raise InvalidRecords with every bad field."""
        try:
            return self._exact(value)
        except ValidationError:
            value = self._with_integers(value)
        try:
            return self._same(**vars(self._one.validate_python(value)))
        except ValidationError as error:
            found = self._field_errors(error, [value], first_index=None)
            raise InvalidRecords("the record is not valid", tuple(found)) from None

    def many(self, values: list[Any], max_errors: int = MAX_ERRORS) -> list[Record]:
        """Return JSON values as records, in order, or raise InvalidRecords with the bad fields."""
        try:
            return self._exact_many(values)
        except ValidationError:
            values = [self._with_integers(value) for value in values]
        try:
            return [self._same(**vars(record)) for record in self._many.validate_python(values)]
        except ValidationError:
            pass
        found: list[FieldError] = []
        # a slice at a time: a small body can hold ten thousand records with nineteen errors each
        for start in range(0, len(values), _SLICE):
            part = values[start : start + _SLICE]
            try:
                self._many.validate_python(part)
            except ValidationError as error:
                found += self._field_errors(error, part, first_index=start)
            if len(found) >= max_errors:
                detail = f"too many records are not valid; the first {max_errors} errors are listed"
                raise InvalidRecords(detail, tuple(found[:max_errors]))
        bad = len({line.field.partition("]")[0] for line in found})
        raise InvalidRecords(f"{bad} of {len(values)} records are not valid", tuple(found))

    def _with_integers(self, value: Any) -> Any:
        """Return a JSON object with whole numbers where it has floats without a fraction: `74.0` is
        what pandas, spreadsheets and other languages write for 74, and JSON Schema takes for it."""
        if not isinstance(value, dict):
            return value
        whole = {
            name: int(number)
            for name in self._integers
            if isinstance(number := value.get(name), float) and number.is_integer()
        }
        return {**value, **whole} if whole else value

    def _field_errors(
        self, error: ValidationError, values: list[Any], *, first_index: int | None
    ) -> list[FieldError]:
        lines = error.errors(include_url=False, include_context=False)
        indexed = first_index is not None
        meant: dict[int, dict[str, str]] = {}
        found = []
        for line in lines:
            loc = line["loc"]
            index = int(loc[0]) if indexed else 0
            name = str(loc[-1]) if len(loc) > int(indexed) else None
            place = "" if first_index is None else f"[{first_index + index}]"
            if name is None:
                problem = f"expected a record, a JSON object, got {_got(line['input'])}"
                found.append(FieldError.because("type", place or "body", problem))
                continue
            expected = describe(self._fields[name])
            if line["type"] != MISSING:
                problem = f"expected {expected}, got {_got(line['input'])}"
                problem += _nearest_choice(self._fields[name], line["input"])
            else:
                problem = f"missing; expected {expected}"
                if index not in meant and len(meant) < _MAX_RECORDS_COMPARED:
                    meant[index] = probably_meant(values[index], self._fields)
                if sent := meant.get(index, {}).get(name):
                    problem += f"; got the key '{sent}': was '{name}' meant?"
            where = f"{place}.{name}".removeprefix(".")
            found.append(FieldError.because(_reason(line), where, problem))
        return found


def _is_integer(field: Mapping[str, Any]) -> bool:
    types = {part.get("type") for part in (field, *field.get("anyOf", ()))}
    return "integer" in types and "number" not in types


def _reason(line: Mapping[str, object]) -> Reason:
    """Says in a word what pydantic found."""
    kind = line["type"]
    if isinstance(line["input"], DuplicateKey):
        return "repeated"
    if kind in CHOICE:
        return "choice" if isinstance(line["input"], str) else "type"
    if kind in OUTSIDE:
        return "range"
    return "missing" if kind == MISSING else "type"


def _within_64_bits(record: type[RecordT]) -> type[RecordT]:
    """Return the same record with limits for whole numbers that have none; itself, where all have.
    They stand here, so that a field is described to people as its author wrote it."""
    fields: dict[str, Any] = {}
    for name, field in record.model_fields.items():
        if limits := missing_limits(field):
            limited = copy.copy(field)
            limited.metadata = [*field.metadata, *limits]
            fields[name] = (field.annotation, limited)
    return create_model(record.__name__, __base__=record, **fields) if fields else record


def _without_spelling(record: type[RecordT]) -> type[RecordT]:
    """Return the same record with its categories spelt as in the schema; itself, where it reads
    none otherwise."""
    fields: dict[str, Any] = {}
    for name, field in record.model_fields.items():
        if Spelling in field.metadata:
            exact = copy.copy(field)
            exact.metadata = [part for part in field.metadata if part is not Spelling]
            fields[name] = (field.annotation, exact)
    return create_model(record.__name__, __base__=record, **fields) if fields else record


def probably_meant(sent: Mapping[str, Any], fields: Iterable[str]) -> dict[str, str]:
    """Return, for each missing field, the key in `sent` that was probably meant to be it."""
    names = set(fields)
    unknown = [key for key in sent if key not in names and len(key) <= _MAX_KEY_LENGTH]
    spelling = {_folded(key): key for key in unknown[:_MAX_KEYS_COMPARED]}
    meant = {}
    for name in sorted(names - sent.keys()):
        close = difflib.get_close_matches(_folded(name), spelling, n=1, cutoff=0.8)
        if close:
            meant[name] = spelling.pop(close[0])
    return meant


def _folded(key: str) -> str:
    """Letters and digits alone, in lower case: `pu_location-ID` reads as `pulocationid`."""
    return "".join(character for character in key.lower() if character.isalnum())


def _nearest_choice(field: Mapping[str, Any], value: object) -> str:
    if "enum" not in field or not isinstance(value, str) or len(value) > _MAX_KEY_LENGTH:
        return ""
    choices = [choice for choice in field["enum"] if isinstance(choice, str)]
    close = difflib.get_close_matches(str(normalise(value)), choices, n=1, cutoff=0.7)
    return f"; was '{close[0]}' meant?" if close else ""


def _got(value: object) -> str:
    """Names what came instead, without repeating a text of the caller's."""
    if isinstance(value, DuplicateKey):
        return "the key more than once"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value!r}" if math.fabs(_as_float(value)) < 1e15 else "a number far too large"
    names: dict[type, str] = {str: "a text", list: "an array", dict: "an object"}
    return names.get(type(value), "null")


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf
