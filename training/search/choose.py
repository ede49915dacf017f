"""Which trial wins: the smallest that is within one standard error of the best, if it is better
than the default by more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import numpy as np

from training.evaluation.metrics import Values

LEVEL: Final = 0.05  # chance at which a search of no better a model takes one all the same
_ALL: Final = 12  # blocks up to which every change of signs is counted
_DRAWN: Final = 4096


@dataclass(frozen=True)
class Tried:
    """A trial that came to its end."""

    number: int
    estimator: str
    parameters: dict[str, Any]
    losses: Values  # (n_blocks,)
    size: int  # bytes
    us: float | None
    fits: bool  # within the limits of size and time

    def loss(self, weights: Values) -> float:
        """Return the loss over all rows."""
        return float(weights @ self.losses)


@dataclass(frozen=True)
class Verdict:
    """The trial that wins, None where the default is kept; the best of all; by what chance the
    default would look so much worse, None where it was not compared."""

    winner: Tried | None
    best: Tried
    chance: float | None


def choose(default: Tried | None, tried: Sequence[Tried], weights: Values, seed: int) -> Verdict:
    """Return what wins of `tried`, the default among them, all of which fit.

    `default` is None where it exceeds a limit: then something else must serve, and nothing is
    compared with it. A difference is judged by how much it varies from block to block, and the best
    of many by what the best of as many would reach by chance: the signs of the blocks' differences
    are changed at random, for all trials alike (Westfall and Young, Resampling-Based Multiple
    Testing, 1993).
    """
    best = min(tried, key=lambda one: (one.loss(weights), one.size, one.number))
    near = [one for one in tried if _within_one_error(one, best, weights)]
    chance = None
    if default is not None:
        others = [one for one in tried if one is not default]
        chances = dict(zip((one.number for one in others), _chances(default, others, weights, seed),
                           strict=True))  # fmt: skip
        chance = chances.get(best.number, 1.0)
        near = [one for one in near if chances.get(one.number, 1.0) <= LEVEL]
    if not near:
        return Verdict(None, best, chance)
    winner = min(near, key=lambda one: (one.size, one.loss(weights), one.number))
    return Verdict(winner, best, chance)


def _within_one_error(one: Tried, best: Tried, weights: Values) -> bool:
    apart = one.losses - best.losses
    mean = float(weights @ apart)
    blocks = len(apart)
    error = np.sqrt(((weights * (apart - mean)) ** 2).sum() * blocks / (blocks - 1))
    return bool(mean <= error)


def _chances(default: Tried, others: Sequence[Tried], weights: Values, seed: int) -> list[float]:
    """Return for each trial how often chance alone makes the best of all better than it by as
    much, next to its own variation."""
    if not others:
        return []
    blocks = len(weights)
    apart = np.array([(default.losses - one.losses) * weights * blocks for one in others])
    if blocks <= _ALL:
        signs = np.array(list(product((1.0, -1.0), repeat=blocks)))
    else:
        drawn = np.random.default_rng(seed).choice((1.0, -1.0), size=(_DRAWN, blocks))
        signs = np.vstack([np.ones(blocks), drawn])
    means = signs @ apart.T / blocks  # (n_signs, n_trials)
    spread = ((apart**2).mean(axis=1) - means**2).clip(1e-300)
    ratios = means / np.sqrt(spread / (blocks - 1))
    ratios[:, ~apart.any(axis=1)] = 0.0  # the default again, by another name
    most = ratios.max(axis=1)
    return [float((most >= ratio - 1e-9).mean()) for ratio in ratios[0]]
