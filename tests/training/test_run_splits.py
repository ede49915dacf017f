"""What a training learns from and is judged on: files, splits, folds, the threshold."""

from __future__ import annotations

from pathlib import Path

import pytest

from scoring.artifact.manifest import Manifest
from tests.training.support import (
    CHURN,
    RIDE,
    data_of,
    saved,
    silent,
    trips,
)
from training.errors import TrainingError
from training.run import Options, train

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_plots")]


def lines_of(options: Options) -> tuple[Manifest, list[str]]:
    """Train and return the manifest and every line that a person sees."""
    said: list[str] = []
    manifest = train(Options(**{**vars(options), "log": said.append}))
    return manifest, "\n".join(said).splitlines()


def test_validation_and_test_files_are_judged_apart(tmp_path: Path) -> None:
    """All of --data is learned from; each file is named with its own rows and digest."""
    paths = [saved(trips(rows), tmp_path / f"{rows}.parquet") for rows in (100, 60, 70)]
    given = silent(RIDE, paths[0], tmp_path, validation=[paths[1]], test=[paths[2]])
    manifest, lines = lines_of(given)
    assert {part: (d.name, d.rows) for part, d in manifest.data.items()} == {
        "training": ("100.parquet", 100),
        "validation": ("60.parquet", 60),
        "test": ("70.parquet", 70),
    }
    assert len({d.sha256 for d in manifest.data.values()}) == 3
    assert manifest.metrics["test"]["rows"] == 70
    assert "60.parquet: 60 of 60 rows are used" in lines


def test_without_a_test_the_validation_decides(tmp_path: Path) -> None:
    """There is then no test in the manifest."""
    paths = [saved(trips(rows), tmp_path / f"{rows}.parquet") for rows in (100, 60)]
    manifest = train(silent(RIDE, paths[0], tmp_path, validation=[paths[1]]))
    assert list(manifest.data) == ["training", "validation"]
    assert list(manifest.metrics) == ["validation"]
    assert (
        manifest.golden[1].record == trips(1)[list(RIDE.record.model_fields)].to_dict("records")[0]
    )


def test_a_test_file_alone_is_refused(tmp_path: Path) -> None:
    """Nobody can know whether the rest is to be split."""
    data = data_of(RIDE, tmp_path)
    with pytest.raises(
        TrainingError, match=r"^--test goes with --validation; without both the dat"
    ):
        train(silent(RIDE, data, tmp_path, test=[data]))


def test_a_refit_learns_from_the_validation_too(tmp_path: Path) -> None:
    """And is judged on the test alone."""
    data = data_of(RIDE, tmp_path, 390)
    plain = train(silent(RIDE, data, tmp_path))
    again = train(silent(RIDE, data, tmp_path, refit=True))
    assert list(again.metrics) == ["test"]
    assert again.sha256 != plain.sha256
    assert again.baseline["test"]["rmse"] != plain.baseline["test"]["rmse"]


def test_a_refit_without_a_test_is_refused(tmp_path: Path) -> None:
    """Nothing would be left to judge it on."""
    data = data_of(RIDE, tmp_path)
    with pytest.raises(
        TrainingError, match=r"^--refit learns from the validation data too: it needs t"
    ):
        train(silent(RIDE, data, tmp_path, validation=[data], refit=True))


def test_folds_are_kept_and_printed(tmp_path: Path) -> None:
    """Mean and deviation of the main metric, beside the other metrics."""
    data = data_of(RIDE, tmp_path)
    manifest, lines = lines_of(silent(RIDE, data, tmp_path, folds=3))
    found = manifest.metrics["cross_validation"]
    assert (found["metric"], len(found["folds"])) == ("rmse", 3)
    line = f"3-fold cross-validation: rmse {found['mean']:.6f} +- {found['std']:.6f}"
    assert line in lines
    assert list(manifest.metrics) == ["validation", "test", "cross_validation"]


def test_customers_are_split_as_the_book_did_on_request(tmp_path: Path) -> None:
    """A fifth for the test, a third of the rest for the validation, whatever the seed."""
    data = data_of(CHURN, tmp_path)
    manifest = train(silent(CHURN, data, tmp_path, published=True, seed=1))
    assert [part.rows for part in manifest.data.values()] == [214, 106, 80]
    other = train(silent(CHURN, data, tmp_path, published=True, seed=2))
    assert other.profile == manifest.profile
    drawn = train(silent(CHURN, data, tmp_path, seed=2))
    assert [part.rows for part in drawn.data.values()] == [240, 80, 80]


def test_the_threshold_is_kept_and_judged_by(tmp_path: Path) -> None:
    """A low one finds every customer who leaves, and many who do not."""
    data = data_of(CHURN, tmp_path)
    manifest = train(silent(CHURN, data, tmp_path, threshold=0.01))
    assert manifest.threshold == 0.01
    assert manifest.metrics["test"]["recall"] == 1.0
    [[_, false], [_, true]] = manifest.metrics["test"]["confusion_matrix"]
    assert false > true
    assert all(golden.answer["churn"] for golden in manifest.golden[:1])


def test_the_models_own_threshold_is_the_default(tmp_path: Path) -> None:
    """0.5 for churn."""
    assert train(silent(CHURN, data_of(CHURN, tmp_path), tmp_path)).threshold == 0.5
