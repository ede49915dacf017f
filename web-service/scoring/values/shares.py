"""The score of a model that tells more than two classes apart: a probability for each of them.

Whatever handles scores handles floats: a predicted value, or the probability of the positive class.
Of several classes a score is a float, too, the probability of the most likely one, and it holds the
others beside it. So nothing that a request of another model passes through asks how many there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, isfinite, nan
from typing import Any, Final, Literal, Self

from scoring.values.sums import in_order

# How n sums become n probabilities: `softmax`; each one's `logistic`, divided by all of them; or
# they are `shares` already, as a forest's averages are.
Link = Literal["softmax", "logistic", "shares"]

TOLERANCE: Final = 1e-6  # by which the sum of probabilities may miss 1


class Shares(float):
    """The probability of the most likely class; NaN where one of them is no finite number."""

    __slots__ = ("classes", "shares")

    classes: tuple[str, ...]
    shares: tuple[float, ...]  # of each of the classes, in their order

    def __new__(cls, shares: Sequence[float], classes: tuple[str, ...]) -> Self:
        """Make the score of one record; both have one length."""
        made = super().__new__(cls, max(shares) if isfinite(sum(shares)) else nan)
        made.shares = tuple(shares)
        made.classes = classes
        return made

    def __repr__(self) -> str:
        """Return all that it holds, for messages."""
        return repr(self.by_class)

    @property
    def most_likely(self) -> str:
        """The class with the largest probability, of several the first."""
        return self.classes[self.place]

    @property
    def place(self) -> int:
        """The place of that class."""
        return max(range(len(self.shares)), key=self.shares.__getitem__)

    @property
    def by_class(self) -> dict[str, float]:
        """The probability of each class, in their order."""
        return dict(zip(self.classes, self.shares, strict=True))


def linked(sums: Sequence[float], link: Link) -> list[float]:
    """Return the probabilities of n classes for their n sums; NaN for what is none."""
    if link == "shares":
        return list(sums)
    if not isfinite(sum(sums)):
        return [nan] * len(sums)
    if link == "softmax":
        largest = max(sums)
        parts = [exp(one - largest) for one in sums]
    else:
        parts = [_logistic(one) for one in sums]
    total = in_order(parts)
    return [part / total for part in parts] if total else [nan] * len(sums)


def numbers_of(score: float) -> tuple[float, ...]:
    """Return all that a score holds: the number that it is, or a probability for each class."""
    return score.shares if isinstance(score, Shares) else (score,)


def class_text(value: Any) -> str:
    """Return a class as text: a truth value as JSON has it, a whole number without its point."""
    if hasattr(value, "item"):  # one of numpy's
        value = value.item()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


def flat(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer as the columns of a table have it: `{"probabilities": {"a": 0.2}}` is
    `{"probabilities.a": 0.2}`."""
    found: dict[str, Any] = {}
    for name, value in answer.items():
        if isinstance(value, dict):
            found |= {f"{name}.{key}": one for key, one in value.items()}
        else:
            found[name] = value
    return found


def _logistic(log_odds: float) -> float:
    if log_odds >= 0:
        return 1 / (1 + exp(-log_odds))
    odds = exp(log_odds)
    return odds / (1 + odds)
