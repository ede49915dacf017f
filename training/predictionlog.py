"""Makes a table of prediction logs: `python -m training.predictionlog FILE... --output FILE`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from scoring.predictionlog.line import SCHEMA
from training.errors import TrainingError

_PLAIN: Final = ("time", "request_id", "version", "digest", "index", "score", "unseen")


def rows(path: Path, model: str | None = None) -> Iterator[dict[str, Any]]:
    """Gives the lines of `path` (of `model`, if one is given) as flat dictionaries, which also name
    the model. Raises TrainingError for what is no line of a prediction log."""
    with path.open(encoding="utf-8") as file:
        for number, text in enumerate(file, start=1):
            try:
                line = json.loads(text)
                if line["schema"] != SCHEMA:
                    raise TrainingError(
                        f"{path}, line {number}: its schema is {line['schema']}, not {SCHEMA}"
                    )
                plain = {name: line[name] for name in _PLAIN}
                flat = {"model": line["model"], **plain, **line["features"], **line["result"]}
            except (ValueError, TypeError, KeyError) as error:
                raise TrainingError(
                    f"{path}, line {number}: it is no line of a prediction log"
                ) from error
            if model in (None, line["model"]):
                yield flat


def table(paths: Sequence[Path], model: str | None = None) -> pd.DataFrame:
    """Gives one row a prediction, in the order of time. Raises TrainingError where the files hold
    several models and none is chosen: their columns have nothing in common."""
    found = pd.DataFrame([row for path in paths for row in rows(path, model)])
    if found.empty:
        raise TrainingError("there is no such prediction in these files")
    if found["model"].nunique() > 1:
        there = ", ".join(sorted(found["model"].unique()))
        raise TrainingError(f"the files hold several models; choose one by --model: {there}")
    found["time"] = pd.to_datetime(found["time"], utc=True)
    return found.drop(columns="model").sort_values("time", ignore_index=True)


def main(words: Sequence[str] | None = None) -> int:
    """Writes the table and gives the status of the process."""
    parser = argparse.ArgumentParser(
        prog="python -m training.predictionlog",
        description="Makes a Parquet file of prediction logs (docs/prediction-log.md).",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="JSON lines")
    parser.add_argument("--model", help="take the predictions of this one alone")
    parser.add_argument("--output", type=Path, required=True, help="Parquet file to write")
    given = parser.parse_args(words)
    aside = given.output.with_name(f".{given.output.name}.part")
    try:
        made = table(given.files, given.model)
        made.to_parquet(aside, index=False)
        aside.replace(given.output)
    except (TrainingError, OSError) as error:
        aside.unlink(missing_ok=True)
        print(f"predictionlog: {error}", file=sys.stderr)
        return 1
    print(f"{len(made)} predictions in {given.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
