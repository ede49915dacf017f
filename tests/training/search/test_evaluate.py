"""One trial, on folds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scoring.compiler.compile import NotCompiled
from scoring.models import Model
from tests.training.search.support import placed
from tests.training.support import CHURN, RIDE, SMALL
from training.fit import estimators
from training.search.evaluate import STEPS, Pruned, evaluate

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

EACH = [
    (model, name) for model in (RIDE, CHURN)
    for name in estimators.names(model.task) if estimators.space_of(model.task, name)
]  # fmt: skip


@pytest.mark.parametrize(("model", "name"), EACH, ids=lambda part: getattr(part, "name", part))
def test_every_estimator_is_judged_on_every_block(model: Model, name: str, tmp_path: Path) -> None:
    """And told how far it is: boosting within the first fold too, all after each fold."""
    place = placed(model, tmp_path, name, timed=name == "boosting")
    reports: list[tuple[int, float]] = []

    def report(step: int, loss: float) -> bool:
        reports.append((step, loss))
        return False

    found = evaluate(place, name, SMALL.get(name, {}), report)
    assert len(found.losses) == (12 if model is RIDE else 10)
    assert all(loss >= 0 for loss in found.losses)
    boosts = name in ("boosting", "means", "xgboost")
    steps = [*(range(2) if boosts else []), *range(2, 2 + place.folds - 1)]
    assert [step for step, _ in reports] == steps
    blocks = len(found.losses) // place.folds
    assert reports[-1][1] == pytest.approx(np.mean(found.losses[:-blocks]))
    assert found.size > 100
    assert (found.us is not None) == (name == "boosting")
    again = evaluate(place, name, SMALL.get(name, {}), None)
    assert again.losses == pytest.approx(found.losses, rel=1e-6)


@pytest.mark.parametrize("name", ["boosting", "xgboost", "ridge"])
def test_a_trial_that_is_told_to_stop_stops(name: str, tmp_path: Path) -> None:
    """At the first step at which it asks."""
    place = placed(RIDE, tmp_path, name)
    asked: list[int] = []

    def report(step: int, _loss: float) -> bool:
        asked.append(step)
        return True

    with pytest.raises(Pruned):
        evaluate(place, name, {}, report)
    assert asked == [0 if name != "ridge" else len(STEPS)]


def test_a_pair_without_a_compiled_form_has_the_size_of_its_pickle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would serve from it."""

    def cannot(*_: Any) -> None:
        raise NotCompiled("for a test")

    place = placed(RIDE, tmp_path, "ridge", timed=True)
    compiled = evaluate(place, "ridge", {}, None)
    monkeypatch.setattr("training.search.evaluate.compile_pair", cannot)
    pickled = evaluate(place, "ridge", {}, None)
    assert pickled.size > compiled.size
    assert pickled.us is not None
    assert compiled.us is not None
    assert pickled.us > compiled.us


def test_xgboost_that_stops_early_watches_the_rows_it_is_judged_on(tmp_path: Path) -> None:
    """As in a training."""
    given: dict[str, Any] = {"n_estimators": 60, "early_stopping_rounds": 2, "learning_rate": 0.9}
    place = placed(RIDE, tmp_path, "xgboost", **given)
    assert len(evaluate(place, "xgboost", given, lambda _step, _loss: False).losses) == 12
