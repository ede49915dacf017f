"""Which of two candidates is trained: the default's contest, and calibrations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scoring.models import discover
from scoring.predictor import Predictor
from tests.training.support import CHURN, RIDE, data_of, silent
from training import contest
from training.errors import TrainingError
from training.run import Options, train

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_plots", "one_thread")]


@pytest.mark.long
@pytest.mark.parametrize(("name", "parameters"), [("boosting", {"max_iter": 60}), ("logistic", {})])
def test_a_calibration_is_kept_where_it_is_no_worse(
    name: str, parameters: dict[str, object], tmp_path: Path
) -> None:
    """On the validation data of the bundled customers; a line tells both Brier scores and AUCs."""
    said: list[str] = []
    found = {}
    for calibrate in (False, True):
        options = Options(
            model=CHURN, estimator=name, parameters=dict(parameters), calibrate=calibrate,
            output=tmp_path / str(calibrate), log=said.append,
        )  # fmt: skip
        found[calibrate] = train(options)
    plain, calibrated = (found[key].metrics["validation"] for key in (False, True))
    assert calibrated["brier"] <= plain["brier"]
    assert calibrated["auc"] == pytest.approx(plain["auc"], abs=1e-5)
    [line] = [line for line in said if "calibrated: on the validation data" in line]
    kept = found[True].estimator == "CalibratedClassifierCV"
    assert line.startswith("calibrated") == kept
    predictor = Predictor.from_folder(tmp_path / "True" / "churn", CHURN)
    assert predictor.manifest.compiled is not None
    if name == "boosting":  # surer of itself than it may be
        assert kept


def test_a_calibration_that_is_worse_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was fitted first is written then, which the line says."""

    class Worse:
        classes_ = (0, 1)

        def fit(self, *_: object) -> None:
            pass

        def predict_proba(self, x: np.ndarray) -> np.ndarray:
            return np.full((x.shape[0], 2), 0.5)

    monkeypatch.setattr(contest, "calibrated", lambda _estimator, _seed: Worse())
    said: list[str] = []
    manifest = train(Options(model=CHURN, calibrate=True, output=tmp_path, log=said.append))
    assert manifest.estimator == "LogisticRegression"
    assert any(line.startswith("not calibrated: on the validation data") for line in said)


def test_a_calibration_is_of_two_classes(tmp_path: Path) -> None:
    """A number has none."""
    data = data_of(discover()["ride"], tmp_path)
    with pytest.raises(TrainingError, match="--calibrate is for models of two classes; 'ride'"):
        train(silent(RIDE, data, tmp_path, calibrate=True))
