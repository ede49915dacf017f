"""The answer's columns, from calls of the model's own `answer` with a score that records what is
done to it.

`answer` is called once for each path through it: a comparison that decides something is answered
both ways. What it returns along a path is an expression of the score, which numpy evaluates for all
rows. Anything that is not plain arithmetic or a comparison of floats has no such form, and neither
has an answer that disagrees with `answer` itself on a handful of scores: then `answer` is called
for each row. Of several classes there are as many columns of probabilities, and one of texts that
names the most likely class.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batch.columns.fields import Array
from scoring.models import Model, Shares

_MAX_PATHS: Final = 16
_PROBED: Final = 16  # classes
_PROBES: Final = (0.0, -0.0, 1e-300, 0.25, 0.5, 1.0, 2.5, 37.4, 1e6)

_Evaluate = Callable[[Array], Any]


class _NoForm(Exception):
    """What `answer` does to the score cannot be done to a column."""


class _Truth:
    """A comparison of the score: a column of truths, or a decision that `answer` takes."""

    def __init__(self, evaluate: _Evaluate, path: _Path) -> None:
        self.evaluate = evaluate
        self._path = path

    def __bool__(self) -> bool:
        return self._path.decide(self.evaluate)


class _Score:
    """The score, or what plain arithmetic makes of it."""

    __hash__ = None  # type: ignore[assignment]  # equal to nothing that a dictionary knows

    def __init__(self, evaluate: _Evaluate, path: _Path) -> None:
        self.evaluate = evaluate
        self._path = path


class _MostLikely:
    """The name of the most likely class, of several the first."""

    __hash__ = None  # type: ignore[assignment]  # likewise

    def __init__(self, classes: Sequence[str], path: _Path) -> None:
        self.classes = classes
        self._path = path

    def places(self, shares: Array) -> Array:
        """Return the places of (n, n_classes) probabilities' classes."""
        found: Array = shares.argmax(axis=1)
        return found

    def __eq__(self, other: object) -> Any:
        """Return the rows of which the class is `other`."""
        if type(other) is not str:
            return NotImplemented
        place = self.classes.index(other) if other in self.classes else -1
        return _Truth(lambda shares: self.places(shares) == place, self._path)

    def __ne__(self, other: object) -> Any:
        """Return the other rows."""
        if type(other) is not str:
            return NotImplemented
        place = self.classes.index(other) if other in self.classes else -1
        return _Truth(lambda shares: self.places(shares) != place, self._path)


class _Shares(_Score):
    """Stand for a `Shares`: as a number it is the largest of the probabilities."""

    __hash__ = None

    def __init__(self, classes: Sequence[str], path: _Path) -> None:
        super().__init__(lambda shares: shares.max(axis=1), path)
        self.classes = tuple(classes)
        self.shares = tuple(_of_class(place, path) for place in range(len(classes)))
        self.by_class = dict(zip(classes, self.shares, strict=True))
        self.most_likely = _MostLikely(self.classes, path)


def _of_class(place: int, path: _Path) -> _Score:
    return _Score(lambda shares: shares[:, place], path)


def _with(made: type[_Score | _Truth], name: str, *, swapped: bool) -> Callable[..., Any]:
    function = getattr(operator, name)

    def method(self: _Score, other: object) -> Any:
        if isinstance(other, _Score):
            right = other.evaluate
        elif type(other) in (int, float):
            right = lambda _: other  # noqa: E731  # as short as it can be said
        else:
            return NotImplemented
        left = self.evaluate
        if swapped:
            left, right = right, left
        return made(lambda scores: function(left(scores), right(scores)), self._path)

    return method


for _name in ("add", "sub", "mul"):
    setattr(_Score, f"__{_name}__", _with(_Score, _name, swapped=False))
    setattr(_Score, f"__r{_name}__", _with(_Score, _name, swapped=True))
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(_Score, f"__{_name}__", _with(_Truth, _name, swapped=False))


class _Path:
    """One way through `answer`: the decisions on it, the first of which were chosen before."""

    def __init__(self, chosen: Sequence[bool]) -> None:
        self.conditions: list[_Evaluate] = []
        self.decisions = list(chosen)

    def decide(self, condition: _Evaluate) -> bool:
        self.conditions.append(condition)
        if len(self.conditions) > len(self.decisions):
            self.decisions.append(True)
        return self.decisions[len(self.conditions) - 1]


class Answers:
    """Make an answer's columns of scores, for one model and its threshold. Scores are (n,) numbers,
    or of a model of several classes (n, n_classes) probabilities."""

    def __init__(self, model: Model, threshold: float) -> None:
        self._answer = model.answer
        self._classes = model.classes
        self._threshold = threshold
        self.traced = True
        try:
            self._paths = self._explore()
            probes = self._probes()
            self.traced = _same(self._called(probes), self._evaluated(probes))
        except Exception:  # noqa: BLE001  # whatever a stand-in led to, real scores will not
            self.traced = False

    def of(self, scores: Array) -> dict[str, pa.Array]:
        """Return the answer's columns of n scores, by name."""
        if self.traced:
            return self._evaluated(scores)
        return self._called(scores) if len(scores) else self.none

    @property
    def none(self) -> dict[str, pa.Array]:
        """The answer's columns of no score at all."""
        called = self._called(self._probes()[-1:])
        return {name: column.slice(0, 0) for name, column in called.items()}

    def _probes(self) -> Array:
        if not self._classes:
            near = math.nextafter(self._threshold, 0)
            return np.array([*_PROBES, self._threshold, near, -3.5])
        many = len(self._classes)
        alike = np.full(many, 1 / many)
        found = [np.eye(many)[place] for place in range(min(many, _PROBED))]
        found += [(each + alike) / 2 for each in found]
        return np.array([*found, alike])

    def _called(self, scores: Array) -> dict[str, pa.Array]:
        given = scores.tolist()
        if self._classes:
            given = [Shares(shares, self._classes) for shares in given]
        return columns_of([self._answer(score, self._threshold) for score in given])

    def _explore(self) -> list[tuple[_Path, Mapping[str, Any]]]:
        found: list[tuple[_Path, Mapping[str, Any]]] = []
        waiting: list[list[bool]] = [[]]
        while waiting:
            chosen = waiting.pop()
            path = _Path(chosen)
            score = _Score(lambda scores: scores, path)
            if self._classes:
                score = _Shares(self._classes, path)
            made: Any = self._answer(score, self._threshold)
            found.append((path, made))
            taken = path.decisions
            waiting += ([*taken[:n], False] for n in range(len(chosen), len(taken)))
            if len(found) > _MAX_PATHS:
                raise _NoForm
        return found

    def _evaluated(self, scores: Array) -> dict[str, pa.Array]:
        found: dict[str, pa.Array] = {}
        for path, made in self._paths:
            taken: Any = None
            for condition, decision in zip(path.conditions, path.decisions, strict=True):
                truth = condition(scores) == decision
                taken = truth if taken is None else taken & truth
            for name, value in made.items():
                column = _evaluate(value, scores)
                if taken is not None and name in found:
                    column = pc.if_else(pa.array(taken), column, found[name])
                found[name] = column
        return found


def columns_of(answers: Sequence[Mapping[str, Any]]) -> dict[str, pa.Array]:
    """Return the columns of answers, which all have the same names; `unseen` and `beyond` are left
    out."""
    names = [name for name in (answers[0] if answers else ()) if name not in ("unseen", "beyond")]
    return {name: pa.array([answer[name] for answer in answers]) for name in names}


def flattened(columns: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
    """Return the columns as a table has them: of numbers by class one for each."""
    found: dict[str, pa.Array] = {}
    for name, column in columns.items():
        if pa.types.is_struct(column.type):
            of_each = zip(column.type.names, column.flatten(), strict=True)
            found |= {f"{name}.{key}": one for key, one in of_each}
        else:
            found[name] = column
    return found


def _evaluate(value: Any, scores: Array) -> pa.Array:
    rows = len(scores)
    if isinstance(value, _Score | _Truth):
        return pa.array(np.broadcast_to(value.evaluate(scores), rows))
    if isinstance(value, _MostLikely):
        return pa.array(value.classes).take(pa.array(value.places(scores)))
    if type(value) in (bool, float, str):
        return pa.repeat(pa.scalar(value), rows)
    if isinstance(value, dict) and value:
        columns = [_evaluate(one, scores) for one in value.values()]
        return pa.StructArray.from_arrays(columns, [*value])
    raise _NoForm


def _same(expected: Mapping[str, pa.Array], got: Mapping[str, pa.Array]) -> bool:
    if list(expected) != list(got):
        return False
    # as text, -0.0 is not 0.0
    return all(
        expected[name].type == got[name].type
        and repr(expected[name].to_pylist()) == repr(got[name].to_pylist())
        for name in expected
    )
