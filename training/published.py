"""Trains what others published on this data and prints their figures next to ours.

    python -m training.published
    python -m training.published --data data --quick

Each recipe is a call of the training that `train.py` makes with `--published`; nothing is kept.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from scoring.artifact.manifest import Manifest
from scoring.models import discover
from scoring.process.usage import of_docstring
from training.data.publishers import default_folder
from training.errors import TrainingError
from training.run import Options, train

JANUARY = "green/green_tripdata_2021-01.parquet"
FEBRUARY = "green/green_tripdata_2021-02.parquet"
CUSTOMERS = "telco_customer_churn.csv"

Value = float | list[list[int]]


@dataclass(frozen=True)
class Figure:
    """One published figure, where our manifest has the same, and how far apart they may be."""

    name: str
    published: Value
    ours: Callable[[Manifest], Value]
    tolerance: float
    recipe_gives: float | None = None  # where the published figure does not follow from the recipe


@dataclass(frozen=True)
class Recipe:
    """One training and the figures that were published for it."""

    model: str
    data: str
    figures: tuple[Figure, ...]
    validation: str | None = None
    estimator: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    slow: bool = False  # takes minutes


def metric(part: str, name: str) -> Callable[[Manifest], Value]:
    """Return a function that reads one metric of one part of the data from a manifest."""

    def read(manifest: Manifest) -> Value:
        value: Value = manifest.metrics[part][name]
        return value

    return read


def _ride(figure: Figure, estimator: str, **more: Any) -> Recipe:
    return Recipe("ride", JANUARY, (figure,), validation=FEBRUARY, estimator=estimator, **more)


_RMSE = metric("validation", "rmse")

# Rides: DataTalksClub, MLOps Zoomcamp, module 2. Churn: Machine Learning Bookcamp, chapters 3 to 5.
# The linear figures come from solvers that stop early: the order of the columns moves the AUC by
# 0.00001, and another BLAS the RMSE by less.
RECIPES = (
    _ride(Figure("ride, linear: RMSE", 7.758715210382775, _RMSE, 1e-4), "linear"),
    _ride(
        Figure("ride, lasso 0.01: RMSE", 11.167275941179728, _RMSE, 1e-4),
        "lasso",
        parameters={"alpha": 0.01},
    ),
    Recipe(
        "churn",
        CUSTOMERS,
        (
            Figure("churn: accuracy", 0.8016129, metric("validation", "accuracy"), 1e-6),
            Figure("churn: AUC", 0.8363381, metric("validation", "auc"), 1e-5),
            Figure(
                "churn: confusion matrix",
                [[1202, 172], [197, 289]],
                metric("validation", "confusion_matrix"),
                0,
            ),
            Figure("churn, 10 folds: AUC", 0.842, metric("cross_validation", "mean"), 5e-4),
            Figure("churn, 10 folds: +-", 0.012, metric("cross_validation", "std"), 5e-4),
        ),
        options={"folds": 10},
    ),
    Recipe(
        "churn",
        CUSTOMERS,
        (Figure("churn, C=0.5, test: AUC", 0.858, metric("test", "auc"), 5e-4),),
        parameters={"C": 0.5},
        options={"refit": True},
    ),
    _ride(
        Figure("ride, forest: RMSE", 15.137, _RMSE, 1e-3, recipe_gives=6.7558),
        "forest",
        parameters={"max_depth": 20, "min_samples_leaf": 10},
        options={"seed": 0},
        slow=True,
    ),
    _ride(
        Figure("ride, XGBoost: RMSE", 6.30398, _RMSE, 1e-3),
        "xgboost",
        parameters={
            "learning_rate": 0.09585355369315604,
            "max_depth": 30,
            "min_child_weight": 1.060597050922164,
            "reg_alpha": 0.018060244040060163,
            "reg_lambda": 0.011658731377413597,
            "n_estimators": 1000,
            "early_stopping_rounds": 50,
        },
        options={"seed": 42},
        slow=True,
    ),
)


def find(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    """Return the path of each file in `folder`; raise TrainingError naming all that are missing."""
    files = {name: folder / name for name in names}
    missing = [name for name, path in files.items() if not path.is_file()]
    if missing:
        raise TrainingError(
            f"{len(missing)} of {len(names)} files are not in {folder}: {', '.join(missing)}; "
            "`make data` downloads them, or name their folder with --data"
        )
    return files


def run(recipe: Recipe, files: dict[str, Path]) -> Manifest:
    """Train by the recipe into a temporary folder and return the manifest."""
    with tempfile.TemporaryDirectory() as output:
        return train(
            Options(
                model=discover()[recipe.model],
                data=[files[recipe.data]],
                validation=[files[recipe.validation]] if recipe.validation else [],
                estimator=recipe.estimator,
                parameters=recipe.parameters,
                output=Path(output),
                published=True,
                log=lambda _line: None,
                **recipe.options,
            )
        )


def compare(figure: Figure, manifest: Manifest) -> tuple[str, bool]:
    """Return one line of the table, and whether our figure is within the tolerance."""
    ours = figure.ours(manifest)
    expected = figure.published if figure.recipe_gives is None else figure.recipe_gives
    agrees = _distance(ours, expected) <= figure.tolerance
    verdict = f"{'agrees' if agrees else 'OFF'} (within {figure.tolerance:g}"
    if figure.recipe_gives is not None:
        verdict += f" of {expected}, which the published recipe gives"
    return _line(
        figure.name,
        _text(figure.published),
        _text(ours),
        f"{_distance(ours, figure.published):.6f}",
        f"{verdict})",
    ), agrees


def rows(recipes: Sequence[Recipe], files: dict[str, Path]) -> Iterator[tuple[str, bool]]:
    """Yield the lines of all figures, each as soon as its training is over."""
    for recipe in recipes:
        manifest = run(recipe, files)
        for figure in recipe.figures:
            yield compare(figure, manifest)


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    line = argparse.ArgumentParser(prog="python -m training.published", **of_docstring(__doc__))
    line.add_argument(
        "--data", type=Path, default=default_folder(), metavar="DIR",
        help="folder of the published files, which make data fills (default: DATA_DIR, else data)",
    )  # fmt: skip
    line.add_argument("--quick", action="store_true", help="leave out what takes minutes")
    return line


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table; exit with status 1 where a figure is off or a file is missing."""
    arguments = parser().parse_args(argv)
    recipes = [recipe for recipe in RECIPES if not (arguments.quick and recipe.slow)]
    names = [name for recipe in recipes for name in (recipe.data, recipe.validation) if name]
    try:
        files = find(arguments.data, list(dict.fromkeys(names)))
        print(_line("result", "published", "ours", "difference", "verdict"))
        verdicts = []
        for text, agrees in rows(recipes, files):
            print(text, flush=True)
            verdicts.append(agrees)
    except TrainingError as error:
        sys.exit(f"training.published: {error}")
    if not all(verdicts):
        sys.exit(f"training.published: {verdicts.count(False)} of {len(verdicts)} figures are off")


def _line(name: str, published: str, ours: str, difference: str, verdict: str) -> str:
    return f"{name:26}{published:>26}{ours:>26}{difference:>12}  {verdict}"


def _text(value: Value) -> str:
    return str(value) if isinstance(value, list) else f"{value:.9g}"


def _distance(one: Value, other: Value) -> float:
    return float(np.abs(np.asarray(one) - np.asarray(other)).max())


if __name__ == "__main__":
    main()
