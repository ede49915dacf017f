"""A stand-in with the attributes of the estimator that it stands for, as the compiler reads them:
numbers, arrays, trees. Its methods are not there, and nothing of its library is asked."""

from __future__ import annotations

import math
import re
from typing import Any, Final

from scoring.errors import ArtifactError
from scoring.saved.arrays import as_array, is_array
from scoring.saved.shapes import steps_of
from scoring.saved.stand_ins import Name, StandIn, walk

_STAMP: Final = "_sklearn_version"
_TREE: Final = Name("sklearn.tree._tree", "Tree")
_OLDEST: Final = (0, 24)


class View:
    """What a stand-in holds, by name. Each kind has a class of its own, named like the saved
    one."""

    def __init__(self, made: StandIn) -> None:
        self._made = made

    def __getattr__(self, name: str) -> Any:
        attributes = self._made.attributes
        if name not in attributes:
            raise AttributeError(name)
        found = _value(attributes[name])
        setattr(self, name, found)
        return found

    def __dir__(self) -> list[str]:
        return [name for name in self._made.attributes if isinstance(name, str)]


class _Tree(View):
    """scikit-learn's Tree, whose arrays of nodes are fields of one."""

    def __getattr__(self, name: str) -> Any:
        nodes = as_array(self._made.attributes.get("nodes"))
        columns = {"children_left": "left_child", "children_right": "right_child"}
        if name == "value":
            found = as_array(self._made.attributes.get("values"))
            if found.ndim != 3 or len(found) != len(nodes):
                raise ArtifactError("a tree has not as many values as nodes")
        elif name == "node_count":
            return len(nodes)
        elif columns.get(name, name) in (nodes.dtype.names or ()):
            found = nodes[columns.get(name, name)]
        else:
            raise AttributeError(name)
        setattr(self, name, found)
        return found


def view(made: StandIn) -> Any:
    """Return the view of a stand-in, one for each; its type is named like the saved class."""
    if made.view is None:
        made.view = _view(made)
    return made.view


def _view(made: StandIn) -> Any:
    kind = made.kind
    base = _Tree if kind == _TREE else View
    known = kind is not None and kind.module.partition(".")[0] == "sklearn"
    # only scikit-learn's own: a class of somebody else's may bear the name and predict otherwise
    name = kind.name if kind and known else str(kind)
    return type(name, (base,), {})(made)


def _value(found: Any) -> Any:
    if is_array(found):
        array = as_array(found)
        if array.dtype == object:
            array = array.copy()
            for place, item in enumerate(array.flat):
                array.flat[place] = _value(item)
        return array if array.ndim else array[()]
    if isinstance(found, StandIn):
        return view(found)
    if isinstance(found, list):
        return [_value(item) for item in found]
    if isinstance(found, tuple):
        return tuple(_value(item) for item in found)
    return found


def stamps(pair: object) -> set[str]:
    """Return the versions of scikit-learn that saved what is in a pair. Raises ArtifactError for a
    stamp that is none."""
    found = {
        part.attributes[_STAMP]
        for part in walk(pair)
        if isinstance(part, StandIn) and isinstance(part.attributes.get(_STAMP), str)
    }
    for stamp in found:
        if not re.fullmatch(r"[0-9][0-9A-Za-z.+-]{0,40}", stamp):
            raise ArtifactError("it names no version of scikit-learn that there could be")
    return found


def saved_parameters(made: StandIn) -> dict[str, Any]:
    """Return the parameters of a saved estimator, or of a Pipeline's last step, that are plain
    values."""
    plain = (str, int, float, bool, type(None))
    steps = steps_of(made)
    held = (steps[-1][1] if steps else made).attributes.items()
    own = {k: v for k, v in held if isinstance(k, str) and k.strip("_") == k}
    return {
        k: v
        for k, v in sorted(own.items())
        if isinstance(v, plain) and not (isinstance(v, float) and not math.isfinite(v))
    }


def minor(version: str) -> tuple[int, int]:
    """Return (1, 9) of "1.9.1"; (0, 0) of what is no number."""
    found = re.match(r"(\d{1,4})\.(\d{1,4})", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def check_readable(versions: set[str], ours: str) -> None:
    """Raise ArtifactError for a version whose arrays are not known: before 0.24, or after ours."""
    for version in sorted(versions):
        if minor(version) < _OLDEST:
            raise ArtifactError(
                f"it was saved by scikit-learn {version}; those since 0.24 can be read: load it "
                "there and save it with a later one, or train it again"
            )
        if minor(version) > minor(ours):
            raise ArtifactError(
                f"it was saved by scikit-learn {version}, which is newer than this service's "
                f"{ours}: save it with {ours} or train it again"
            )
