"""The databases that judge an export: each takes its SQL and a table of records."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from training.export.dialects import DIALECTS, Dialect
from training.export.form import ExportError, Form, Value
from training.export.judges import Judged, NotJudged, run
from training.export.sql_classes import named
from training.export.sql_query import RECORDS

Records = Sequence[Mapping[str, Any]]


def judge_duckdb(form: Form, folder: Path, records: Records) -> list[Judged]:
    """Return what DuckDB makes of the records."""
    try:
        import duckdb
    except ModuleNotFoundError:
        raise NotJudged("duckdb is not installed: pip install duckdb") from None
    sql = DIALECTS["duckdb"]
    with duckdb.connect() as base, tempfile.TemporaryDirectory() as place:
        path = Path(place, "records.jsonl")
        path.write_text("".join(f"{json.dumps(row)}\n" for row in _rows(form, records)))
        base.execute((folder / "weights.sql").read_text(encoding="utf-8"))
        base.execute(f"CREATE TABLE {RECORDS} ({_columns(form, sql)})")
        kinds = ", ".join(f"{sql.literal(name)}: '{kind}'" for name, kind in _kinds(form, sql))
        base.execute(
            f"INSERT INTO {RECORDS} SELECT * FROM read_json('{path}', "  # noqa: S608  # our own
            f"columns={{{kinds}}}, format='newline_delimited')"
        )
        found = base.execute(_numbered(folder, form, sql)).fetchall()
    return [_judged(row[1:], form) for row in found]


def judge_sqlite(form: Form, folder: Path, records: Records) -> list[Judged]:
    """Return what SQLite makes of the records."""
    sql = DIALECTS["sqlite"]
    with contextlib.closing(sqlite3.connect(":memory:")) as base:
        base.executescript((folder / "weights.sql").read_text(encoding="utf-8"))
        base.execute(f"CREATE TABLE {RECORDS} ({_columns(form, sql)})")
        rows = [list(row.values()) for row in _rows(form, records)]
        marks = ", ".join("?" * (len(form.inputs) + 1))
        base.executemany(f"INSERT INTO {RECORDS} VALUES ({marks})", rows)  # noqa: S608  # our own
        found = base.execute(_numbered(folder, form, sql)).fetchall()
    return [_judged(row[1:], form) for row in found]


def judge_postgres(form: Form, folder: Path, records: Records) -> list[Judged]:
    """Return what PostgreSQL makes of the records, in a server of its own."""
    sql = DIALECTS["postgres"]
    lines = ["\t".join(map(_copied, row.values())) for row in _rows(form, records)]
    scored = f"SELECT row_to_json(t) FROM ({_numbered(folder, form, sql)}) AS t"  # noqa: S608  # quoted
    script = "\n".join(
        [
            "BEGIN; SET extra_float_digits = 3;",
            (folder / "weights.sql").read_text(encoding="utf-8"),
            f"CREATE TABLE {RECORDS} ({_columns(form, sql)});",
            f"COPY {RECORDS} FROM STDIN;",
            *lines,
            "\\.",
            f"COPY ({scored}) TO STDOUT (FORMAT csv);",
            "ROLLBACK;",
            "",
        ]
    )
    with postgres_server() as (socket, user):
        words = [*user, _postgres_program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1",
                 "-h", str(socket), "-U", "export", "-d", "postgres"]  # fmt: skip
        told = run(words, script)
    rows = [json.loads(line) for (line,) in csv.reader(io.StringIO(told))]
    return [_judged(list(row.values())[1:], form) for row in rows]


def judge_spark(form: Form, folder: Path, records: Records) -> list[Judged]:
    """Return what Spark makes of the records, on this machine."""
    python = Path(f"{sys.prefix}-spark", "bin", "python")
    if not python.exists():
        raise NotJudged("pyspark is not installed: make test-spark installs it")
    sql = DIALECTS["spark"]
    with tempfile.TemporaryDirectory() as place:
        rows = "".join(f"{json.dumps(row)}\n" for row in _rows(form, records))
        Path(place, "records.jsonl").write_text(rows)
        given = {
            "columns": _columns(form, sql),
            "weights": (folder / "weights.sql").read_text(encoding="utf-8"),
            "query": _numbered(folder, form, sql),
        }
        Path(place, "given.json").write_text(json.dumps(given))
        script = Path(__file__).parent / "templates" / "spark_judge.py.in"
        done = subprocess.run(  # noqa: S603  # our own words
            [str(python), str(script)], cwd=place, capture_output=True, text=True, check=False,
            env={**os.environ, "PYSPARK_PYTHON": str(python)},
        )  # fmt: skip
        if done.returncode:
            raise ExportError(f"Spark fails: {done.stderr.strip()[-800:]}")
        told = Path(place, "scored.json").read_text()
    return [_judged(row[1:], form) for row in json.loads(told)]


def _rows(form: Form, records: Records) -> Iterator[dict[str, Value]]:
    for number, record in enumerate(records):
        row: dict[str, Value] = {"record_number": number}
        yield row | {one.name: record.get(one.name, one.default) for one in form.inputs}


def _kinds(form: Form, sql: Dialect) -> list[tuple[str, str]]:
    kinds = {"integer": sql.whole, "number": sql.double, "flag": sql.flag, "text": sql.text}
    named = [(one.name, kinds[one.kind]) for one in form.inputs]
    return [("record_number", sql.whole), *named]


def _columns(form: Form, sql: Dialect) -> str:
    return ", ".join(f"{sql.name_of(name)} {kind}" for name, kind in _kinds(form, sql))


def _numbered(folder: Path, form: Form, sql: Dialect) -> str:
    """Return a query for the rows in order: number, score, unseen, and the answer's values."""
    query = (folder / "model.sql").read_text(encoding="utf-8")
    names = ["record_number", "score", "unseen", *named(form), *_answers(form)]
    columns = ", ".join(f"scored.{sql.name_of(name)}" for name in names)
    return f"SELECT {columns} FROM ({query}) AS scored ORDER BY scored.record_number"  # noqa: S608  # our own


def _answers(form: Form) -> list[str]:
    """Return the keys of the answer that are one column each."""
    return [one.name for one in form.answers if one.kind != "probabilities"]


def _judged(row: Sequence[Any], form: Form) -> Judged:
    score, unseen, *values = row
    if score is None:
        return Judged(None)
    shares, values = tuple(values[: len(form.classes)]), values[len(form.classes) :]
    kinds = {one.name: one.kind for one in form.answers}
    answer = {
        name: bool(value) if kinds[name] == "at_least" else value
        for name, value in zip(_answers(form), values, strict=True)
    }
    for name in kinds.keys() - answer.keys():
        answer[name] = dict(zip(form.classes, shares, strict=True))
    score = shares if form.classes else score
    return Judged(score, frozenset(unseen.split(", ") if unseen else ()), answer)


def _copied(value: Value) -> str:
    """Return a value as PostgreSQL's COPY reads it."""
    if value is None:
        return "\\N"
    text = value if isinstance(value, str) else repr(value)
    for raw, written in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(raw, written)
    return text


def _postgres_program(name: str) -> str:
    """Return the path of one of PostgreSQL's programs; Debian keeps them to itself."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / name).exists():
            return str(folder / name)
    if path := shutil.which(name):
        return path
    raise NotJudged("PostgreSQL is not installed: apt-get install postgresql")


@contextlib.contextmanager
def postgres_server() -> Iterator[tuple[Path, list[str]]]:
    """Run a server within a folder of its own; yield the folder of its socket, and the words before
    a command that make it another user's where this one is root, as whom it does not run."""
    initdb, server = _postgres_program("initdb"), _postgres_program("pg_ctl")
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="export-postgres-"))
    try:
        if user:
            shutil.chown(folder, "postgres")
        data = str(folder / "data")
        run([*user, initdb, "-D", data, "-U", "export", "-A", "trust", "-E", "UTF8", "--no-sync",
             "--locale", "C.UTF-8"], "")  # fmt: skip
        options = f"-k {folder} -c listen_addresses= -c fsync=off"
        started = [*user, server, "-D", data, "-w", "-l", str(folder / "log"), "-o", options]
        subprocess.run([*started, "start"], check=True, stdout=subprocess.DEVNULL)  # noqa: S603  # our own words; its output would stay open
        try:
            yield folder, user
        finally:
            run([*user, server, "-D", data, "-w", "-m", "immediate", "stop"], "")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
