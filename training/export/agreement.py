"""Whether what a program made of a record is what the service answers to it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from training.export.form import Answer, Form
from training.export.judges import Judged


def close(got: float, wanted: float, tolerance: float) -> bool:
    """Say whether two scores are as near as a format promises."""
    return math.isclose(got, wanted, rel_tol=tolerance, abs_tol=tolerance)


def same_answer(got: Judged, answer: Mapping[str, Any], form: Form, tolerance: float) -> bool:
    """Say whether the unseen categories and the answer's keys are the service's, as far as the
    program gives them."""
    if got.unseen is not None:
        unseen = frozenset(answer.get("unseen", ()))
        names = frozenset(name.partition(form.separator)[0] for name in unseen)
        if got.unseen not in (unseen, names):
            return False
    found = got.answer
    return found is None or all(
        _same(answer[one.name], found.get(one.name), got, one, tolerance) for one in form.answers
    )


def _same(wanted: Any, found: Any, got: Judged, one: Answer, tolerance: float) -> bool:
    if isinstance(wanted, bool):
        return found is wanted or close(got.numbers[0], one.threshold, tolerance)
    if isinstance(wanted, str):  # of two that are as likely either
        first, second = sorted(got.numbers)[-1:-3:-1]
        return found == wanted or close(first, second, tolerance)
    if isinstance(wanted, dict):
        return (
            isinstance(found, Mapping)
            and found.keys() == wanted.keys()
            and all(close(found[name], wanted[name], tolerance) for name in wanted)
        )
    return isinstance(found, int | float) and close(found, float(wanted), tolerance)
