"""Boosting on target means, on the published rides."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from scoring.predictor import Predictor
from scoring.scorers.means import Means
from tests.support import DATA_DIR, needs_real_data
from tests.training.support import RIDE
from training import contest
from training.data.split import Splits
from training.run import Options, train
from training.sources import source_of

JANUARY, FEBRUARY = (f"green/green_tripdata_2021-{month}.parquet" for month in ("01", "02"))


@pytest.mark.slow
@needs_real_data(JANUARY, FEBRUARY)
@pytest.mark.usefixtures("one_thread", "without_plots")
def test_the_default_on_real_rides_is_the_better_one(tmp_path: Path) -> None:
    """Below six minutes in a month that it has not seen, compiled, with intervals; the linear model
    is tried beside it, and its error is told."""
    said: list[str] = []
    manifest = train(
        Options(
            model=RIDE,
            data=[DATA_DIR / JANUARY],
            validation=[DATA_DIR / FEBRUARY],
            output=tmp_path,
            log=said.append,
        )
    )
    assert manifest.metrics["validation"]["rmse"] < 6.0
    assert any(
        line.startswith("means is trained: on the validation data the rmse of linear is 6.7")
        for line in said
    )
    predictor = Predictor.from_folder(tmp_path / "ride", RIDE)
    assert isinstance(predictor.scorer, Means)
    assert manifest.calibration is not None


def test_few_rows_leave_the_default_as_it_is() -> None:
    """Those of the bundled sample, say; and a model without a contender has none."""
    source = source_of(RIDE)
    frame = pd.DataFrame({"duration": [1.0] * contest.FEWEST_ROWS})
    assert contest.contender_of(source, Splits(frame, frame)) == "means"
    assert contest.contender_of(source, Splits(frame[1:], frame)) is None
