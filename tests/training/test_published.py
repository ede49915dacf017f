"""The published results: the table, and the figures themselves where the real data is."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from scoring.artifact.manifest import Manifest
from tests.support import DATA_DIR, needs_real_data
from tests.training.support import customers, saved, trips
from training import published
from training.data.publishers import FILES, default_folder
from training.errors import TrainingError
from training.published import CUSTOMERS, FEBRUARY, JANUARY, Figure, Recipe, metric

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_plots")]

RMSE = metric("validation", "rmse")
RIDES = Recipe("ride", JANUARY, (), validation=FEBRUARY, estimator="ridge")
CHURN = Recipe("churn", CUSTOMERS, (), parameters={"C": 0.5}, options={"refit": True})

# What was published, written down once more: (recipe, metric of the manifest) -> value, tolerance.
EXPECTED: dict[str, dict[tuple[str, str], tuple[Any, float]]] = {
    "ride linear": {("validation", "rmse"): (7.758715210382775, 1e-4)},
    "ride lasso alpha=0.01": {("validation", "rmse"): (11.167275941179728, 1e-4)},
    "churn folds=10": {
        ("validation", "accuracy"): (0.8016129, 1e-6),
        ("validation", "auc"): (0.8363381, 1e-5),
        ("validation", "confusion_matrix"): ([[1202, 172], [197, 289]], 0),
        ("cross_validation", "mean"): (0.842, 5e-4),
        ("cross_validation", "std"): (0.012, 5e-4),
    },
    "churn C=0.5 refit=True": {("test", "auc"): (0.858, 5e-4)},
}


def title(recipe: Recipe) -> str:
    """Return what tells one recipe from another."""
    more = [f"{k}={v}" for k, v in {**recipe.parameters, **recipe.options}.items()]
    return " ".join([recipe.model, *([recipe.estimator] if recipe.estimator else []), *more])


QUICK = {title(recipe): recipe for recipe in published.RECIPES if not recipe.slow}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with small files of the published names."""
    (tmp_path / JANUARY).parent.mkdir()
    for name in (JANUARY, FEBRUARY):
        saved(trips(200), tmp_path / name)
    saved(customers(), tmp_path / CUSTOMERS)
    return tmp_path


def table_of(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    *recipes: Recipe,
) -> list[str]:
    """Return the lines that are printed for these recipes instead of the published ones."""
    monkeypatch.setattr(published, "RECIPES", recipes)
    published.main(words)
    return capsys.readouterr().out.splitlines()


def ours(recipe: Recipe, data: Path) -> Manifest:
    return published.run(recipe, {name: data / name for name in (JANUARY, FEBRUARY, CUSTOMERS)})


def with_figure(recipe: Recipe, *figures: Figure, slow: bool = False) -> Recipe:
    return dataclasses.replace(recipe, figures=figures, slow=slow)


@pytest.mark.long
@needs_real_data(JANUARY, FEBRUARY, CUSTOMERS)
@pytest.mark.parametrize("name", EXPECTED)
def test_what_was_published_comes_out_of_the_real_data(name: str) -> None:
    """By the training of train.py, and the table says so."""
    recipe = QUICK[name]
    needed = [n for n in (recipe.data, recipe.validation) if n]
    manifest = published.run(recipe, published.find(DATA_DIR, needed))
    for (part, key), (value, tolerance) in EXPECTED[name].items():
        found = manifest.metrics[part][key]
        assert found == (pytest.approx(value, abs=tolerance) if tolerance else value), key
    lines = [published.compare(figure, manifest) for figure in recipe.figures]
    assert len(lines) == len(EXPECTED[name])
    assert all(agrees for _, agrees in lines), lines


def test_every_quick_figure_is_held_by_a_test() -> None:
    """A recipe that is added to the table is added here, too."""
    assert set(QUICK) == set(EXPECTED)


def test_what_takes_minutes_has_the_published_parameters() -> None:
    """XGBoost with a thousand rounds at most, and the forest."""
    slow = {recipe.estimator: recipe for recipe in published.RECIPES if recipe.slow}
    assert set(slow) == {"xgboost", "forest"}
    assert slow["xgboost"].options == {"seed": 42}
    assert slow["xgboost"].figures[0].published == 6.30398
    assert slow["forest"].figures[0].recipe_gives == 6.7558


def test_a_figure_that_agrees_is_printed_beside_ours(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Published, ours, difference, verdict; nothing is kept of the training."""
    value = ours(RIDES, data).metrics["validation"]["rmse"]
    monkeypatch.chdir(data)
    before = sorted(data.iterdir())
    figure = Figure("rides: RMSE", value + 0.001, RMSE, 0.01)
    head, line = table_of(monkeypatch, capsys, ["--data", str(data)], with_figure(RIDES, figure))
    assert head.split() == ["result", "published", "ours", "difference", "verdict"]
    row = f"rides: RMSE {value + 0.001:.9g} {value:.9g} 0.001000 agrees (within 0.01)"
    assert line.split() == row.split()
    assert sorted(data.iterdir()) == before


def test_a_figure_that_is_off_fails(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others are printed all the same; the command ends with status 1."""
    value = ours(RIDES, data).metrics["validation"]["rmse"]
    figures = (
        Figure("bad", value + 0.02, RMSE, 0.01),
        Figure("good", value, RMSE, 0.01),
    )
    with pytest.raises(SystemExit) as caught:
        table_of(monkeypatch, capsys, ["--data", str(data)], with_figure(RIDES, *figures))
    assert caught.value.code == "training.published: 1 of 2 figures are off"
    _, bad, good = capsys.readouterr().out.splitlines()
    assert "0.020000  OFF (within 0.01)" in bad
    assert "0.000000  agrees (within 0.01)" in good


@pytest.mark.parametrize(("gives", "verdict"), [(4.0, "agrees"), (4.1, "OFF")])
def test_a_figure_that_does_not_follow_from_its_recipe_is_held_to_the_recipe(
    gives: float, verdict: str
) -> None:
    """The difference is still that to the published one."""
    figure = Figure("forest", 15.0, lambda _: 4.0005, 0.001, recipe_gives=gives)
    line, agrees = published.compare(figure, None)  # type: ignore[arg-type]
    assert agrees is (verdict == "agrees")
    reason = f"{verdict} (within 0.001 of {gives}, which the published recipe gives)"
    assert line.endswith(f"  {reason}")
    assert line.split()[:4] == ["forest", "15", "4.0005", "10.999500"]


@pytest.mark.parametrize(("corner", "agrees"), [(289, True), (288, False)])
def test_a_matrix_agrees_in_every_place(corner: int, agrees: bool) -> None:
    """One customer more or less is off."""
    figure = Figure("matrix", [[1, 2], [3, 289]], lambda _: [[1, 2], [3, corner]], 0)
    line, verdict = published.compare(figure, None)  # type: ignore[arg-type]
    assert verdict is agrees
    assert f"[[1, 2], [3, {corner}]]" in line


def test_the_quick_table_leaves_out_what_takes_minutes(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And asks for the files of the others only."""
    (data / CUSTOMERS).unlink()
    value = ours(RIDES, data).metrics["validation"]["rmse"]
    quick = with_figure(RIDES, Figure("quick", value, RMSE, 0.01))
    slow = with_figure(CHURN, Figure("slow", 0.5, metric("test", "auc"), 1), slow=True)
    lines = table_of(monkeypatch, capsys, ["--data", str(data), "--quick"], quick, slow)
    assert [line.split()[0] for line in lines] == ["result", "quick"]
    with pytest.raises(SystemExit, match=rf"^training\.published: 1 of 3 files .*: {CUSTOMERS};"):
        published.main(["--data", str(data)])


def test_recipes_use_the_published_split(data: Path) -> None:
    """The book's, and the parameters of the recipe."""
    manifest = ours(CHURN, data)
    assert [part.rows for part in manifest.data.values()] == [214, 106, 80]
    assert manifest.parameters["C"] == 0.5
    assert list(manifest.metrics) == ["test"]


def test_files_that_are_missing_are_named(tmp_path: Path) -> None:
    """All at once, with the command that downloads them."""
    (tmp_path / CUSTOMERS).write_text("")
    with pytest.raises(TrainingError) as caught:
        published.find(tmp_path, [JANUARY, FEBRUARY, CUSTOMERS])
    assert str(caught.value) == (
        f"2 of 3 files are not in {tmp_path}: {JANUARY}, {FEBRUARY}; "
        "`make data` downloads them, or name their folder with --data"
    )


def test_the_data_is_looked_for_where_make_data_puts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """DATA_DIR, else `data`; what is needed is among the files that the command downloads."""
    monkeypatch.delenv("DATA_DIR", raising=False)
    assert default_folder() == Path("data")
    monkeypatch.setenv("DATA_DIR", "/elsewhere")
    assert default_folder() == Path("/elsewhere")
    assert {JANUARY, FEBRUARY, CUSTOMERS} <= FILES.keys()
