"""How probable something is by chance alone.

Without scipy: importing it takes a quarter of the time of a day's report. `tests/monitoring` holds
every function here to scipy's.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from scoring.profiles.numbers import Array

_EPSILON: Final = 1e-16
_MOST_TERMS: Final = 1_000_000  # some hundreds are usual; those of no number never end


def normal_above(z: float) -> float:
    """Return the probability that a standard normal variable is above z."""
    return math.erfc(z / math.sqrt(2)) / 2


def chi_squared_above(value: float, freedom: float) -> float:
    """Return the probability that a chi-squared variable is above the value: the upper incomplete
    gamma function over the whole (DLMF 8.2.4), by its series (8.7.1) below the mean, by its
    continued fraction (8.9.2, Lentz's way) above."""
    a, x = freedom / 2, value / 2
    if x <= 0:
        return 1.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        for n in range(1, _MOST_TERMS):
            term *= x / (a + n)
            total += term
            if term < total * _EPSILON:
                break
        return max(0.0, 1.0 - front * total)
    b = x + 1 - a
    c, d = math.inf, 1 / b
    found = d
    for n in range(1, _MOST_TERMS):
        over = n * (a - n)
        b += 2
        d = 1 / (over * d + b)
        c = b + over / c
        found *= c * d
        if abs(c * d - 1) < 10 * _EPSILON:
            break
    return front * found


def chi_squared_at(p: float, freedom: float) -> float:
    """Return the value above which a chi-squared variable is with the probability p."""
    low, high = 0.0, max(1.0, freedom)
    while chi_squared_above(high, freedom) > p:
        low, high = high, 2 * high
    while high - low > 1e-13 * high:
        middle = (low + high) / 2
        if chi_squared_above(middle, freedom) > p:
            low = middle
        else:
            high = middle
    return high


def beta_binomial_from(some: int, of: int, a: float, b: float) -> float:
    """Return the probability of `some` or more of `of`, each with one probability that itself is
    drawn from a beta distribution (a, b)."""
    whole = math.lgamma(of + 1) - _log_beta(a, b)
    fewer = math.fsum(
        math.exp(
            whole - math.lgamma(k + 1) - math.lgamma(of - k + 1) + _log_beta(k + a, of - k + b)
        )
        for k in range(some)
    )
    return max(0.0, 1.0 - fewer)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def fisher_exact(a: int, n: int, b: int, m: int) -> float:
    """Return the probability of shares at least as unlikely as a of n and b of m, were they one
    (Fisher 1934, two-sided). Its time grows with the rarer outcome's number."""
    if 2 * (a + b) > n + m:
        a, b = n - a, m - b
    ways = {
        some: math.comb(n, some) * math.comb(m, a + b - some)
        for some in range(max(0, a + b - m), min(n, a + b) + 1)
    }
    return sum(many for many in ways.values() if many <= ways[a]) / math.comb(n + m, a + b)


def ranks(values: Array) -> Array:
    """Return the rank of each value from 1 on, of equal ones the mean of theirs."""
    _, place, many = np.unique(values, return_inverse=True, return_counts=True)
    found: Array = (np.cumsum(many) - (many - 1) / 2)[place]
    return found
