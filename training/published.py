"""Trains what others published on this data and prints their figures next to ours.

    python -m training.published [--data DIR] [--quick]

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

from scoring.artifact import Manifest
from scoring.models import discover
from training.errors import TrainingError
from training.fit import Options, train

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

JANUARY = "green_tripdata_2021-01.parquet"
FEBRUARY = "green_tripdata_2021-02.parquet"
CUSTOMERS = "telco_customer_churn.csv"

_PUBLISHERS = {
    JANUARY: "https://d37ci6vzurychx.cloudfront.net/trip-data/" + JANUARY,
    FEBRUARY: "https://d37ci6vzurychx.cloudfront.net/trip-data/" + FEBRUARY,
    CUSTOMERS: "IBM's Telco customer churn sample, WA_Fn-UseC_-Telco-Customer-Churn.csv",
}

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
    """Gives what reads one metric of one part of the data from a manifest."""

    def read(manifest: Manifest) -> Value:
        value: Value = manifest.metrics[part][name]
        return value

    return read


def _ride(figure: Figure, estimator: str, **more: Any) -> Recipe:
    return Recipe("ride", JANUARY, (figure,), validation=FEBRUARY, estimator=estimator, **more)


_RMSE = metric("validation", "rmse")

# Rides: DataTalksClub, MLOps Zoomcamp, module 2. Churn: Machine Learning Bookcamp, chapters 3 to 5.
# The linear figures are those of solvers that stop early: the order of the columns moves the AUC by
# 0.00001, another BLAS the RMSE by less.
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
    """Gives the path of each file, in `folder` or in its `green`. Raises TrainingError that names
    all that are not there, and where they come from."""
    places = {name: [folder / name, folder / "green" / name] for name in names}
    found = {name: p for name, paths in places.items() for p in reversed(paths) if p.is_file()}
    missing = [f"\n  {name} ({_PUBLISHERS[name]})" for name in names if name not in found]
    if missing:
        raise TrainingError(
            f"{len(missing)} of {len(names)} files are not in {folder}; name their folder with "
            f"--data and the files:{''.join(missing)}"
        )
    return found


def run(recipe: Recipe, files: dict[str, Path]) -> Manifest:
    """Trains by the recipe into a folder that is gone afterwards, and gives the manifest."""
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
                say=lambda _line: None,
                **recipe.options,
            )
        )


def compare(figure: Figure, manifest: Manifest) -> tuple[str, bool]:
    """Gives one line of the table, and whether ours is what it must be."""
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
    """Gives the lines of all figures, each as soon as its training is over."""
    for recipe in recipes:
        manifest = run(recipe, files)
        for figure in recipe.figures:
            yield compare(figure, manifest)


def main(words: Sequence[str] | None = None) -> None:
    """Prints the table; exits with status 1 where a figure is off or the data is not there."""
    line = argparse.ArgumentParser(
        prog="python -m training.published", description=(__doc__ or "").partition("\n")[0]
    )
    line.add_argument(
        "--data", type=Path, default=DATA, metavar="DIR",
        help="where the published files are (default: ../shared/data beside the project)",
    )  # fmt: skip
    line.add_argument("--quick", action="store_true", help="leave out what takes minutes")
    given = line.parse_args(words)
    recipes = [recipe for recipe in RECIPES if not (given.quick and recipe.slow)]
    names = [name for recipe in recipes for name in (recipe.data, recipe.validation) if name]
    try:
        files = find(given.data, list(dict.fromkeys(names)))
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
