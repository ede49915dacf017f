"""Trains a model, says how good it is, and writes the artifact that the service loads.

python train.py ride                                    the bundled sample
python train.py ride --months 2021-01 2021-02           published months, downloaded once
python train.py ride --data trips.csv more/             CSV or Parquet files, folders of them
python train.py churn --data telco.csv --estimator forest --param n_estimators=300
python train.py ride --search 100 --jobs 2 --resume     the best of 100 sets of parameters
python train.py ride --register                         logged to MLflow, a new version
python train.py --all --missing                         each model that has a sample and no artifact
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from scoring.artifact.manifest import MANIFEST
from scoring.errors import ArtifactError
from scoring.models import Model, discover
from scoring.process.usage import of_docstring
from training.data.download import fetch
from training.data.publishers import default_folder, months
from training.errors import TrainingError, leave, usable_model
from training.fit import estimators
from training.optional import needed_by
from training.output import add_output
from training.run import Options, train
from training.search import settings as search
from training.sources import source_of


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    models = discover()
    names = sorted(
        {n for model in models.values() for n in estimators.names(estimators.task_of(model))}
    )
    first = ", ".join(
        f"{estimators.names(estimators.task_of(m))[0]} for {m.name}" for m in models.values()
    )
    downloaded = ", ".join(m.name for m in models.values() if source_of(m).months)
    line = argparse.ArgumentParser(
        prog="train.py",
        **of_docstring(__doc__),
    )
    line.add_argument(
        "model", nargs="?", type=usable_model, choices=list(models), metavar="MODEL",
        help=", ".join(models),
    )  # fmt: skip
    line.add_argument(
        "--all", action="store_true",
        help="train every model that has a bundled sample, and say how to train the others",
    )  # fmt: skip
    line.add_argument(
        "--missing", action="store_true", help="with --all: leave alone what has an artifact"
    )
    data = line.add_argument_group("data")
    data.add_argument(
        "--data", nargs="+", type=Path, default=[], metavar="FILE",
        help="Parquet or CSV files, or folders of them, to train on (default: the bundled sample)",
    )  # fmt: skip
    data.add_argument(
        "--months", nargs="+", default=[], metavar="YYYY-MM",
        help=f"months published for {downloaded}: the last of several is the validation data",
    )  # fmt: skip
    data.add_argument(
        "--cache", type=Path, default=default_folder(), metavar="DIR",
        help="folder for downloaded months (default: DATA_DIR, else data)",
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
    fitting = line.add_argument_group("model")
    fitting.add_argument("--estimator", choices=names, help=f"default: {first}")
    fitting.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE",
        help="a parameter of the estimator; may be repeated",
    )  # fmt: skip
    fitting.add_argument(
        "--threshold", type=float, metavar="P",
        help="probability from which a class is predicted (default: the model's, 0.5)",
    )  # fmt: skip
    fitting.add_argument(
        "--calibrate", action="store_true",
        help="probabilities of two classes through a sigmoid, where that is no worse on held-out "
        "data",
    )  # fmt: skip
    fitting.add_argument(
        "--seed", type=int, default=1, help="of the split and the estimator (default: 1)"
    )
    fitting.add_argument(
        "--folds", type=int, default=0, metavar="K",
        help="also cross-validate with K folds of training and validation data",
    )  # fmt: skip
    fitting.add_argument(
        "--refit", action="store_true",
        help="learn from training and validation data together, evaluate on the test data",
    )  # fmt: skip
    search.add_options(line)
    add_output(line)
    line.add_argument(
        "--track", action="store_true",
        help="log the run to MLflow, at MLFLOW_TRACKING_URI (default: sqlite:///mlflow.db)",
    )  # fmt: skip
    line.add_argument(
        "--register", action="store_true", help="--track, and register the model as a new version"
    )
    line.add_argument(
        "--force",
        action="store_true",
        help="write the model even if a trivial one is as good",
    )
    return line


def main(argv: Sequence[str] | None = None) -> None:
    """Train one model, or all; exit with one line and status 1 if it fails, 3 if it is refused."""
    line = parser()
    arguments = line.parse_args(argv)
    _check(line, arguments)
    models = discover()
    try:
        if arguments.all:
            _train_all(models.values(), arguments)
        else:
            _train(models[arguments.model], arguments)
    except (TrainingError, ArtifactError) as error:
        leave("train.py", error)
    except KeyboardInterrupt:
        written = "what was written before stays" if arguments.all else "nothing was written"
        leave("train.py", f"stopped; {written}")


def _check(line: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Exit with status 2 where options do not go together, or a value is out of its limits."""
    alone = {name: getattr(arguments, name) for name in ("data", "months", "validation", "test")}
    alone |= {"estimator": arguments.estimator, "param": arguments.param}
    if arguments.all and (arguments.model or any(alone.values())):
        line.error(f"--all goes without MODEL, {', '.join(f'--{name}' for name in alone)}")
    if not (arguments.all or arguments.model):
        line.error("name a MODEL, or --all")
    if arguments.missing and not arguments.all:
        line.error("--missing goes with --all")
    if arguments.months and (arguments.data or not source_of(discover()[arguments.model]).months):
        downloaded = ", ".join(m.name for m in discover().values() if source_of(m).months)
        line.error(f"--months is for {downloaded}, and goes without --data")
    search.check_options(line, arguments)
    if arguments.folds and arguments.folds < 2:
        line.error("--folds takes 2 or more")
    if not 0 <= arguments.seed < 2**32:
        line.error("--seed takes a whole number from 0 to 4294967295")
    if arguments.threshold is not None and not 0 < arguments.threshold < 1:
        line.error("--threshold takes a probability between 0 and 1")


def _train_all(models: Iterable[Model], arguments: argparse.Namespace) -> None:
    for model in models:
        if arguments.missing and (arguments.output / model.name / MANIFEST).exists():
            print(f"{model.name}: {arguments.output / model.name} is there already")
        elif source_of(model).sample is None:
            command = f"python train.py {model.name} --data FILE"
            print(f"{model.name}: no bundled sample; train it with: {command}")
        else:
            _train(model, arguments)


def _train(model: Model, arguments: argparse.Namespace) -> None:
    work: Callable[[Options], object] = train
    if arguments.track or arguments.register:
        with needed_by("--register" if arguments.register else "--track"):
            from training.tracking.runs import train_tracked  # MLflow takes seconds to import
        work = partial(train_tracked, register=arguments.register)
    data, validation = arguments.data, arguments.validation
    if arguments.months:
        data = fetch(months(arguments.months), arguments.cache)
        if len(data) > 1 and not validation:
            data, validation = data[:-1], data[-1:]
    options = Options(
        model=model,
        data=data,
        validation=validation,
        test=arguments.test,
        estimator=arguments.estimator,
        parameters=estimators.parse(arguments.param),
        output=arguments.output,
        seed=arguments.seed,
        threshold=arguments.threshold,
        folds=arguments.folds,
        calibrate=arguments.calibrate,
        published=arguments.published,
        refit=arguments.refit,
        force=arguments.force,
        max_dropped=arguments.max_dropped,
        search=search.settings_of(arguments),
    )
    work(options)


if __name__ == "__main__":
    main()
