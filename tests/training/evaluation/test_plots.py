"""The plots: files that a person can open."""

from __future__ import annotations

import struct
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from scoring.models import Model
from tests.training.support import CHURN, RIDE
from training.evaluation import plots
from training.sources import Source, source_of

RIDE_PLOTS = ["predicted_against_actual.png", "error_by_trip_distance.png"]
CHURN_PLOTS = ["roc.png", "precision_recall.png", "calibration.png", "confusion_matrix.png"]


def rows(model: Model, count: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return truth and scores that agree by and large."""
    random = np.random.default_rng(0)
    if model is CHURN:
        truth = random.integers(0, 2, count)
        return pd.DataFrame({"churn": truth}), (truth + random.random(count)) / 2
    miles = random.random(count) * 30
    frame = pd.DataFrame({"trip_distance": miles, "duration": 1 + 2 * miles})
    return frame, 1 + 2 * miles + random.normal(0, 3, count)


def draw(
    folder: Path,
    model: Model,
    count: int = 200,
    source: Source | None = None,
    threshold: float = 0.5,
) -> list[str]:
    frame, scores = rows(model, count)
    return plots.draw(folder, model, source or source_of(model), frame, scores, threshold)


def size(path: Path) -> tuple[int, int]:
    """Return width and height of a PNG in pixels; fail if it is not a PNG."""
    body = path.read_bytes()
    assert body.startswith(b"\x89PNG\r\n\x1a\n")
    assert body[12:16] == b"IHDR"
    assert body.endswith(b"IEND\xaeB`\x82")
    width, height = struct.unpack(">II", body[16:24])
    return width, height


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "names"), [(RIDE, RIDE_PLOTS), (CHURN, CHURN_PLOTS)], ids=["ride", "churn"]
)
def test_there_is_a_png_of_each_name(model: Model, names: list[str], tmp_path: Path) -> None:
    """The names that are given back are the files that are there, each with a picture."""
    assert draw(tmp_path, model) == names
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    for name in names:
        width, height = size(tmp_path / name)
        assert width >= 480
        assert height >= 400
        assert (tmp_path / name).stat().st_size > 5000
    assert len({(tmp_path / name).read_bytes() for name in names}) == len(names)


@pytest.mark.slow
def test_a_source_without_bands_has_no_error_by_band(tmp_path: Path) -> None:
    """One plot fewer."""
    plain = Source(tidy=lambda frame: frame)
    assert draw(tmp_path, RIDE, source=plain) == ["predicted_against_actual.png"]
    assert [path.name for path in tmp_path.iterdir()] == ["predicted_against_actual.png"]


@pytest.mark.slow
def test_the_same_data_draws_the_same_bytes(tmp_path: Path) -> None:
    """Only the confusion matrix knows of the threshold."""
    for threshold in (0.5, 0.7):
        (tmp_path / f"{threshold}").mkdir()
        draw(tmp_path / f"{threshold}", CHURN, threshold=threshold)
    same = {
        name: (tmp_path / "0.5" / name).read_bytes() == (tmp_path / "0.7" / name).read_bytes()
        for name in CHURN_PLOTS
    }
    assert same == {name: name != "confusion_matrix.png" for name in CHURN_PLOTS}


@pytest.mark.slow
def test_a_hundred_thousand_points_are_thinned_out() -> None:
    """More only blacken the paper; first and last are among those that are drawn."""
    frame, scores = rows(RIDE, 100_000)
    figure = plots._regression(
        RIDE, Source(tidy=lambda f: f), frame, frame["duration"].to_numpy(), scores
    )["predicted_against_actual.png"]
    points = np.asarray(figure.axes[0].collections[0].get_offsets())
    assert len(points) == 5000
    assert points[0].tolist() == [frame["duration"].iloc[0], scores[0]]
    assert points[-1].tolist() == [frame["duration"].iloc[-1], scores[-1]]


@pytest.mark.parametrize(("threshold", "counts"), [(0.5, [1, 1, 0, 2]), (0.7, [2, 0, 1, 1])])
def test_the_confusion_matrix_is_that_of_the_threshold(threshold: float, counts: list[int]) -> None:
    """True negatives, false positives, false negatives, true positives."""
    truth, scores = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.5, 0.6, 0.7])
    figure = plots._classification(truth, scores, threshold)["confusion_matrix.png"]
    axes = figure.axes[0]
    assert axes.get_title() == f"Confusion matrix at {threshold}"
    assert [int(text.get_text()) for text in axes.texts] == counts


@pytest.mark.slow
def test_nothing_stays_open(tmp_path: Path) -> None:
    """Figures are not kept by pyplot, where they would pile up."""
    draw(tmp_path, RIDE, source=Source(tidy=lambda frame: frame))
    assert plt.get_fignums() == []
