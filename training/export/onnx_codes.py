"""A pair of whole numbers as one number: `74_75` need not become a text to be looked up."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from training.export.form import Category, Form, Lookup

_MOST: Final = 2**53  # whole numbers that a double tells apart


class Codes(NamedTuple):
    """How the texts of a category that joins whole numbers are numbered."""

    feature: Category
    spans: tuple[tuple[int, int], ...]  # of each field: the least value, and how many there are

    def number(self, text: str) -> float | None:
        """Return the number of a text; None where no record has it."""
        pieces = [re.escape(p) if isinstance(p, str) else "(-?[0-9]+)" for p in self.feature.parts]
        found = re.fullmatch("".join(pieces), text)
        if not found:
            return None
        code = 0
        for word, (low, size) in zip(found.groups(), self.spans, strict=True):
            value = int(word) if len(word) < 20 else low - 1
            if str(value) != word or not 0 <= value - low < size:
                return None
            code = code * size + value - low
        return float(code)

    def text(self, number: float) -> str:
        """Return the text of a number."""
        code, words = int(number), []
        for low, size in reversed(self.spans):
            code, rest = divmod(code, size)
            words.append(str(rest + low))
        return "".join(p if isinstance(p, str) else words.pop() for p in self.feature.parts)


def codes_of(form: Form, feature: Category | Lookup, known: Iterable[str] = ()) -> Codes | None:
    """Return how a category's texts are numbered; None where its fields are not all whole numbers
    within limits, or one of the `known` texts cannot be numbered."""
    if not isinstance(feature, Category):
        return None
    kinds = [isinstance(part, str) for part in feature.parts]
    texts = [part for part in feature.parts if isinstance(part, str)]
    together = any(not a and not b for a, b in itertools.pairwise(kinds))
    if together or any(re.search("[-0-9]", text) for text in texts):
        return None
    spans = []
    for one in map(form.input, feature.fields):
        if one.kind != "integer" or one.nullable or one.low is None or one.high is None:
            return None
        spans.append((int(one.low), int(one.high) - int(one.low) + 1))
    made = Codes(feature, tuple(spans))
    whole = math.prod(size for _, size in spans) < _MOST
    return made if whole and all(made.number(text) is not None for text in known) else None
