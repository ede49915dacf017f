"""Make a Parquet file of prediction logs.

    python -m training.predictionlog log.jsonl --output predictions.parquet
    python -m training.predictionlog log.jsonl log.jsonl.1 --model ride --output rides.parquet

docs/prediction-log.md says what a line holds.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from scoring.observers.log_lines import SCHEMA
from scoring.process.atomic_files import replacing
from scoring.process.usage import of_docstring
from scoring.values.shares import flat
from training.errors import TrainingError

_PLAIN: Final = ("time", "request_id", "key", "version", "digest", "index", "score", "unseen")


def rows(path: Path, model: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield the lines of `path`, those of `model` if one is given, as flat dictionaries.

    Raises TrainingError for what is no line of a prediction log.
    """
    with path.open(encoding="utf-8") as file:
        for number, text in enumerate(file, start=1):
            try:
                line = json.loads(text)
                if line["schema"] != SCHEMA:
                    raise TrainingError(
                        f"{path}, line {number}: its schema is {line['schema']}, not {SCHEMA}"
                    )
                if line.get("kind") in ("feedback", "refused"):
                    continue  # what came true, what was refused: `monitoring` reads it
                line.setdefault("key", None)  # a request without one
                plain = {name: line[name] for name in _PLAIN}
                made = {"model": line["model"], **plain, **line["features"], **flat(line["result"])}
            except (ValueError, TypeError, KeyError) as error:
                raise TrainingError(
                    f"{path}, line {number}: it is not a line of a prediction log"
                ) from error
            if model in (None, line["model"]):
                yield made


def table(paths: Sequence[Path], model: str | None = None) -> pd.DataFrame:
    """Return one row for each prediction, in the order of time.

    Raises TrainingError where the files hold several models and none is chosen: their columns have
    nothing in common.
    """
    found = pd.DataFrame([row for path in paths for row in rows(path, model)])
    if found.empty:
        raise TrainingError("there is no such prediction in these files")
    if found["model"].nunique() > 1:
        there = ", ".join(sorted(found["model"].unique()))
        raise TrainingError(f"the files hold several models; choose one by --model: {there}")
    found["time"] = pd.to_datetime(found["time"], utc=True)
    return found.drop(columns="model").sort_values("time", ignore_index=True)


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    line = argparse.ArgumentParser(prog="python -m training.predictionlog", **of_docstring(__doc__))
    line.add_argument("files", nargs="+", type=Path, metavar="FILE", help="JSON lines")
    line.add_argument("--model", help="take the predictions of this one alone")
    line.add_argument("--output", type=Path, required=True, help="Parquet file to write")
    return line


def main(argv: Sequence[str] | None = None) -> int:
    """Write the table and return the status of the process."""
    arguments = parser().parse_args(argv)
    try:
        predictions = table(arguments.files, arguments.model)
        with replacing(arguments.output) as file:
            predictions.to_parquet(file, index=False)
    except (TrainingError, OSError) as error:
        print(f"predictionlog: {error}", file=sys.stderr)
        return 1
    print(f"{len(predictions)} predictions in {arguments.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
