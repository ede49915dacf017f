"""The pairs of DictVectorizer and estimator in what files hold, however they lie in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from scoring.errors import ArtifactError
from scoring.saved.arrays import Array, as_array, is_array
from scoring.saved.containers import Saved
from scoring.saved.sizes import check_size
from scoring.saved.stand_ins import Name, StandIn, walk

_LIBRARIES: Final = {"sklearn", "xgboost", "lightgbm", "catboost"}
# of scikit-learn, what prepares columns and predicts nothing
_PREPARING: Final = {
    "_loss", "compose", "decomposition", "feature_extraction", "feature_selection", "impute",
    "metrics", "preprocessing", "random_projection", "utils",
}  # fmt: skip
_SEARCHES: Final = {"GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV"}
_MAX_DEPTH: Final = 8  # of containers within containers
_MAX_ITEMS: Final = 1000  # of one container that are looked at
_LISTED: Final = 12  # names in a message

# Of the standard library, what lies beside models in honest files. Anything else of it (os.system,
# builtins.eval) is there to be run.
_HARMLESS: Final = {
    "array", "_codecs", "collections", "copyreg", "copy_reg", "datetime", "decimal", "fractions",
    "pathlib", "uuid", "zoneinfo",
}  # fmt: skip
_HARMLESS_BUILTINS: Final = {
    "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "object", "range",
    "set", "slice", "str", "tuple", "bool", "type", "Exception",
}  # fmt: skip

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Candidate:
    """One pair, and the name under which it is picked."""

    name: str
    vectorizer: StandIn
    estimator: StandIn

    @property
    def title(self) -> str:
        """The name, with the estimator's class."""
        kind = str(self.estimator.kind.name) if self.estimator.kind else "?"
        return self.name if self.name == kind else f"{self.name} ({kind})"


def check_names(saved: Sequence[Saved]) -> None:
    """Raise ArtifactError for a file that names what no model needs and an attack does."""
    for found in walk([file.roots for file in saved]):
        if not isinstance(found, Name):
            continue
        package = found.module.partition(".")[0]
        builtin = package in ("builtins", "__builtin__", "__builtins__")
        harmless = found.name in _HARMLESS_BUILTINS if builtin else package in _HARMLESS
        if (builtin or package in sys.stdlib_module_names) and not harmless:
            raise ArtifactError(
                f"the pickle names {str(found)!r}, which is not on the service's allow-list; "
                "nothing of it was run"
            )


def choose(
    saved: Sequence[Saved], pick: str | None, *, how: str = "choose one with --pick"
) -> Candidate:
    """Return the pair in the files, the one called `pick` where there are several.

    Raises ArtifactError where there is none, saying what was found and what would do, where there
    are several and `pick` does not tell, `how` saying what tells it, or where it comes to more than
    a file may hold.
    """
    check_names(saved)
    one = _chosen(saved, pick, how)
    check_size((one.vectorizer, one.estimator))
    return one


def _chosen(saved: Sequence[Saved], pick: str | None, how: str) -> Candidate:
    found = pairs(saved)
    if not found:
        raise ArtifactError(_nothing(saved))
    if pick is None:
        if len(found) == 1:
            return found[0]
        raise ArtifactError(f"there are {len(found)} models: {how}: {_names(found)}")
    named = [one for one in found if one.name == pick]
    named = named or [one for one in found if pick in _short_names(one)]
    if len(named) != 1:
        what = "several models are" if named else "no model is"
        raise ArtifactError(f"{what} called '{pick}'; there are: {_names(found)}")
    return named[0]


def pairs(saved: Sequence[Saved]) -> list[Candidate]:
    """Return every pair in the files. An estimator goes with the vectorizer that is nearest to it:
    in the same tuple, else in the same dictionary, else anywhere."""
    vectorizers: list[tuple[Path, StandIn]] = []
    estimators: list[tuple[Path, StandIn]] = []
    whole: list[tuple[Path, StandIn, StandIn]] = []
    for path, found in _objects(saved):
        steps = steps_of(found)
        if steps and is_vectorizer(steps[0][1]) and len(steps) > 1:
            rest = steps[1][1] if len(steps) == 2 else _pipeline(found, steps[1:])
            whole.append((path, steps[0][1], rest))
        elif is_vectorizer(found):
            vectorizers.append((path, found))
        elif steps or _is_estimator(found):
            estimators.append((path, found))
    for path, estimator in estimators:
        near = max((_shared(path, other) for other, _ in vectorizers), default=0)
        nearest = [(at, v) for at, v in vectorizers if _shared(path, at) == near]
        for at, vectorizer in nearest:
            label = (*path, "with", *at) if len(nearest) > 1 else path
            whole.append((label, vectorizer, estimator))
    return _named(whole)


def is_vectorizer(found: object) -> bool:
    """Say whether it stands for a DictVectorizer."""
    kind = found.kind if isinstance(found, StandIn) else None
    return kind is not None and kind.name == "DictVectorizer" and kind.module[:8] == "sklearn."


def steps_of(found: object) -> list[tuple[str, StandIn]]:
    """Return the steps of a Pipeline that do something; none of anything else."""
    kind = found.kind if isinstance(found, StandIn) else None
    if not isinstance(found, StandIn) or kind != Name("sklearn.pipeline", "Pipeline"):
        return []
    steps = found.attributes.get("steps")
    given = [step for step in steps if isinstance(step, list | tuple) and len(step) == 2] if (
        isinstance(steps, list)) else []  # fmt: skip
    return [(str(name), _best(step)) for name, step in given if isinstance(step, StandIn)]


def _pipeline(found: StandIn, steps: list[tuple[str, StandIn]]) -> StandIn:
    """Return the Pipeline of some of the steps of another."""
    state = {**found.attributes, "steps": steps, "memory": None}
    return StandIn(found.of, found.args, found.called, found.options, state)


def _best(found: StandIn) -> StandIn:
    """Return what a search over parameters settled on; anything else as it is."""
    if found.kind and found.kind.name in _SEARCHES:
        best = found.attributes.get("best_estimator_")
        return best if isinstance(best, StandIn) else found
    return found


def _is_estimator(found: object) -> bool:
    kind = found.kind if isinstance(found, StandIn) else None
    if kind is None or kind.module.partition(".")[0] not in _LIBRARIES:
        return False
    predicts = kind.name.endswith(("Regressor", "Classifier"))  # compose.TransformedTargetRegressor
    return predicts or not _PREPARING & set(kind.module.split("."))


def _objects(saved: Sequence[Saved]) -> Iterator[tuple[Path, StandIn]]:
    """Return what stands for objects in the files' containers, with the way to it."""
    roots: list[tuple[Path, Any]] = []
    for file in saved:
        head: Path = (file.name,) if len(saved) > 1 else ()
        several = len(file.roots) > 1
        roots += [((*head, n) if several else head, root) for n, root in enumerate(file.roots)]
    waiting, seen = roots[::-1], set()
    while waiting:
        path, found = waiting.pop()
        if id(found) in seen or len(path) > _MAX_DEPTH:
            continue
        seen.add(id(found))
        if isinstance(found, StandIn):
            found = _best(found)
            known = found.kind and found.kind.module.partition(".")[0] in _LIBRARIES
            if known:
                yield path, found
                continue
            inside: list[tuple[str | int, Any]] = [*found.attributes.items(), *found.pairs]
            inside += [*enumerate(found.items)]
            if is_array(found):
                inside = _objects_of(as_array(found))
        elif isinstance(found, np.ndarray):
            inside = _objects_of(found)
        elif isinstance(found, dict):
            inside = [*found.items()]
        elif isinstance(found, list | tuple):
            inside = [*enumerate(found)]
        else:
            continue
        waiting += [((*path, key if isinstance(key, int) else str(key)), value)
                    for key, value in inside[:_MAX_ITEMS]][::-1]  # fmt: skip


def _objects_of(found: Array) -> list[tuple[str | int, Any]]:
    """Return the items of an array of objects; of numbers, such as a table beside a model, none."""
    return [*enumerate(found.ravel().tolist())] if found.dtype.hasobject else []


def _shared(one: Path, other: Path) -> int:
    """Return how many steps of the way two objects share."""
    same = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        same += 1
    return same


def _named(whole: list[tuple[Path, StandIn, StandIn]]) -> list[Candidate]:
    """Return the pairs under the shortest names that tell them apart: the keys on the way."""
    found: list[Candidate] = []
    for path, vectorizer, estimator in whole:
        words = [str(part) for part in path if isinstance(part, str)]
        kind = estimator.kind.name if estimator.kind else "model"
        found.append(Candidate(".".join(words) or kind, vectorizer, estimator))
    names = [one.name for one in found]
    for place, (path, *_) in enumerate(whole):
        if names.count(names[place]) > 1:
            exact = ".".join(map(str, path)) or names[place]
            found[place] = Candidate(exact, found[place].vectorizer, found[place].estimator)
    return found


def _short_names(one: Candidate) -> set[str]:
    kind = one.estimator.kind
    return {one.name.rpartition(".")[2], *([kind.name] if kind else [])}


def _names(found: Sequence[Candidate]) -> str:
    more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    return ", ".join(one.title for one in found[:_LISTED]) + more


def _nothing(saved: Sequence[Saved]) -> str:
    """Say what the files hold in the place of a pair, and what would do."""
    objects = [found for _, found in _objects(saved)]
    kinds = [found.kind.name for found in objects if found.kind]
    first = next((steps_of(found)[0][1].kind for found in objects if steps_of(found)), None)
    head = f"{', '.join(file.name for file in saved)} holds no pair (DictVectorizer, estimator)"
    vectorizer = any(map(is_vectorizer, objects))
    if vectorizer and len(kinds) == 1:
        return f"{head} but a DictVectorizer alone: give the file of the model behind it"
    if first is not None:
        return (
            f"{head} but a Pipeline that begins with {first.name}, whose columns need a table: "
            "train it again on the table, python -m training.new NAME --data FILE --target COLUMN"
        )
    if kinds and not vectorizer:
        return (
            f"{head} but {', '.join(sorted({*kinds})[:5])} without a DictVectorizer: give the "
            "file of the DictVectorizer behind it"
        )
    if kinds:
        return f"{head} but {', '.join(sorted({*kinds})[:5])}: none of them predicts"
    return f"{head} but {_described(saved[0].roots[0])}"


def _described(root: Any) -> str:
    if isinstance(root, StandIn):
        return f"an object of {root.kind}" if root.kind else "an object of no class"
    if isinstance(root, dict):
        keys = ", ".join(repr(key)[:40] for key in [*root][:5])
        return f"a dictionary with {keys or 'nothing'}"
    if isinstance(root, list | tuple):
        kinds = ", ".join(sorted({type(item).__name__ for item in root[:100]})) or "nothing"
        return f"a {type(root).__name__} of {kinds}"
    return f"a {type(root).__name__}"
