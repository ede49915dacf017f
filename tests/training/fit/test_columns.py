"""XGBoost is fitted on the columns that a tree can ask for, in a trial and in a training."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.feature_extraction import DictVectorizer

from scoring.models import Model
from tests.training.search import support
from tests.training.search.support import placed
from tests.training.support import RIDE, rows_of, saved
from training.data.checks import check
from training.data.tables import read
from training.fit import columns, estimators
from training.fit.pair import fit, score
from training.search.evaluate import evaluate
from training.sources import source_of


def checked(frame: pd.DataFrame) -> pd.DataFrame:
    """Return usable rows with what is learned."""
    source = source_of(RIDE)
    with tempfile.TemporaryDirectory() as folder:
        path = saved(frame, Path(folder, "a.parquet"))
        return check(read(RIDE, source, [path]), RIDE, source).frame


def rare(model: Model, rows: int) -> pd.DataFrame:
    """Return rides, most of them from few zones and some from one that is there once."""
    random = np.random.default_rng(1)
    return rows_of(model, rows).assign(PULocationID=random.geometric(0.15, rows).clip(1, 265))


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("more", [{}, {"early_stopping_rounds": 3}], ids=["all", "stopped early"])
def test_it_comes_to_what_it_would_with_all_of_them(
    more: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each loss, what is reported meanwhile, and the size of the file, to the bit."""
    monkeypatch.setattr(support, "rows_of", rare)
    place = placed(RIDE, tmp_path, "xgboost")
    given = {"n_estimators": 20, "min_child_weight": 3.5, "subsample": 0.7, "reg_lambda": 0.1}
    wide: list[int] = []
    real = columns.widen

    def widen(estimator: Any, places: Any, count: int) -> None:
        wide.extend((len(places), count))
        real(estimator, places, count)

    def judged() -> tuple[Any, ...]:
        reports: list[float] = []

        def report(_step: int, loss: float) -> bool:
            reports.append(loss)
            return False

        found = evaluate(place, "xgboost", given | more, report)
        return found.losses, found.size, reports

    monkeypatch.setattr(columns, "widen", widen)
    some = judged()
    few, all_of_them = wide
    assert few < all_of_them / 2
    monkeypatch.setattr(columns, "asked_for", lambda *_: None)
    assert judged() == some


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("more", [{}, {"early_stopping_rounds": 3}], ids=["all", "stopped early"])
def test_a_training_makes_the_trees_that_it_would_with_all_of_them(
    more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit, of as many columns, and stopped at the same one."""
    frame, later = (checked(rare(RIDE, rows)) for rows in (400, 200))
    given = {"n_estimators": 20, "min_child_weight": 3.5, "subsample": 0.7, **more}

    def made() -> tuple[Any, ...]:
        vectorizer = DictVectorizer()
        estimator = estimators.make("regression", "xgboost", given, 1)
        fit(vectorizer, estimator, frame, later, RIDE)
        booster = estimator.get_booster()
        trees = booster.get_dump(with_stats=True)
        best = estimator.best_iteration if more else None
        scores = score(vectorizer, estimator, later, RIDE).tolist()
        return trees, estimator.n_features_in_, best, scores

    asked = columns.asked_for
    places: list[int] = []

    def asked_for(*of: Any) -> Any:
        found = asked(*of)
        assert found is not None
        places.append(len(found))
        return found

    monkeypatch.setattr(columns, "asked_for", asked_for)
    some = made()
    assert 0 < places[0] < some[1]
    monkeypatch.setattr(columns, "asked_for", lambda *_: None)
    assert made() == some


def test_all_are_asked_for_where_it_is_not_known_that_some_are_not() -> None:
    """Of another estimator, in a dense matrix, with a loss whose rows may weigh more, or where
    columns are drawn."""
    x = csr_matrix(np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 3.0], [1.0, 1.0, 0.0]]))

    def of(name: str = "xgboost", **parameters: Any) -> Any:
        return columns.asked_for(estimators.make("regression", name, parameters, 1), x)

    assert of(min_child_weight=2).tolist() == [0, 2]
    assert of() is None  # one row is enough
    assert of(min_child_weight=3) is None  # no column is left
    assert of("ridge") is None
    assert of(min_child_weight=2, objective="reg:gamma") is None
    assert of(min_child_weight=2, colsample_bytree=0.5) is None
    assert of(min_child_weight=2, booster="dart") is None
    made = estimators.make("regression", "xgboost", {"min_child_weight": 2}, 1)
    assert columns.asked_for(made, x.toarray()) is None
