"""A search, from rows to an artifact."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from scoring.artifact.manifest import Manifest
from scoring.models import Model
from tests.support import ROOT, environment, wait_for
from tests.training.support import CHURN, RIDE, data_of, silent
from training.errors import Refused, TrainingError
from training.run import train
from training.search.journal import Journal
from training.search.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


def searched(model: Model, folder: Path, **more: Any) -> tuple[Manifest, list[str], Any]:
    """Search and train on 400 rows; return the manifest, what was said, and the search."""
    said: list[str] = []
    found: list[Any] = []
    settings = Settings(**{"trials": 6, **more.pop("search", {})})
    options = silent(
        model, data_of(model, folder), folder / "models", search=settings,
        searched=found.append, **{"log": said.append, **more},
    )  # fmt: skip
    return train(options), said, found[0]


def trials_of(folder: Path, model: str = "churn") -> list[Any]:
    """Return the trials in the journal beside an artifact."""
    file = folder / "models" / f".{model}.search" / "journal.log"
    if not file.exists():
        return []
    try:
        storage = JournalStorage(JournalFileBackend(str(file)))
        trials: list[Any] = optuna.load_study(study_name="search", storage=storage).trials
    except KeyError:  # not begun
        return []
    return trials


def test_the_best_of_a_search_is_trained_and_written(tmp_path: Path) -> None:
    """Of the quick estimators; the manifest says why, the card shows how. The features are gone,
    and the next search may begin."""
    manifest, said, found = searched(RIDE, tmp_path, search={"trials": 14, "jobs": 2})
    folder = tmp_path / "models" / "ride"
    assert manifest.notes == [found.said]
    assert found.said in said
    assert "search: 14 of 14 trials" in "\n".join(said)
    assert {"search_history.png", "predicted_against_actual.png"} <= {
        path.name for path in folder.glob("*.png")
    }
    assert sorted(path.name for path in (tmp_path / "models" / ".ride.search").iterdir()) == [
        "journal.log", "lock", "search.json"
    ]  # fmt: skip
    trials = trials_of(tmp_path, "ride")
    assert [t.user_attrs["estimator"] for t in trials[:5]] == [
        "linear", "ridge", "boosting", "xgboost", "means"
    ]  # fmt: skip
    winner = trials[found.winner]
    assert found.estimator == winner.user_attrs["estimator"]
    for name, value in found.parameters.items():
        key = name if name in manifest.parameters else f"boosting__{name}"
        assert manifest.parameters[key] == pytest.approx(value)


def test_a_default_that_is_as_good_is_kept(tmp_path: Path) -> None:
    """Here no parameter can matter: the search says so, and the model is the default's."""
    manifest, _, found = searched(
        CHURN, tmp_path, estimator="logistic", parameters={"C": 1.0},
        search={"trials": 4, "space": ("verbose=0", "tol=0.0001,0.00011")},
    )  # fmt: skip
    assert found.winner == 0
    assert found.parameters == {"C": 1.0}
    assert "beyond noise (p = " in found.said
    assert found.said.endswith("the default is kept")
    assert manifest.parameters["C"] == 1.0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_search_that_is_ended_keeps_what_it_found(
    how: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C trains the best so far; SIGTERM ends the whole, and says how to go on."""
    ends = Journal.end

    def end(self: Journal, *given: Any) -> None:
        ends(self, *given)
        if len(self.counted()) == 2:
            signal.raise_signal(how)

    monkeypatch.setattr(Journal, "end", end)
    given: dict[str, Any] = {"estimator": "logistic", "search": {"trials": 50}}
    before = signal.getsignal(how)
    if how == signal.SIGINT:
        _, said, _ = searched(CHURN, tmp_path, **given)
        assert any("search: 2 of 50 trials (ended by Ctrl-C)" in line for line in said)
    else:
        with pytest.raises(TrainingError, match=r"stopped after 2 of 50 trials; --resume goes on"):
            searched(CHURN, tmp_path, **given)
        assert not (tmp_path / "models" / "churn").exists()
    assert signal.getsignal(how) == before
    assert len(trials_of(tmp_path)) >= 2


@pytest.mark.long
def test_limits_decide_before_the_metric(tmp_path: Path) -> None:
    """Where the default is too large, something smaller serves; where all are, nothing."""
    given = {"estimator": "boosting", "search": {"trials": 7, "max_bytes": 5_000}}
    space = ("max_iter=2,3", "max_leaf_nodes=4..8")
    _, _, found = searched(
        RIDE, tmp_path, **{**given, "search": {**given["search"], "space": space}}  # type: ignore[dict-item]
    )  # fmt: skip
    assert found.said.endswith("the default is boosting, which exceeds a limit")
    assert found.parameters["max_iter"] in (2, 3)
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(Refused, match=r"none of \d models keeps --max-us and --max-bytes; the sm"):
        searched(RIDE, other, estimator="ridge", search={"trials": 3, "max_us": 0.001})
    assert not (other / "models" / "ride").exists()


def test_time_ends_a_search(tmp_path: Path) -> None:
    """In which nothing came to its end here."""
    with pytest.raises(TrainingError, match=r"none of \d+ trials came to its end within --timeout"):
        searched(CHURN, tmp_path, estimator="logistic", search={"timeout_s": 0.001})


def test_trials_that_all_fail_end_a_search(tmp_path: Path) -> None:
    """With what the estimator said."""
    given = {"estimator": "logistic", "parameters": {"solver": "newton-cg", "penalty": "magic"}}
    with pytest.raises(TrainingError, match=r"^search: each of \d trials failed: \w+: "):
        searched(CHURN, tmp_path, **given)


@pytest.mark.parametrize(
    ("model", "given", "said"),
    [
        (RIDE, {"estimator": "linear"}, "estimator 'linear' has nothing to search: name another"),
        (RIDE, {"estimator": "ridge", "space": ("alhpa=1..2",)}, "was 'alpha' meant"),
        (RIDE, {"estimator": "boosting", "space": ("select__threshold=0.1..0.2",)},
         "--space: select__threshold is of a step before the estimator"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_refused(
    model: Model, given: dict[str, Any], said: str, tmp_path: Path
) -> None:
    """Before the long work."""
    space = given.pop("space", ())
    with pytest.raises(TrainingError) as caught:
        searched(model, tmp_path, search={"space": space}, **given)
    assert said in str(caught.value)


def test_without_optuna_a_search_says_how_to_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make run` installs what training and serving need, and no more."""
    monkeypatch.setattr("training.search.within.find_spec", lambda _name: None)
    with pytest.raises(TrainingError, match="--search needs Optuna; make setup installs it"):
        searched(CHURN, tmp_path)


def test_the_test_data_has_no_part_in_a_search(tmp_path: Path) -> None:
    """Nor have rows to validate on, where they are what the metrics are of."""
    data = data_of(RIDE, tmp_path)

    class Seen(Exception):
        pass

    def look(asked: Any) -> None:
        raise Seen(len(asked.frame))

    rows = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.search.run.searched", look)
        for more in ({}, {"validation": [data]}, {"validation": [data], "test": [data]}):
            with pytest.raises(Seen) as caught:
                train(silent(RIDE, data, tmp_path, search=Settings(trials=2), **more))
            rows.append(caught.value.args[0])
    assert rows == [320, 400, 800]


@pytest.mark.long
def test_a_search_goes_on_after_kill_9(tmp_path: Path) -> None:
    """Killed after some trials, it comes to the trials and the model of one that was not."""
    cut, whole = tmp_path / "cut", tmp_path / "whole"
    for folder in (cut, whole):
        folder.mkdir()
    words = [
        sys.executable, str(ROOT / "train.py"), "churn", "--data", str(data_of(CHURN, cut)),
        "--estimator", "logistic", "--search", "12", "--resume", "--output", str(cut / "models"),
    ]  # fmt: skip
    with subprocess.Popen(words, env=environment(), stdout=subprocess.DEVNULL) as process:
        wait_for(lambda: len(trials_of(cut)) >= 4, "four trials", 300)
        process.kill()
    assert len(trials_of(cut)) < 12
    again = {"estimator": "logistic", "search": {"trials": 12, "resume": True}}
    _, said, _ = searched(CHURN, cut, **again)
    assert any(line.endswith(f"trials are there already, in {cut}/models/.churn.search")
               for line in said)  # fmt: skip
    searched(CHURN, whole, **again)

    def done(folder: Path) -> list[Any]:
        has = [t.user_attrs for t in trials_of(folder) if "stopped" not in t.user_attrs]
        return [(one["parameters"], one.get("losses")) for one in has]

    assert len(done(whole)) == 12
    assert done(cut) == done(whole)
    pairs = [(folder / "models" / "churn" / CHURN.artifact_file) for folder in (cut, whole)]
    assert pairs[0].read_bytes() == pairs[1].read_bytes()
