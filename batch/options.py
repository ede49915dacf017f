"""What a run is asked to do."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from batch.errors import UsageError
from batch.inputs.files import Format
from batch.inputs.text import known_encoding
from scoring.errors import InvalidQuery
from scoring.intervals import level_of
from scoring.process.usage import described

Engine = Literal["local", "spark"]

_DESCRIPTION = """\
Score tables with a model, as the service answers: docs/batch.md. INPUT is a file, a pattern or a
folder (Parquet, CSV, JSON lines, also .gz; of this disk, s3:// and what else Arrow and fsspec
know). OUT is a folder, or one file where its name ends in .parquet, .csv, .jsonl (.gz).
Exit status: 0 done or nothing to do, 1 failed, 2 wrong usage, 3 too many rejected rows.
"""


@dataclass(frozen=True)
class Options:
    """The arguments, checked one by one."""

    model: str
    inputs: tuple[str, ...]
    output: str
    reference: str | None = None  # a folder or models:/..., in the place of MODELS_DIR's
    keep: tuple[str, ...] | None = None  # columns carried along; None: all
    columns: dict[str, str] = field(default_factory=dict)  # field -> column
    fold_names: bool = False
    format: Format | None = None
    where: str | None = None
    limit: int | None = None
    explain: bool = False
    interval: float | None = None  # the share of truths that it shall hold
    log: Path | None = None
    strict: bool = False
    max_rejected: float = 1.0
    overwrite: bool = False
    restart: bool = False
    workers: int | None = None
    separator: str = ","
    encoding: str = "utf-8"
    metrics_file: Path | None = None
    engine: Engine = "local"
    master: str | None = None  # of Spark; None: what its own configuration says

    def asked(self) -> dict[str, Any]:
        """Return what decides the output's content, beside inputs and model."""
        return {
            "model": self.model,
            "reference": self.reference,
            "keep": None if self.keep is None else list(self.keep),
            "columns": self.columns,
            "fold_names": self.fold_names,
            "format": self.format,
            "where": self.where,
            "limit": self.limit,
            "explain": self.explain,
            **({} if self.interval is None else {"interval": self.interval}),
            "log": str(self.log) if self.log else None,
            "separator": self.separator,
            "encoding": self.encoding,
        }


def parse(words: Sequence[str] | None) -> Options:
    """Return the options; a wrong one ends the process with status 2, as argparse does. Raises
    UsageError for those that do not fit together."""
    given = _parser().parse_args(words)
    columns: dict[str, str] = {}
    for pair in given.column:
        name, equals, column = pair.partition("=")
        if not (name and equals and column):
            raise UsageError(f"--column takes FIELD=COLUMN, not {pair!r}")
        columns[name] = column
    keep = None
    if given.keep != "all":
        keep = () if given.keep == "none" else tuple(part.strip() for part in given.keep.split(","))
    _check_engine(given)
    separator = {"\\t": "\t", "tab": "\t"}.get(given.separator, given.separator)
    if len(separator) != 1:
        raise UsageError(f"--separator takes one character, not {given.separator!r}")
    return Options(
        model=given.model_name,
        inputs=tuple(given.inputs),
        output=given.output,
        reference=given.model,
        keep=keep,
        columns=columns,
        fold_names=given.fold_names,
        format=given.format,
        where=given.where,
        limit=given.limit,
        explain=given.explain,
        interval=given.interval,
        log=given.log and given.log.absolute(),
        strict=given.strict,
        max_rejected=given.max_rejected,
        overwrite=given.overwrite,
        restart=given.restart,
        workers=given.workers,
        separator=separator,
        encoding=known_encoding(given.encoding),
        metrics_file=given.metrics_file,
        engine=given.engine,
        master=given.master,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m batch",
        **described(
            _DESCRIPTION,
            "python -m batch ride trips.parquet --output scored.parquet",
            "python -m batch ride trips/ --output s3://bucket/scored --keep ride_id",
            "python -m batch churn customers.csv --output scored/ --model models:/churn@champion",
        ),
    )
    add = parser.add_argument
    add("model_name", metavar="MODEL", help="ride, churn or another model that is known here")
    add("inputs", nargs="+", metavar="INPUT", help="file, pattern or folder; several in order")
    add("--output", required=True, metavar="OUT", help="new folder, or a file's name")
    add("--model", metavar="REF", help="artifact's folder, models:/NAME@ALIAS or models:/NAME/3 "
        "(default: MODEL in MODELS_DIR)")  # fmt: skip
    columns = parser.add_argument_group("columns")
    add = columns.add_argument
    add("--column", action="append", default=[], metavar="FIELD=COLUMN",
        help="take a field from a column of another name; several times")  # fmt: skip
    add("--fold-names", action="store_true",
        help="take columns whose names differ in case, spaces and signs only")  # fmt: skip
    add("--keep", default="all", metavar="A,B", help="columns to carry along: all (default), none, "
        "or names by commas")  # fmt: skip
    add("--explain", action="store_true", help="add each feature's contribution")
    add("--interval", type=_level, metavar="SHARE", help="add the two numbers between which this "
        "share of the truths lies: 0.9, say")  # fmt: skip
    rows = parser.add_argument_group("rows")
    add = rows.add_argument
    add("--where", metavar="'COLUMN OP VALUE'", help="score only these: = != < <= > >=")
    add("--limit", type=_positive, metavar="N", help="score the first N rows, for a try")
    add("--max-rejected", type=_share, default=1.0, metavar="SHARE",
        help="end with status 3 where a larger share of rows is not valid (0.05)")  # fmt: skip
    add("--strict", action="store_true", help="end with status 3 at the first such row")
    text = parser.add_argument_group("formats")
    add = text.add_argument
    add(
        "--format", choices=("parquet", "csv", "jsonl"), help="of an output folder (default: as in)"
    )
    add("--separator", default=",", metavar="C", help="of CSV: ';', tab, ... (default: a comma)")
    add("--encoding", default="utf-8", help="of CSV and JSON lines (default: utf-8)")
    run = parser.add_argument_group("run")
    add = run.add_argument
    add("--restart", action="store_true", help="throw an unfinished run away")
    add("--overwrite", action="store_true", help="take the place of a finished run")
    add("--workers", type=_positive, metavar="N", help="threads (default: the CPUs there are)")
    add("--engine", choices=("local", "spark"), default="local",
        help="what scores: this machine (default), or Spark's executors")  # fmt: skip
    add("--master", metavar="URL", help="of Spark: spark://HOST:7077, local[2], ... (default: "
        "what its configuration says)")  # fmt: skip
    add("--log", type=Path, metavar="FILE", help="write the prediction log's lines, too")
    add("--metrics-file", type=Path, metavar="FILE", help="for the node exporter's text files")
    return parser


def _check_engine(given: argparse.Namespace) -> None:
    if given.engine != "spark" and given.master:
        raise UsageError("--master is for --engine spark")
    if given.engine == "spark" and given.workers:
        raise UsageError("--workers is for one machine; Spark's configuration names its cores")
    if given.engine == "spark" and given.limit:
        raise UsageError("--limit is for a try on one machine: leave --engine spark out")


def _level(text: str) -> float:
    try:
        return level_of(text)
    except InvalidQuery as error:
        raise argparse.ArgumentTypeError(f"{error.errors[0].problem}, got {text!r}") from error


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def _share(text: str) -> float:
    text = text.strip()
    share = float(text.rstrip("%")) / (100 if text.endswith("%") else 1)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share from 0 to 1")
    return share
