"""The options of a search on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

import train
from training.run import Options
from training.search.settings import Settings


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    """What the training is asked to do, instead of its being done."""
    seen: list[Options] = []
    monkeypatch.setattr(train, "train", seen.append)
    return seen


def test_every_option_reaches_the_search(asked: list[Options]) -> None:
    """None is lost on the way."""
    given = (
        "ride --estimator ridge --search 40 --timeout 90.5 --jobs 3 --resume --space a.toml "
        "--space alpha=1..2 --max-us 20 --max-bytes 5000"
    )
    train.main(given.split())
    assert asked[0].search == Settings(
        trials=40, timeout_s=90.5, jobs=3, resume=True, space=("a.toml", "alpha=1..2"),
        max_us=20.0, max_bytes=5000,
    )  # fmt: skip


def test_a_search_needs_its_number_of_trials_alone(asked: list[Options]) -> None:
    """One process, no limit; without --search there is none."""
    train.main(["ride", "--search", "5"])
    assert asked[0].search == Settings(trials=5)
    assert asked[0].output == Path("models")
    train.main(["ride"])
    assert asked[1].search is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("ride --timeout 5", "--timeout goes with --search"),
        ("ride --resume", "--resume goes with --search"),
        ("ride --max-us 5", "--max-us goes with --search"),
        ("--all --search 5", "--search is for one MODEL"),
        ("ride --search 0", "--search takes a number above 0"),
        ("ride --search 5 --jobs 0", "--jobs takes a number above 0"),
        ("ride --search 5 --timeout nan", "--timeout takes a number above 0"),
        ("ride --search 5 --max-bytes -1", "--max-bytes takes a number above 0"),
        (
            "ride --search 5 --space a=1..2",
            "--space goes with --estimator, where there is --sea",
        ),
        ("ride --search 5 --param alpha=1", "--param goes with --estimator, where there is --sea"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    given: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With status 2."""
    with pytest.raises(SystemExit) as caught:
        train.main(given.split())
    assert caught.value.code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
