"""Trains a model, says how good it is, and writes the artifact that the service loads.

python train.py ride                                    the bundled sample
python train.py ride --months 2021-01 2021-02           published months, downloaded once
python train.py churn --data telco.csv --estimator forest --param n_estimators=300
python train.py ride --register                         logged to MLflow, a new version
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from scoring.errors import ArtifactError
from scoring.models import discover
from training import estimators
from training.datasets import source_of
from training.download import DownloadError, fetch
from training.errors import TrainingError
from training.fit import Options, train


def parser() -> argparse.ArgumentParser:
    """Gives the command line's parser."""
    models = discover()
    names = sorted({n for model in models.values() for n in estimators.names(model.task)})
    first = ", ".join(f"{estimators.names(m.task)[0]} for {m.name}" for m in models.values())
    described, *_, examples = (__doc__ or "").split("\n\n")
    line = argparse.ArgumentParser(
        prog="train.py",
        description=described,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    line.add_argument("model", choices=list(models), metavar="MODEL", help=", ".join(models))
    data = line.add_argument_group("data")
    data.add_argument(
        "--data", nargs="+", type=Path, default=[], metavar="FILE",
        help="parquet or CSV files to train on (default: the bundled sample)",
    )  # fmt: skip
    data.add_argument(
        "--months", nargs="+", default=[], metavar="YYYY-MM",
        help="published taxi months: the last of several is the validation data",
    )  # fmt: skip
    data.add_argument(
        "--cache", type=Path, default=Path("data"), metavar="DIR",
        help="where downloaded months are kept (default: %(default)s)",
    )  # fmt: skip
    data.add_argument(
        "--validation", nargs="+", type=Path, default=[], metavar="FILE",
        help="files to validate on (default: a part of the data)",
    )  # fmt: skip
    data.add_argument(
        "--test", nargs="+", type=Path, default=[], metavar="FILE",
        help="files to test on, with --validation",
    )  # fmt: skip
    data.add_argument(
        "--max-dropped", type=float, default=0.2, metavar="SHARE",
        help="stop where a larger share of the rows is unusable (default: %(default)s)",
    )  # fmt: skip
    data.add_argument(
        "--published", action="store_true",
        help="prepare and split the data as the published results did: churn by the book's split, "
        "rides with distances beyond the service's limit",
    )  # fmt: skip
    how = line.add_argument_group("model")
    how.add_argument("--estimator", choices=names, help=f"default: {first}")
    how.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE",
        help="a parameter of the estimator; may be repeated",
    )  # fmt: skip
    how.add_argument(
        "--threshold", type=float, metavar="P",
        help="probability from which a class is predicted (default: the model's, 0.5)",
    )  # fmt: skip
    how.add_argument(
        "--seed", type=int, default=1, help="of the split and the estimator (default: 1)"
    )
    how.add_argument(
        "--folds", type=int, default=0, metavar="K",
        help="also cross-validate with K folds of training and validation data",
    )  # fmt: skip
    how.add_argument(
        "--refit", action="store_true",
        help="learn from training and validation data together, evaluate on the test data",
    )  # fmt: skip
    line.add_argument(
        "--output", type=Path, default=Path("models"), metavar="DIR",
        help="writes DIR/MODEL/ (default: %(default)s)",
    )  # fmt: skip
    line.add_argument(
        "--track", action="store_true",
        help="log the run to MLflow, at MLFLOW_TRACKING_URI (default: sqlite:///mlflow.db)",
    )  # fmt: skip
    line.add_argument(
        "--register", action="store_true", help="--track, and register the model as a new version"
    )
    line.add_argument(
        "--force", action="store_true", help="write the model even if it is no better than trivial"
    )
    return line


def main(words: Sequence[str] | None = None) -> None:
    """Runs one training; exits with status 1 and one line where it cannot."""
    line = parser()
    given = line.parse_args(words)
    model = discover()[given.model]
    if given.months and (given.data or not source_of(model).months):
        line.error("--months is for ride, and goes without --data")
    if given.folds and given.folds < 2:
        line.error("--folds takes 2 or more")
    if not 0 <= given.seed < 2**32:
        line.error("--seed takes a whole number from 0 to 4294967295")
    if given.threshold is not None and not 0 < given.threshold < 1:
        line.error("--threshold takes a probability between 0 and 1")
    try:
        data, validation = given.data, given.validation
        if given.months:
            data = fetch(given.months, given.cache)
            if len(data) > 1 and not validation:
                data, validation = data[:-1], data[-1:]
        options = Options(
            model=model,
            data=data,
            validation=validation,
            test=given.test,
            estimator=given.estimator,
            parameters=estimators.parse(given.param),
            output=given.output,
            seed=given.seed,
            threshold=given.threshold,
            folds=given.folds,
            published=given.published,
            refit=given.refit,
            force=given.force,
            max_dropped=given.max_dropped,
        )
        if given.track or given.register:
            from training.tracking import train_tracked  # MLflow takes seconds to import

            train_tracked(options, register=given.register)
        else:
            train(options)
    except (TrainingError, DownloadError, ArtifactError) as error:
        sys.exit(f"train.py: {error}")
    except KeyboardInterrupt:
        sys.exit("train.py: stopped; nothing was written")


if __name__ == "__main__":
    main()
