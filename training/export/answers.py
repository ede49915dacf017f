"""A model's `answer` as what is made of its score."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from typing import Any, Final

from scoring.models import Model, Shares
from training.export.form import Answer, AnswerKind

# Each with the value that it makes of a score and the threshold.
MAKERS: Final[dict[AnswerKind, Callable[[float, float], float | bool]]] = {
    "score": lambda score, _threshold: score,
    "not_negative": lambda score, _threshold: score if score > 0 else 0.0,
    "at_least": lambda score, threshold: score >= threshold,
}


# The same of a score of several classes.
OF_CLASSES: Final[dict[AnswerKind, Callable[[Shares, float], Any]]] = {
    "score": lambda score, _threshold: float(score),
    "most_likely": lambda score, _threshold: score.most_likely,
    "probabilities": lambda score, _threshold: score.by_class,
}


def answers_of(model: Model, threshold: float) -> tuple[tuple[Answer, ...], list[str]]:
    """Return the keys of the answer that are one of `MAKERS`, or of `OF_CLASSES`, tried with many
    scores, and a line for each key that is none and is left out."""
    tried = [*_shares(model.classes)] if model.classes else _scores(model, threshold)
    makers: dict[AnswerKind, Callable[[Any, float], Any]] = (
        dict(OF_CLASSES) if model.classes else dict(MAKERS)
    )
    made: list[Answer] = []
    notes = []
    for name in model.answer(tried[0], threshold):
        for kind, maker in makers.items():
            found = [_plain(model.answer(score, threshold)[name]) for score in tried]
            wanted = [maker(score, threshold) for score in tried]
            if found == wanted and [*map(type, found)] == [*map(type, wanted)]:
                made.append(Answer(name, kind, threshold if kind == "at_least" else 0.0))
                break
        else:
            what = "one of the classes or of their probabilities" if model.classes else (
                "the score or a threshold's"
            )  # fmt: skip
            notes.append(f"the answer's '{name}' is left out: it is not {what}")
    return tuple(made), notes


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Shares) else value


def _shares(classes: tuple[str, ...]) -> Iterator[Shares]:
    """Yield scores with each class as the most likely one, near it, and of equal ones."""
    drawn = random.Random(7)  # noqa: S311  # scores to try, not secrets
    yield Shares([1 / len(classes)] * len(classes), classes)
    for place in range(8 * len(classes)):
        parts = [drawn.random() ** 3 for _ in classes]
        parts[place % len(classes)] += place % 3
        yield Shares([part / sum(parts) for part in parts], classes)


def _scores(model: Model, threshold: float) -> list[float]:
    around = [math.nextafter(threshold, side) for side in (-math.inf, math.inf)]
    shares = [threshold, *around, *(n / 64 for n in range(65))]
    if model.task == "classification":
        return [min(max(share, 0.0), 1.0) for share in shares]
    return [*shares, *(sign * 1.37**n for n in range(-40, 60) for sign in (-1.0, 1.0))]
