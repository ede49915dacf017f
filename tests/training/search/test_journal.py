"""The trials of a search, kept."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from training.errors import TrainingError
from training.fit.spaces import Choice, Number, Space
from training.search import journal
from training.search.evaluate import Outcome
from training.search.journal import Journal

SPACES: dict[str, Space] = {
    "ridge": {"alpha": Number(0.01, 10.0, log=True)},
    "tree": {"depth": Number(2, 9), "criterion": Choice(("a", "b"))},
}


@contextlib.contextmanager
def opened(folder: Path, *, resume: bool = False, **more: Any) -> Iterator[Journal]:
    given = {"seed": 3, "firsts": ["linear", "ridge", "tree"], "spaces": SPACES,
             "limits": {"size": 500}}  # fmt: skip
    of = more.pop("of", {"data": "abc"})
    with journal.opened(folder / "search", of, resume=resume, **{**given, **more}) as found:
        yield found


def told(kept: Journal, count: int) -> list[Any]:
    """Ask for trials and tell a loss of each; return estimators and parameters."""
    asked = []
    for _ in range(count):
        trial = kept.ask()
        has = dict(trial.user_attrs)
        asked.append((has["estimator"], has["parameters"]))
        loss = 1 + len(str(has["parameters"])) % 7 + sum(
            value for value in has["parameters"].values() if not isinstance(value, str)
        )  # fmt: skip
        kept.end(trial, loss, Outcome([loss], size_of(*asked[-1]), None, 0.1))
    return asked


def size_of(name: str, given: dict[str, Any]) -> int:
    """Return the bytes of a trial's model: above the limit for one that is always tried, since what
    the spaces give differs between processors in its last digits."""
    return 600 if name == "linear" else 100 * (1 + len(str(given)) % 7)


@pytest.mark.slow
def test_defaults_are_tried_first_then_the_spaces(tmp_path: Path) -> None:
    """Whole numbers, others, choices; of more than one estimator each gets a part."""
    with opened(tmp_path) as kept:
        asked = told(kept, 24)
        fits = [kept.fits(trial) for trial in kept.counted()]
    assert asked[:3] == [("linear", {}), ("ridge", {}), ("tree", {})]
    assert {name for name, _ in asked[3:]} == {"ridge", "tree"}
    for name, given in asked[3:]:
        assert given.keys() == SPACES[name].keys()
        if name == "tree":
            assert given["depth"] in range(2, 10)
            assert given["criterion"] in ("a", "b")
        else:
            assert 0.01 <= given["alpha"] <= 10
    assert fits == [size_of(*one) <= 500 for one in asked]
    assert fits[:2] == [False, True]


@pytest.mark.slow
def test_a_search_that_goes_on_tries_what_it_would_have_tried(tmp_path: Path) -> None:
    """Cut short in the middle of a trial; that one does not count and is tried again."""
    with opened(tmp_path / "whole") as kept:
        undisturbed = told(kept, 20)
    with opened(tmp_path / "cut") as kept:
        before = told(kept, 13)
        kept.ask()
    with opened(tmp_path / "cut", resume=True) as kept:
        assert len(kept.counted()) == 13
        after = told(kept, 7)
        assert len(kept.counted()) == 20
    assert before + after == undisturbed


def test_a_search_that_did_not_end_is_not_thrown_away(tmp_path: Path) -> None:
    """Without --resume it is refused; one that came to its end makes room."""
    with opened(tmp_path) as kept:
        told(kept, 1)
    with pytest.raises(TrainingError, match=r"did not come to its end: --resume goes on with it"):
        opened(tmp_path).__enter__()
    with opened(tmp_path, resume=True) as kept:
        assert len(kept.counted()) == 1
        (kept.folder / "features").mkdir()
        kept.finish()
    assert not (tmp_path / "search" / "features").exists()
    with opened(tmp_path) as kept:
        assert kept.counted() == []


def test_half_a_line_and_a_lock_of_a_killed_process_are_left_out(tmp_path: Path) -> None:
    """What was whole before is kept."""
    with opened(tmp_path) as kept:
        told(kept, 2)
        file = kept.folder / "journal.log"
    with file.open("ab") as torn:
        torn.write(b'{"op_code": 4, "worker_id')
    file.with_name("journal.log.lock").symlink_to(file)
    with opened(tmp_path, resume=True) as kept:
        assert len(kept.counted()) == 2
        told(kept, 1)
    with opened(tmp_path, resume=True) as kept:
        assert len(kept.counted()) == 3


def test_a_default_that_was_cut_short_is_tried_again(tmp_path: Path) -> None:
    """Although others came to their end meanwhile."""
    with opened(tmp_path) as kept:
        cut = kept.ask()
        assert told(kept, 1) == [("ridge", {})]
        kept.stop(cut)
        assert kept.default() is None
        assert told(kept, 1) == [("linear", {})]
        assert kept.default() is not None
        assert kept.best() is not None


def test_another_search_is_not_gone_on_with(tmp_path: Path) -> None:
    """What differs is named."""
    with opened(tmp_path, of={"data": "abc", "seed": 1}) as kept:
        told(kept, 1)
    with pytest.raises(TrainingError, match=r"^--resume: the search in .* was of another seed; "):
        opened(tmp_path, resume=True, of={"data": "abc", "seed": 2}).__enter__()


def test_a_second_search_in_the_same_place_ends(tmp_path: Path) -> None:
    """It says who is at work."""
    with (
        opened(tmp_path),
        pytest.raises(
            TrainingError, match=rf"^another search is at work in .* \(process {os.getpid()}\)"
        ),
    ):
        opened(tmp_path, resume=True).__enter__()


def test_what_failed_or_was_pruned_counts(tmp_path: Path) -> None:
    """With its reason."""
    with opened(tmp_path) as kept:
        kept.fail(kept.ask(), "too much")
        kept.prune(kept.ask())
        kept.stop(kept.ask())
        assert [trial.user_attrs.get("why") for trial in kept.counted()] == ["too much", None]
