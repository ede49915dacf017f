"""Take in a model that was saved elsewhere, such as a tutorial's `lin_reg.bin`.

    python -m training.adopt ride lin_reg.bin
    python -m training.adopt ride dv.pkl model.joblib   the parts in files of their own
    python -m training.adopt ride models.pkl --pick ridge   one of several models in a file
    python -m training.adopt gratuity x.pkl --data tips.csv --target tip   without a model file
    python -m training.adopt ride models/ride   an artifact of before compiled forms gets its own

A file is never run. It is read as data, the pair in it is found, loaded through the service's
allow-list, checked for the features that the model's code makes, tried on the example, and written
with a manifest of its own.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from scoring.artifact.manifest import MANIFEST
from scoring.artifact.writing import compile_again
from scoring.compiler.compile import NotCompiled
from scoring.errors import ArtifactError
from scoring.models import discover
from scoring.process.usage import of_docstring
from training.adoption.take_in import Options, adopt
from training.adoption.unknown import adopt_unknown
from training.errors import TrainingError, leave, usable_model
from training.new import model_name
from training.optional import needed_by
from training.output import add_output


def probability(text: str) -> float:
    """Return the number from 0 to 1 that `text` holds; argparse reports what is wrong."""
    value = float(text)
    if not 0 <= value <= 1:  # NaN is neither
        raise ValueError(text)
    return value


def _name(text: str) -> str:
    return usable_model(model_name(text))


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    models = discover()
    line = argparse.ArgumentParser(
        prog="python -m training.adopt",
        **of_docstring(__doc__),
    )
    line.add_argument(
        "model", type=_name, metavar="MODEL",
        help=f"{', '.join(models)}, or the name of a new one, whose model file is guessed then",
    )  # fmt: skip
    line.add_argument(
        "--data", type=Path, nargs="+", default=[], metavar="TABLE",
        help="Parquet or CSV files to measure it on, and to guess a new model's fields from",
    )  # fmt: skip
    line.add_argument("--target", metavar="COLUMN", help="the column of the data that it predicts")
    line.add_argument(
        "files", type=Path, nargs="+", metavar="FILE",
        help="pickle, joblib or skops files of the DictVectorizer and the model, a folder of "
        "MLflow's, or an artifact's folder",
    )  # fmt: skip
    line.add_argument("--pick", metavar="NAME", help="which model, where the files hold several")
    add_output(line)
    line.add_argument(
        "--threshold", type=probability, metavar="P",
        help="probability from which a class is predicted (default: the model's)",
    )  # fmt: skip
    line.add_argument(
        "--positive", metavar="CLASS",
        help="class whose probability is answered, where the names of the classes do not tell",
    )  # fmt: skip
    line.add_argument(
        "--expect", action="append", default=[], metavar="FILE=ANSWER",
        help="a record as JSON and what the model answers to it: refused where it does not",
    )  # fmt: skip
    line.add_argument(
        "--other-version", action="store_true",
        help="load what another scikit-learn version saved and cannot be read as data: its "
        "predictions may differ",
    )  # fmt: skip
    return line


def main(words: Sequence[str] | None = None) -> None:
    """Take in one model; exits with status 1 and one line where it cannot."""
    line = parser()
    given = line.parse_args(words)
    model = discover().get(given.model)
    options = Options(
        output=given.output,
        pick=given.pick,
        threshold=given.threshold,
        positive=given.positive,
        other_version=given.other_version,
        expect=tuple(given.expect),
        data=tuple(given.data),
        target=given.target,
    )
    try:
        if model is None:
            manifest = adopt_unknown(given.model, given.files, options)
        elif given.files[0].suffix == ".onnx" and len(given.files) == 1:
            with needed_by("an ONNX file"):
                from training.adoption.onnx_back import adopt_onnx
            manifest = adopt_onnx(model, given.files[0], options)
        elif not (given.files[0] / MANIFEST).is_file():
            manifest = adopt(model, given.files, options)
        elif len(given.files) > 1 or options != Options(output=given.output):
            line.error(
                "an artifact keeps its threshold and its pair: give the pickle in it instead"
            )
        else:
            manifest = compile_again(given.files[0], given.output, model, print)
    except TrainingError as error:
        leave("training.adopt", error)
    except (ArtifactError, NotCompiled) as error:
        sys.exit(f"training.adopt: {error}")
    print(f"wrote {given.output / given.model}: version {manifest.version}")


if __name__ == "__main__":
    main()
