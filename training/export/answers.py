"""A model's `answer` as what is made of its score."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from scoring.models import Model
from training.export.form import Answer, AnswerKind

# Each with the value that it makes of a score and the threshold.
MAKERS: Final[dict[AnswerKind, Callable[[float, float], float | bool]]] = {
    "score": lambda score, _threshold: score,
    "not_negative": lambda score, _threshold: score if score > 0 else 0.0,
    "at_least": lambda score, threshold: score >= threshold,
}


def answers_of(model: Model, threshold: float) -> tuple[tuple[Answer, ...], list[str]]:
    """Return the keys of the answer that are one of `MAKERS`, tried with many scores, and a line
    for each key that is none and is left out."""
    tried = _scores(model, threshold)
    made: list[Answer] = []
    notes = []
    for name in model.answer(tried[0], threshold):
        for kind, maker in MAKERS.items():
            found = [model.answer(score, threshold)[name] for score in tried]
            wanted = [maker(score, threshold) for score in tried]
            if found == wanted and [*map(type, found)] == [*map(type, wanted)]:
                made.append(Answer(name, kind, threshold if kind == "at_least" else 0.0))
                break
        else:
            notes.append(f"the answer's '{name}' is left out: it is not the score or a threshold's")
    return tuple(made), notes


def _scores(model: Model, threshold: float) -> list[float]:
    around = [math.nextafter(threshold, side) for side in (-math.inf, math.inf)]
    shares = [threshold, *around, *(n / 64 for n in range(65))]
    if model.task == "classification":
        return [min(max(share, 0.0), 1.0) for share in shares]
    return [*shares, *(sign * 1.37**n for n in range(-40, 60) for sign in (-1.0, 1.0))]
