"""The smallest within one standard error wins, if chance does not explain it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from training.search.choose import LEVEL, Tried, choose

BLOCKS = 12
WEIGHTS = np.full(BLOCKS, 1 / BLOCKS)
SWINGS = np.tile([0.1, -0.1], BLOCKS // 2)


def tried(number: int, losses: Any, size: int = 1000) -> Tried:
    return Tried(number, "ridge", {"alpha": number}, np.asarray(losses), size, None, True)


def noisy(seed: int, mean: float, spread: float = 0.1) -> Any:
    return mean + spread * np.random.default_rng(seed).standard_normal(BLOCKS)


def test_a_clearly_better_trial_wins() -> None:
    """In each block better by more than blocks differ."""
    hard = noisy(1, 5.0, 1.0)
    default = tried(0, hard)
    better = tried(1, hard - 0.5 + noisy(2, 0, 0.05))
    verdict = choose(default, [default, better], WEIGHTS, 1)
    assert verdict.winner is better
    assert verdict.best is better
    assert verdict.chance is not None
    assert verdict.chance <= LEVEL


def test_the_smallest_within_one_standard_error_of_the_best_wins() -> None:
    """A thousandth worse and a tenth as large; what is worse by more than its error does not."""
    hard = noisy(1, 5.0, 1.0)
    default = tried(0, hard)
    best = tried(1, hard - 1.0, size=90_000)
    small = tried(2, hard - 0.99 + SWINGS, size=9_000)
    tiny = tried(3, hard - 0.7 + SWINGS, size=900)
    verdict = choose(default, [default, best, small, tiny], WEIGHTS, 1)
    assert verdict.best is best
    assert verdict.winner is small


def test_of_equal_sizes_the_better_wins() -> None:
    """Then the earlier."""
    hard = noisy(1, 5.0, 1.0)
    default = tried(0, hard)
    one, two, three = tried(1, hard - 1), tried(2, hard - 1.1), tried(3, hard - 1.1)
    assert choose(default, [default, one, two, three], WEIGHTS, 1).winner is two


@pytest.mark.slow
@pytest.mark.parametrize("blocks", [10, 14], ids=["every change of signs", "drawn ones"])
def test_chance_rarely_wins(blocks: int) -> None:
    """Of 200 searches among 30 models that are as good as the default, one in twenty or so takes
    another; judged one by one, most would."""
    random = np.random.default_rng(5)
    weights = np.full(blocks, 1 / blocks)
    taken = 0
    for _ in range(200):
        default = tried(0, 5 + random.standard_normal(blocks))
        others = [tried(n, 5 + random.standard_normal(blocks)) for n in range(1, 31)]
        taken += choose(default, [default, *others], weights, 1).winner is not None
    assert taken <= 20


def test_the_default_again_is_no_better() -> None:
    """The same losses by another number are no win, nor is the default alone."""
    default = tried(0, noisy(1, 5.0))
    assert choose(default, [default], WEIGHTS, 1).winner is None
    again = tried(1, default.losses)
    verdict = choose(default, [default, again], WEIGHTS, 1)
    assert verdict.winner is None
    assert verdict.chance == 1.0


def test_without_a_default_the_best_that_fits_wins() -> None:
    """Where the default exceeds a limit, nothing is compared with it."""
    one, two = tried(1, noisy(1, 5.0)), tried(2, noisy(2, 9.0))
    verdict = choose(None, [one, two], WEIGHTS, 1)
    assert verdict.winner is one
    assert verdict.chance is None


def test_a_large_block_counts_for_more() -> None:
    """The loss is that over all rows."""
    weights = np.array([0.9, *[0.1 / (BLOCKS - 1)] * (BLOCKS - 1)])
    losses = np.array([1.0, *[11.0] * (BLOCKS - 1)])
    assert tried(1, losses).loss(weights) == pytest.approx(2.0)
