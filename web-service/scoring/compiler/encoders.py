"""The numbers that stand for categories, read from the pipeline that a training makes.

one-hot columns --(FunctionTransformer: times a matrix)--> a code a category, numbers
--(ColumnTransformer: TargetEncoder of the codes, passthrough)--> numbers --> trees
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction import DictVectorizer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, TargetEncoder
from sklearn.utils.extmath import safe_sparse_dot

from scoring.compiler.ensembles import NotFlat
from scoring.scorers.means import Category, Header

_STEPS: Final = 3


class Encoded(NamedTuple):
    """The names of the numbers that an estimator gets, in the order of its columns, and what stands
    for categories among them."""

    names: list[str]
    header: Header


class _Number(NamedTuple):
    """A number that stands for a category: its name, and what it is for an entry of the matrix,
    which is zero for a value that training never saw."""

    name: str
    column: int
    of: Callable[[float], float]


def is_encoded(estimator: Any) -> bool:
    """Say whether it is a Pipeline in which a TargetEncoder makes numbers of categories."""
    return isinstance(estimator, Pipeline) and any(
        isinstance(how, TargetEncoder)
        for _, step in estimator.steps
        for _, how, _ in getattr(step, "transformers_", ())
    )


def encoded(vectorizer: DictVectorizer, estimator: Any) -> Encoded:
    """Return what the steps before the estimator do. Raises NotFlat for any other steps."""
    steps = [step for _, step in estimator.steps]
    known = len(steps) == _STEPS and isinstance(steps[1], ColumnTransformer)
    if not (known and isinstance(steps[0], FunctionTransformer)):
        raise NotFlat("a TargetEncoder among other steps than training's has no compiled form")
    if steps[0].func is not safe_sparse_dot:
        raise NotFlat("a TargetEncoder behind another function has no compiled form")
    matrix = np.asarray(steps[0].kw_args["b"])  # (n_columns, n_codes)
    columns = [name.partition(vectorizer.separator) for name in vectorizer.feature_names_]
    names: list[str] = []
    numbers: dict[str, list[_Number]] = {head: [] for head, found, _ in columns if found}
    for _, how, places in steps[1].transformers_:
        for number, place in enumerate(places):
            head, is_category = _feature(columns, matrix[:, place])
            if isinstance(how, TargetEncoder) and not is_category:
                raise NotFlat(f"a TargetEncoder of the number '{head}' has no compiled form")
            name = f"{head} {len(numbers[head])}" if is_category else head
            if is_category:
                of = _looked_up(how, number) if isinstance(how, TargetEncoder) else float
                numbers[head].append(_Number(name, place, of))
            names.append(name)
    categories = {
        head: Category(
            numbers=[one.name for one in found],
            values={
                value: [one.of(float(row[one.column])) for one in found]
                for row, (of, _, value) in zip(matrix, columns, strict=True)
                if of == head
            },
            unseen=[one.of(0.0) for one in found],
        )
        for head, found in numbers.items()
    }
    return Encoded(names, Header(separator=vectorizer.separator, categories=categories))


def _looked_up(encoder: TargetEncoder, place: int) -> Callable[[float], float]:
    """Return what an encoder makes of the code of its column at `place`."""
    codes, numbers = encoder.categories_[place].tolist(), encoder.encodings_[place].tolist()
    known = dict(zip(codes, numbers, strict=True))
    mean = float(encoder.target_mean_)
    return lambda code: known.get(code, mean)


def _feature(columns: list[tuple[str, str, str]], entries: Any) -> tuple[str, bool]:
    """Return the feature of which a column of the matrix is made, and whether it is a category.
    Raises NotFlat where it is made of several, or is a number's multiple."""
    made_of = {columns[row][:2] for row in np.flatnonzero(entries)}
    if not made_of:  # the same for all of them
        made_of = {next((column[:2] for column in columns if column[1]), ("", ""))}
    [(head, found), *others] = made_of
    if others or not head or (not found and entries.sum() != 1):
        raise NotFlat("a matrix that mixes features has no compiled form")
    return head, bool(found)
