"""The draws that both samples share."""

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray


def chances(log_odds: ArrayLike) -> NDArray[np.float64]:
    """Probabilities from log-odds."""
    odds = np.exp(np.asarray(log_odds, dtype=np.float64))
    return np.asarray(odds / (1 + odds))


def holds(rng: Generator, log_odds: ArrayLike) -> NDArray[np.bool_]:
    """Whether each of the things with these log-odds came about."""
    likely = chances(log_odds)
    return np.asarray(rng.random(likely.shape) < likely)


def values(rng: Generator, shares: dict[float, float], rows: int) -> NDArray[np.float64]:
    """``rows`` of the keys, each as often as its share says; the shares sum to 1."""
    return rng.choice(np.array(list(shares)), rows, p=list(shares.values()))


def options(
    rng: Generator, names: tuple[str, ...], weights: NDArray[np.float64]
) -> NDArray[np.str_]:
    """One name for each row of ``weights``, (n_rows, n_names), by the weights of that row."""
    ends = weights.cumsum(axis=1)
    drawn = rng.random(len(weights)) * ends[:, -1]
    return np.asarray(np.array(names)[(drawn[:, None] > ends[:, :-1]).sum(axis=1)])


def yes_no(truths: ArrayLike) -> NDArray[np.str_]:
    """Yes for what is true, No for what is not."""
    return np.where(truths, "Yes", "No")
