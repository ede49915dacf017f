"""How probable something is by chance alone.

By scipy.special and whole numbers: importing scipy.stats takes longer than reading a year of hours.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from scoring.profiles.numbers import Array


def normal_above(z: float) -> float:
    """Return the probability that a standard normal variable is above z."""
    return float(special.ndtr(-z))


def chi_squared_above(value: float, freedom: float) -> float:
    """Return the probability that a chi-squared variable is above the value."""
    return float(special.chdtrc(freedom, value))


def chi_squared_at(p: float, freedom: float) -> float:
    """Return the value above which a chi-squared variable is with the probability p."""
    return float(special.chdtri(freedom, p))


def beta_binomial_from(some: int, of: int, a: float, b: float) -> float:
    """Return the probability of `some` or more of `of`, each with one probability that itself is
    drawn from a beta distribution (a, b)."""
    k = np.arange(some)
    ways = -special.betaln(of - k + 1, k + 1) - math.log(of + 1)
    fewer = np.exp(ways + special.betaln(k + a, of - k + b) - special.betaln(a, b))
    return max(0.0, 1.0 - float(fewer.sum()))


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
