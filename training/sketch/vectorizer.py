"""A model of a saved DictVectorizer: its columns say which features there are, and a table, where
one is given, which fields they are made of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import permutations
from typing import Any, Final, Literal, NamedTuple

import pandas as pd

from scoring.record import normalise
from training.sketch.columns import MAX_CHOICES, field_of
from training.sketch.model_file import Field, Sketch
from training.sketch.names import identifier
from training.sketch.table import kind_of

_JOINED: Final = re.compile(r"-?\d+_-?\d+")
_TRIED: Final = 500  # rows by which a guess is tried
_MAX_COLUMNS: Final = 40  # of which pairs are tried
_MOST: Final = 0.9  # of the rows for which a guess must hold

Task = Literal["regression", "classification"]


class _Made(NamedTuple):
    """A feature: the fields that it takes, its Python expression, and what to say of it."""

    fields: list[Field]
    code: str
    note: str


def sketch_of_vectorizer(
    name: str,
    columns: Sequence[str],
    separator: str,
    task: Task,
    *,
    classes: tuple[str, ...] = (),
    table: pd.DataFrame | None,
    target: str | None,
    origin: str,
) -> Sketch:
    """Return the model whose features are the `columns` of a DictVectorizer. The rows of `table`
    tell which of its columns these are made of; without it they are what the names say."""
    categories: dict[str, list[str]] = {}
    numbers = [column for column in columns if separator not in column]
    for column in columns:
        head, found, value = column.partition(separator)
        if found:
            categories.setdefault(head, []).append(value)
    table = None if table is None else table.drop(columns=[target], errors="ignore")
    made = {head: _category(head, values, table) for head, values in categories.items()}
    made |= {column: _number(column, table) for column in numbers}
    fields: dict[str, Field] = {}
    for one in made.values():
        fields |= {field.name: field for field in one.fields}
    notes = [f"{key}: {one.note}" for key, one in made.items()]
    code = {key: one.code for key, one in made.items()}
    if classes:
        notes = [f"its classes: {', '.join(classes)}", *notes]
    return Sketch(name, task, target or name, list(fields.values()), code, origin, notes, classes)


def _number(column: str, table: pd.DataFrame | None) -> _Made:
    found = _column(column, table)
    if found is None:
        note = "a number" if table is None else "a number, and no column of the table: look at it"
        field = Field(identifier(column), column, "number", 1.0)
        return _Made([field], f"record.{field.name}", note)
    field = field_of(found)
    if field.kind not in ("integer", "number", "flag"):
        field = Field(identifier(column), column, "number", 1.0, description=field.description,
                      optional=field.optional)  # fmt: skip
        note = "a number for the model, texts in the table: look at it"
        return _Made([field], f"record.{field.name}", note)
    code = f"int(record.{field.name})" if field.kind == "flag" else f"record.{field.name}"
    return _Made(
        [field], field.code(code), f"{kind_of(field)}, {field.description or 'as in the table'}"
    )


def _category(head: str, values: list[str], table: pd.DataFrame | None) -> _Made:
    found = _column(head, table)
    if found is not None:
        return _of_column(found, values)
    if table is not None and (joined := _joined_columns(values, table)):
        return joined
    if all(map(_JOINED.fullmatch, values)):
        return _joined_numbers(head, values)
    return _plain(head, values)


def _of_column(found: pd.Series[Any], values: list[str]) -> _Made:
    """Return a category that is a column of the table: its texts, or its numbers written out."""
    known, there = {*values}, found.dropna().head(_TRIED)
    name = identifier(str(found.name))
    if pd.api.types.is_numeric_dtype(there) and not pd.api.types.is_bool_dtype(there):
        code = _written(there, known, f"record.{name}")
        if code is not None:
            written = field_of(found)
            return _Made([written], written.code(code), "a category whose values are numbers")
    spelled = _share(there.map(str), known) < _share(there.map(normalise), known)
    field = field_of(found.map(normalise) if spelled else found.map(str, na_action="ignore"),
                     tuple(sorted(values)))  # fmt: skip
    field = Field(**{**vars(field), "spelled": spelled and field.kind == "category"})
    said = ", in any spelling" if field.spelled else ""
    share = _share(there.map(normalise) if spelled else there.map(str), known)
    note = f"{kind_of(field)}{said}; the table has them in {share:.0%} of its rows"
    return _Made([field], f"record.{field.name}", note)


def _written(there: pd.Series[Any], known: set[str], value: str) -> str | None:
    """Return the expression that writes a number as the categories have it, if one does."""
    ways = {f"str({value})": lambda x: str(int(x)) if float(x).is_integer() else str(x),
            f"str(float({value}))": lambda x: str(float(x))}  # fmt: skip
    best = max(ways, key=lambda way: _share(there.map(ways[way]), known))
    return best if _share(there.map(ways[best]), known) > 0 else None


def _joined_columns(values: list[str], table: pd.DataFrame) -> _Made | None:
    """Return the two columns whose values, joined by `_`, are the categories."""
    known, some = {*values}, table.head(_TRIED)
    texts = {
        str(column): some[column].map(_as_text, na_action="ignore")
        for column in list(some.columns)[:_MAX_COLUMNS]
        if not pd.api.types.is_float_dtype(some[column]) or (some[column].dropna() % 1 == 0).all()
    }
    for one, other in permutations(texts, 2):
        if _share((texts[one] + "_" + texts[other]).dropna(), known) >= _MOST:
            fields = [field_of(table[one]), field_of(table[other])]
            code = f'f"{{record.{fields[0].name}}}_{{record.{fields[1].name}}}"'
            nulls = [f"record.{field.name} is None" for field in fields if field.optional]
            code = f"None if {' or '.join(nulls)} else {code}" if nulls else code
            return _Made(fields, code, f"{one} and {other}, joined by _")
    return None


def _as_text(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else str(value)


def _joined_numbers(head: str, values: list[str]) -> _Made:
    parts = [[int(number) for number in value.split("_")] for value in values]
    first, second = zip(*parts, strict=True)
    words = head.split("_") if head.count("_") == 1 and all(head.split("_")) else []
    names = [identifier(word) for word in words]
    names = names if len({*names}) == 2 else [f"{identifier(head)}_{n}" for n in (1, 2)]
    fields = [
        Field(name, name, "integer", column[0], low=min(column), high=max(column))
        for name, column in zip(names, (first, second), strict=True)
    ]
    code = f'f"{{record.{names[0]}}}_{{record.{names[1]}}}"'
    return _Made(fields, code, f"two whole numbers joined by _: here {names[0]} and {names[1]}")


def _plain(head: str, values: list[str]) -> _Made:
    few = len(values) <= MAX_CHOICES
    field = Field(
        identifier(head), head, "category" if few else "text", sorted(values)[0],
        tuple(sorted(values)) if few else (),
    )  # fmt: skip
    joined = "; they look like two values joined by _" if all("_" in v for v in values) else ""
    many = kind_of(field) if few else f"a text, {len(values)} different ones are known"
    return _Made([field], f"record.{field.name}", f"{many}{joined}")


def _column(name: str, table: pd.DataFrame | None) -> pd.Series[Any] | None:
    """Return the column of that name, or of one that reads the same."""
    if table is None:
        return None
    folded = {identifier(str(column)).lower(): column for column in table.columns}
    found = name if name in table.columns else folded.get(identifier(name).lower())
    return None if found is None else table[found]


def _share(texts: pd.Series[Any], known: set[str]) -> float:
    return float(texts.isin(known).mean()) if len(texts) else 0.0
