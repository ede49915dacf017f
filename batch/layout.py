"""Which column of each file is which field, and which are carried along: decided, and said, before
the first row is read."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from batch.errors import UsageError
from batch.inputs import json_block, parquet, text
from batch.inputs.files import Source
from batch.inputs.rows import constant
from batch.options import Options
from batch.outputs.table import fits_csv
from scoring import cells
from scoring.models import Model
from scoring.record import probably_meant
from scoring.values.field_schemas import describe, field_schemas

_OPENED_AT_ONCE: Final = 8
_MADE: Final = ("model_version", "unseen", "beyond")


@dataclass(frozen=True)
class FileLayout:
    """One file: its columns with their types, in order, and how many rows it has, where that is
    known; the column of each field; the columns carried along, by their names in the output."""

    schema: pa.Schema
    rows: int | None
    fields: Mapping[str, str]
    kept: Mapping[str, str]  # name in the output -> column
    in_file: frozenset[str]  # columns that the file itself has; others are its folders'
    all_kept: bool

    @property
    def verbatim(self) -> bool:
        """Whether JSON lines may stay as they are: all is kept, and no name is taken."""
        as_read = all(name == column for name, column in self.kept.items())
        return self.all_kept and as_read and self.in_file.issuperset(self.kept.values())

    @property
    def file_schema(self) -> pa.Schema:
        """The columns that the file itself has."""
        return pa.schema([field for field in self.schema if field.name in self.in_file])

    @property
    def columns(self) -> list[str]:
        """Every column that is read."""
        return list(dict.fromkeys([*self.fields.values(), *self.kept.values()]))


def layouts(
    sources: Sequence[Source], model: Model, options: Options, made: Sequence[str]
) -> list[FileLayout]:
    """Return the layout of each file. Raises UsageError with every field that some file lacks,
    `made` being the names of the answer's columns."""
    with ThreadPoolExecutor(_OPENED_AT_ONCE) as pool:
        schemas = list(pool.map(lambda source: _schema(source, options), sources))
    required = {n for n, info in model.record.model_fields.items() if info.is_required()}
    schema = field_schemas(model.record)
    kinds = cells.kinds(model.record)
    if strange := sorted(options.columns.keys() - schema.keys()):
        known = ", ".join(schema)
        raise UsageError(f"--column names '{strange[0]}', which is not a field; there are: {known}")
    return [
        _layout(source, found, rows, schema, kinds, required, options, [*made, *_MADE])
        for source, (found, rows) in zip(sources, schemas, strict=True)
    ]


def _schema(source: Source, options: Options) -> tuple[pa.Schema, int | None]:
    """Return a file's columns, those of its folders included, and its rows where they are known."""
    rows: int | None = None
    if source.format == "parquet":
        found, rows = parquet.schema_of(source)
    elif source.format == "csv":
        names = text.header_of(source, options.encoding, options.separator)
        found = pa.schema([(name, pa.string()) for name in names])
    else:
        first = next(text.blocks(source, options.encoding, quotes=False), b"")
        if not first.strip():
            raise UsageError(f"{source.name} is empty; JSON objects are expected, one a line")
        found = pa.schema(list(json_block.columns_of(first).items()))
    for name, value in source.partitions:
        if name not in found.names:
            found = found.append(pa.field(name, constant(value, 0).type))
    return found, rows


def _layout(
    source: Source,
    found: pa.Schema,
    rows: int | None,
    schema: Mapping[str, Mapping[str, Any]],
    kinds: Mapping[str, cells.Kind],
    required: set[str],
    options: Options,
    made: Sequence[str],
) -> FileLayout:
    there = dict.fromkeys(found.names)
    meant = probably_meant(there, schema)
    _check_header(found.names, len(meant), source, schema, options)
    if twice := sorted({n for n in found.names if found.names.count(n) > 1}):
        raise UsageError(f"{source.name} has the column '{twice[0]}' twice: which one is meant?")
    fields: dict[str, str] = {}
    problems = []
    for name, field in schema.items():
        column = options.columns.get(name, name)
        near = meant.get(name)
        if column not in there and options.fold_names and near and folded(near) == folded(name):
            column = near
        if column in there:
            fields[name] = column
            if source.format == "parquet" and not _fits(found.field(column).type, kinds[name]):
                holds = f"'{column}' holds {found.field(column).type}"
                problems.append(f"{holds}, and '{name}' is {describe(field)}")
        elif name in required:
            problem = f"'{name}' is missing ({describe(field)})"
            problems.append(problem + (f"; was the column '{near}' meant?" if near else ""))
    if problems:
        hint = "--fold-names takes names of another case, --column FIELD=COLUMN any other"
        what = "; ".join(problems)
        raise UsageError(f"{source.name}: {what}{'' if what.endswith('?') else '.'} {hint}")
    if options.where:
        _require([_where_column(options.where)], there, source, "--where")
    if options.keep is not None:
        _require(options.keep, there, source, "--keep")
    kept = {
        _free(name, made): name for name in (found.names if options.keep is None else options.keep)
    }
    in_file = frozenset(found.names) - {name for name, _ in source.partitions}
    return FileLayout(found, rows, fields, kept, in_file, options.keep is None)


def _check_header(
    names: Sequence[str], meant: int, source: Source, schema: Mapping[str, Any], options: Options
) -> None:
    """Raise UsageError for a CSV whose first line holds values: no name that is known, and more
    numbers than what may be `meant` as a name."""
    known = {*schema, *options.columns.values()}
    numbers = [name for name in names if isinstance(cells.value(name, "number"), float)]
    if source.format == "csv" and len(numbers) > meant and known.isdisjoint(names):
        line = options.separator.join(names)
        raise UsageError(
            f"{source.name} begins with values ({line[:100]}) and not with a line of column names: "
            f"write one before them ({options.separator.join(schema)})"
        )


def _where_column(text_of: str) -> str:
    from batch.where import condition

    return condition(text_of).column


def _free(name: str, made: Sequence[str]) -> str:
    """Return the name under which a column is carried along: the answer's own names are taken."""
    return f"{name}_input" if name in made or name.startswith("contribution_") else name


def _require(names: Sequence[str], there: Mapping[str, None], source: Source, option: str) -> None:
    for name in names:
        if name not in there:
            near = difflib.get_close_matches(name, there, n=1, cutoff=0.7)
            meant = f"; was '{near[0]}' meant?" if near else f"; there are: {', '.join(there)}"
            raise UsageError(f"{option} names '{name}', which {source.name} has not{meant}")


def _fits(kind: pa.DataType, wanted: cells.Kind) -> bool:
    """Tell whether a column of a type may hold values of a field's kind."""
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    numeric = (
        pa.types.is_integer(inner) or pa.types.is_floating(inner) or pa.types.is_decimal(inner)
    )
    boolean = pa.types.is_boolean(inner)
    fits = {"integer": numeric, "number": numeric, "boolean": boolean, "json": True}
    return bool(pa.types.is_null(kind) or fits.get(wanted, not (numeric or boolean)))


def folded(name: str) -> str:
    """Return the letters and digits of a name in lower case."""
    return "".join(character for character in name.lower() if character.isalnum())


def check_csv(layout: FileLayout, source: Source) -> None:
    """Raise UsageError for a column that CSV cannot hold."""
    for column in layout.kept.values():
        kind = layout.schema.field(column).type
        if not fits_csv(kind):
            raise UsageError(
                f"{source.name}: '{column}' holds {kind}, which CSV has no place for; leave it out "
                "with --keep, or write --format parquet"
            )
