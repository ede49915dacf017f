"""What a pair's parts mean: its positive class, its categories' spelling, numbers that are finite.

A pair of another maker can have the right shape and still answer wrongly. What cannot be decided
here without guessing is refused with an ArtifactError.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from scoring.errors import ArtifactError
from scoring.models import Model
from scoring.record import normalise
from scoring.values.field_schemas import choices_of, field_schemas
from scoring.values.shares import class_text

_POSITIVE: Final = {"1", "1.0", "true", "yes", "y", "t", "positive"}
_NEGATIVE: Final = {"0", "0.0", "-1", "-1.0", "false", "no", "n", "f", "negative"}


def positive_column(classes: Sequence[Any], positive: str | None) -> int:
    """Return the place of the positive one of two classes; `positive` names it where words such as
    yes and no, 1 and 0, true and false do not. Raises ArtifactError where it stays unknown."""
    names = [str(name) for name in classes]
    shown = " and ".join(repr(name) for name in names)
    if positive is not None:
        if names.count(positive) != 1:
            raise ArtifactError(f"the estimator's classes are {shown}; none is '{positive}'")
        return names.index(positive)
    words = [name.strip().lower() for name in names]
    for place in (0, 1):
        if words[place] in _POSITIVE and words[1 - place] in _NEGATIVE:
            return place
    raise ArtifactError(
        f"the estimator's classes are {shown}, and which one is the positive one is not known: "
        "take it in with python -m training.adopt ... --positive CLASS"
    )


def class_columns(classes: Sequence[Any], wanted: Sequence[str]) -> list[int]:
    """Return the place among an estimator's `classes` of each one `wanted`.

    They are told by their names, or are their own places, 0 to n - 1: an encoder's, or XGBoost's,
    which takes no others. Raises ArtifactError for other classes.
    """
    names = [class_text(name) for name in classes]
    if len(names) == len(wanted):
        if {*names} == {*wanted}:
            return [names.index(name) for name in wanted]
        if names == [str(place) for place in range(len(names))]:
            return [*range(len(names))]
    raise ArtifactError(
        f"the estimator's classes are {_listed(names)}; the model file has {_listed(wanted)}"
    )


def _listed(names: Sequence[str]) -> str:
    some = ", ".join(repr(name) for name in names[:6])
    return f"{some} and {len(names) - 6} more" if len(names) > 6 else some


def check_finite(names: Sequence[str], estimator: Any) -> None:
    """Raise ArtifactError for a weight, a scale, a leaf or a threshold that is NaN, a weight or a
    leaf that is infinite, and a scale of zero; `names` are the (n_features,) columns."""
    for step in parts_of(estimator):
        for attribute in ("coef_", "intercept_", "mean_", "scale_", "var_", "_baseline_prediction"):
            found: Any = getattr(step, attribute, None)
            numbers = _numbers(found)
            place = next((n for n, x in enumerate(numbers) if not math.isfinite(x)), None)
            if place is None and attribute == "scale_" and 0 in numbers:
                place = numbers.index(0)
            if place is not None:
                of = f" of '{names[place]}'" if len(numbers) == len(names) else ""
                raise ArtifactError(f"{type(step).__name__}.{attribute}{of} is {numbers[place]}")
        for leaves, thresholds in _trees(step):
            if not all(map(math.isfinite, _doubtful(leaves))):
                raise ArtifactError(f"{type(step).__name__} holds a leaf that is not a number")
            # one that parts what is missing from the rest is infinite
            if any(map(math.isnan, _doubtful(thresholds))):
                raise ArtifactError(f"{type(step).__name__} holds a threshold that is not a number")


def parts_of(estimator: Any) -> Iterator[Any]:
    """Yield an estimator, or what a Pipeline and the ColumnTransformers within it are made of."""
    inner = [*getattr(estimator, "steps", ()), *getattr(estimator, "transformers_", ())]
    if not inner:
        yield estimator
    for part in inner:
        yield from parts_of(part[1])


def _numbers(found: Any) -> list[float]:
    """Return the numbers of an array, of which some may not be finite; else none."""
    if isinstance(found, int | float):
        return [float(found)]
    if not hasattr(found, "ravel"):
        return []
    try:
        return [*map(float, found.ravel().tolist())]
    except (TypeError, ValueError) as error:  # an array of objects
        raise ArtifactError(f"a weight of it is no number: {error}") from error


def _doubtful(numbers: Any) -> list[float]:
    """Return an array's numbers where their sum tells that some may not be finite."""
    return [] if math.isfinite(numbers.sum()) else _numbers(numbers)


def _trees(step: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the leaves' values and the thresholds of each tree that scikit-learn scores."""
    grown = getattr(step, "estimators_", [step])
    for one in grown.ravel().tolist() if hasattr(grown, "ravel") else grown:  # (n_stages, n_trees)
        if hasattr(one, "tree_"):
            yield one.tree_.value, one.tree_.threshold
    for stage in getattr(step, "_predictors", ()):
        for tree in stage:
            yield tree.nodes["value"], tree.nodes["num_threshold"]


def trees_of(estimator: Any) -> list[Any]:
    """Return the `tree_` of each tree of a forest or of one tree; of trees that add up to a score,
    as in GradientBoosting, none: their leaves are no classes' counts."""
    grown = getattr(estimator, "estimators_", [estimator])
    return [one.tree_ for one in grown if hasattr(one, "tree_")]


def counts_to_shares(estimator: Any) -> None:
    """Turn the leaves' counts of classes into shares, which scikit-learn has kept since 1.4: a tree
    pickled before gives its counts as probabilities. Shares are left as they are."""
    for step in parts_of(estimator):
        if hasattr(step, "classes_"):
            for tree in trees_of(step):
                totals = tree.value.sum(axis=2, keepdims=True)
                if totals.min() > 0 and abs(totals - 1).max() > 1e-6:
                    tree.value[...] = tree.value / totals


def check_categories(known: Mapping[str, Collection[str]], model: Model) -> None:
    """Raise ArtifactError where none of a feature's categories is spelt as the model's code spells
    them; `known` are those that the vectorizer has, by feature."""
    listed = _choices(model)
    for name, value in model.features(model.record.model_validate(model.example)).items():
        if not isinstance(value, str) or not known.get(name):
            continue
        choices = listed.get(name, set())
        strange, missed = {*known[name]} - choices, choices - {*known[name]}
        if choices and strange and missed and len(missed) < len(choices):
            raise ArtifactError(
                f"the pair knows '{name}' as {_listed(sorted(strange))}, which '{model.name}' "
                f"never makes, and does not know {_listed(sorted(missed))}: spell them alike where "
                "it is trained"
            )
        if value in known[name]:
            continue
        if not choices and name not in model.record.model_fields:
            same = any(_shape(category) == _shape(value) for category in known[name])
        else:
            same = not choices or not choices.isdisjoint(known[name])
        if not same:
            some = ", ".join(repr(category) for category in sorted(known[name])[:3])
            raise ArtifactError(
                f"no category of '{name}' is spelt as '{model.name}' spells it: the pair knows "
                f"{some}, the code makes '{value}'"
            )


def respelled(vectorizer: Any, model: Model) -> tuple[Any, dict[str, str]]:
    """Return the DictVectorizer with its categories in the code's spelling, and what was changed,
    old column to new; itself where nothing was. A category is changed only where no other one reads
    the same: `Month-to-month` for a field with the choice `month-to-month`, `74.0_75.0` for
    `74_75`, and `007_008` for `7_8` where the code does not fill up with zeros."""
    separator, names = vectorizer.separator, list(vectorizer.feature_names_)
    if not (isinstance(separator, str) and separator):
        return vectorizer, {}  # which is refused later
    example = model.features(model.record.model_validate(model.example))
    listed, small = _choices(model), _small(model)
    changed: dict[str, str] = {}
    for column in names:
        name, found, category = column.partition(separator)
        value = example.get(name)
        if not found or not isinstance(value, str):
            continue
        choices = listed.get(name)
        if choices is not None:
            new = str(normalise(category))
            fits = category not in choices and new in choices
        else:
            new = re.sub(r"(?<=[0-9])\.0+(?![0-9])", "", category)
            new = _bare(new) if name in small and small[name] == _bare(small[name]) else new
            derived = name not in model.record.model_fields
            fits = derived and new != category and _shape(new) == _shape(value)
        if fits:
            changed[column] = f"{name}{separator}{new}"
    renamed = [changed.get(column, column) for column in names]
    if not changed or len(set(renamed)) != len(names):
        return vectorizer, {}
    vectorizer = copy.copy(vectorizer)
    vectorizer.feature_names_ = renamed
    vectorizer.vocabulary_ = {
        changed.get(column, column): place for column, place in vectorizer.vocabulary_.items()
    }
    return vectorizer, changed


def _choices(model: Model) -> dict[str, set[str]]:
    """Return the texts that a field may hold, by the names of those that list them."""
    fields = field_schemas(model.record)
    found = {
        name: {choice for choice in choices_of(field) if isinstance(choice, str)}
        for name, field in fields.items()
    }
    return {name: choices for name, choices in found.items() if choices}


def _bare(text: str) -> str:
    """`007_080` is `7_80`: its numbers without zeros before them."""
    return re.sub(r"(?<![0-9.])0+(?=[0-9])", "", text)


def _small(model: Model) -> dict[str, str]:
    """Return the categories of the example with its whole numbers as small as they may be, which
    show whether the code fills numbers up with zeros; none where that is no record."""
    fields = field_schemas(model.record)
    numbers = {n: f.get("minimum", 1) for n, f in fields.items() if f.get("type") == "integer"}
    try:
        found = model.features(model.record.model_validate({**model.example, **numbers}))
    except (ArithmeticError, LookupError, TypeError, ValueError):  # asked what nobody sends
        return {}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _shape(text: str) -> str:
    """`74_75` is `0_0`, `Astoria_74` is `a_0`: what a category looks like."""
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"[0-9]+", "0", text))
