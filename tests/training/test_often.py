"""The categories that training had most often, whose scores the artifact holds."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from sklearn.feature_extraction import DictVectorizer

from scoring.predictor import Predictor
from scoring.scorers.means import Means
from tests.training.support import RIDE, SMALL, data_of, silent
from training.adopt import main
from training.data.checks import check
from training.data.tables import read
from training.fit import estimators
from training.fit.features import features
from training.fit.pair import fit
from training.often import often
from training.run import train
from training.sources import source_of

WHOLE = RIDE.whole()


def test_the_most_frequent_come_first(tmp_path: Path) -> None:
    """Each combination of categories once; none of a model without, or where nobody asks."""
    source = source_of(RIDE)
    frame = check(read(RIDE, source, [data_of(RIDE, tmp_path)]), RIDE, source).frame
    frame = pd.concat([frame[:100], frame[3:4], frame[5:9]])
    estimator = estimators.make("regression", "means", {"max_iter": 3}, 1)
    fit(DictVectorizer(), estimator, frame, frame, WHOLE)
    found = often(frame, WHOLE, estimator)
    rows = ({**row, "trip_distance": ""} for row in features(frame, WHOLE))
    counts = Counter(frozenset(row.items()) for row in rows)
    in_order = [counts[frozenset({**one, "trip_distance": ""}.items())] for one in found]
    assert in_order == sorted(counts.values(), reverse=True)
    assert often(frame, WHOLE, estimators.make("regression", "linear", {}, 1)) == []
    alone = replace(RIDE, features=lambda ride: {"trip_distance": ride.trip_distance}, further=None)
    assert often(frame, alone, estimator) == []


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread", "without_plots")
def test_an_artifact_keeps_them_when_it_is_compiled_again(tmp_path: Path) -> None:
    """As long as its compiled form can be read; without, it is compiled all the same."""
    path = data_of(RIDE, tmp_path)
    train(silent(RIDE, path, tmp_path, estimator="means", parameters=SMALL["means"]))
    folder = tmp_path / "ride"
    before = (folder / "scorer.means").read_bytes()
    scorer = Predictor.from_folder(folder, RIDE).scorer
    assert isinstance(scorer, Means)
    assert scorer.header.often is not None
    main(["ride", str(folder), "--output", str(tmp_path)])
    assert (folder / "scorer.means").read_bytes() == before
    (folder / "scorer.means").unlink()
    main(["ride", str(folder), "--output", str(tmp_path)])
    scorer = Predictor.from_folder(folder, RIDE).scorer
    assert isinstance(scorer, Means)
    assert scorer.header.often is None
