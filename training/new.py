"""Make a model of a table: write its model file, and train it.

    python -m training.new gratuity --data tips.csv --target tip

What is guessed is printed: which columns are fields, of what kind and within which limits, and
which are left out. The file is yours to change; `python train.py gratuity --data tips.csv` trains
it again.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from scoring.errors import ArtifactError, SettingsError
from scoring.models import discover
from scoring.process.usage import of_docstring
from training.data.tables import read_raw
from training.errors import TrainingError, leave
from training.output import add_output
from training.run import Options, train
from training.sketch.model_file import write_model_file
from training.sketch.table import sketch_of_table


def model_name(text: str) -> str:
    """Return a name that a new model may have; raise ArgumentTypeError for any other."""
    if not (text.isidentifier() and text.islower() and text.isascii()):
        raise argparse.ArgumentTypeError(f"'{text}' is not in lower case letters, digits and _")
    return text


def new(name: str, data: Sequence[Path], target: str, output: Path, estimator: str | None) -> None:
    """Write the model file and the artifact of a table. Raises TrainingError or ArtifactError where
    that cannot be; the model file is not left behind then."""
    if name in discover():
        raise TrainingError(f"there is a model '{name}' already: python train.py {name} trains it")
    origin = ", ".join(path.name for path in data)
    sketch = sketch_of_table(name, read_raw(data), target, origin)
    print(*sketch.notes, sep="\n")
    model, path = write_model_file(sketch)
    print(f"wrote {path}: look it through")
    try:
        train(Options(model=model, data=data, output=output, estimator=estimator, log=print))
    except Exception:
        path.unlink()
        raise


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    line = argparse.ArgumentParser(prog="python -m training.new", **of_docstring(__doc__))
    line.add_argument("model", type=model_name, metavar="NAME", help="name of the new model")
    line.add_argument(
        "--data",
        nargs="+",
        type=Path,
        required=True,
        metavar="FILE",
        help="Parquet or CSV files with the columns and the target",
    )
    line.add_argument("--target", required=True, metavar="COLUMN", help="the column to predict")
    line.add_argument("--estimator", metavar="NAME", help="estimator, as in train.py")
    add_output(line, "NAME")
    return line


def main(words: Sequence[str] | None = None) -> None:
    """Make one model; exits with status 1, or 3 where a limit refused it, and one line."""
    given = parser().parse_args(words)
    try:
        new(given.model, given.data, given.target, given.output, given.estimator)
    except (ArtifactError, SettingsError, TrainingError) as error:
        leave("training.new", error)


if __name__ == "__main__":
    main()
