"""Read a pickle as data: each class or function that it names, and each object that it would make
with one, becomes a stand-in that remembers what was asked for. Nothing is imported or called.

Memory is bounded by the file: no length that it claims is believed beyond the bytes that are there.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np

from scoring.errors import ArtifactError

_WRAPPER: Final = ("joblib.numpy_pickle", "NumpyArrayWrapper")
_OLD_WRAPPERS: Final = {"NDArrayWrapper", "ZNDArrayWrapper"}
_MAX_OBJECTS: Final = 1000  # pickled one after the other into one file


@dataclass(frozen=True)
class Name:
    """A class or function that the file names."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False)
class StandIn:
    """An object that the file would make: `of(*args, **options)` where `called`, else
    `of.__new__(of, *args, **options)`; then given `items`, `pairs` and `state`."""

    of: Any  # a Name, in a sane file
    args: tuple[Any, ...]
    called: bool = True
    options: dict[str, Any] = field(default_factory=dict)
    state: Any = None
    items: list[Any] = field(default_factory=list)
    pairs: list[tuple[Any, Any]] = field(default_factory=list)
    view: Any = None  # of whoever looks into it, kept with it

    @property
    def kind(self) -> Name | None:
        """The class of the object, or the function that would make it."""
        return self.of if isinstance(self.of, Name) else None

    @property
    def attributes(self) -> dict[str, Any]:
        """What the object would hold by name; empty where it keeps its state otherwise."""
        found = self.state[0] if isinstance(self.state, tuple) and self.state else self.state
        return found if isinstance(found, dict) else {}

    def append(self, item: Any) -> None:
        """Take an item, as a pickle's instructions give it to a list."""
        self.items.append(item)

    def extend(self, items: list[Any]) -> None:
        """Take items, as a pickle's instructions give them to a list."""
        self.items.extend(items)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.pairs.append((key, value))


# How protocols 0 and 1 make an object of a class: _reconstructor(class, object, None).
_RECONSTRUCTORS: Final = {Name("copyreg", "_reconstructor"), Name("copy_reg", "_reconstructor")}


class _Reader(pickle._Unpickler):
    """The unpickler that is written in Python, with stand-ins in the place of objects."""

    def __init__(self, file: io.BytesIO, read_array: Callable[[StandIn, Any], Any]) -> None:
        super().__init__(file)
        self._file = file
        self._read_array = read_array

    def find_class(self, module: str, name: str) -> Any:
        return Name(module, name)

    def get_extension(self, code: int) -> None:
        raise pickle.UnpicklingError(f"extension {code}")

    def _make(self, of: Any, args: Any, *, called: bool, options: Any = None) -> StandIn:
        if not isinstance(args, tuple):
            raise pickle.UnpicklingError("arguments that are none")
        if isinstance(of, Name) and of in _RECONSTRUCTORS and args[2:] == (None,):
            return StandIn(args[0], (), called=False)
        return StandIn(of, args, called, dict(options or {}))

    def load_reduce(self) -> None:
        args = self.stack.pop()  # type: ignore[attr-defined]  # typeshed leaves the stack out
        self.stack[-1] = self._make(self.stack[-1], args, called=True)  # type: ignore[attr-defined]

    def load_newobj(self) -> None:
        args = self.stack.pop()  # type: ignore[attr-defined]
        self.stack[-1] = self._make(self.stack[-1], args, called=False)  # type: ignore[attr-defined]

    def load_newobj_ex(self) -> None:
        options = self.stack.pop()  # type: ignore[attr-defined]
        args = self.stack.pop()  # type: ignore[attr-defined]
        made = self._make(self.stack[-1], args, called=False, options=options)  # type: ignore[attr-defined]
        self.stack[-1] = made  # type: ignore[attr-defined]

    def _instantiate(self, klass: Any, args: list[Any]) -> None:  # of protocol 0
        self.append(self._make(klass, tuple(args), called=True))  # type: ignore[attr-defined]

    def load_build(self) -> None:
        state = self.stack.pop()  # type: ignore[attr-defined]
        target = self.stack[-1]  # type: ignore[attr-defined]
        if not isinstance(target, StandIn):
            raise ArtifactError("the pickle changes a class or function of a library")
        if target.state is not None:
            raise pickle.UnpicklingError("a second state")
        target.state = state
        kind = target.kind
        if kind and (kind.module, kind.name) == _WRAPPER:
            self.stack[-1] = self._read_array(target, self._file)  # type: ignore[attr-defined]
        elif kind and kind.name in _OLD_WRAPPERS and kind.module.startswith("joblib."):
            raise ArtifactError(
                "the file was written by joblib before 0.10, which kept its arrays in other files: "
                "load it where it was made and write it again with joblib.dump"
            )

    def _check_keys(self, keys: list[Any]) -> None:
        # tuples of tuples, each twice the one before, would take forever to be hashed
        for key in keys:
            if isinstance(key, tuple) and any(isinstance(part, tuple) for part in key):
                raise pickle.UnpicklingError("a key made of tuples of tuples")

    def load_setitem(self) -> None:
        self._check_keys([self.stack[-2]])  # type: ignore[attr-defined]
        super().load_setitem()  # type: ignore[misc]

    def load_setitems(self) -> None:
        self._check_keys(self.stack[::2])  # type: ignore[attr-defined]
        super().load_setitems()  # type: ignore[misc]

    def load_dict(self) -> None:
        self._check_keys(self.stack[::2])  # type: ignore[attr-defined]
        super().load_dict()  # type: ignore[misc]

    def load_additems(self) -> None:
        self._check_keys(self.stack)  # type: ignore[attr-defined]
        super().load_additems()  # type: ignore[misc]

    def load_frozenset(self) -> None:
        self._check_keys(self.stack)  # type: ignore[attr-defined]
        super().load_frozenset()  # type: ignore[misc]

    def load_bytearray8(self) -> None:
        size = int.from_bytes(self.read(8), "little")  # type: ignore[attr-defined]
        if size > self._file.getbuffer().nbytes:  # it would be allocated before it is read
            raise pickle.UnpicklingError("a length beyond the file")
        self.append(bytearray(self.read(size)))  # type: ignore[attr-defined]

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = {
        **pickle._Unpickler.dispatch,
        pickle.REDUCE[0]: load_reduce,
        pickle.NEWOBJ[0]: load_newobj,
        pickle.NEWOBJ_EX[0]: load_newobj_ex,
        pickle.BUILD[0]: load_build,
        pickle.BYTEARRAY8[0]: load_bytearray8,
        pickle.SETITEM[0]: load_setitem,
        pickle.SETITEMS[0]: load_setitems,
        pickle.DICT[0]: load_dict,
        pickle.ADDITEMS[0]: load_additems,
        pickle.FROZENSET[0]: load_frozenset,
    }


def read_pickle(file: io.BytesIO, read_array: Callable[[StandIn, Any], Any]) -> Any:
    """Return what the pickle at the place of `file` holds; the file is left behind its end. Raises
    anything for damaged bytes."""
    return _Reader(file, read_array).load()


def read_pickles(data: bytes, read_array: Callable[[StandIn, Any], Any]) -> list[Any]:
    """Return what each pickle in `data` holds, one or several one after the other, as plain Python
    values and stand-ins. `read_array` reads the array that follows joblib's record of one.

    Raises ArtifactError for bytes that are no pickle.
    """
    file = io.BytesIO(data)
    found: list[Any] = []
    try:
        while file.tell() < len(data) and len(found) < _MAX_OBJECTS:
            found.append(read_pickle(file, read_array))
    except ArtifactError:
        raise
    except Exception as error:  # damaged bytes can raise anything at all
        raise ArtifactError(f"the pickle cannot be read: {type(error).__name__}") from error
    if not found:
        raise ArtifactError("the pickle cannot be read: it is empty")
    return found


def walk(root: Any) -> Iterator[Any]:
    """Return `root` and all that it holds, each object once, without recursion: a file can nest
    deeper than Python's stack, and refer to the same list a million times."""
    waiting, seen = [root], set()
    while waiting:
        found = waiting.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        if isinstance(found, StandIn):
            waiting += [found.of, found.args, found.options, found.state, found.items]
            waiting += [found.pairs]
        elif isinstance(found, dict):
            waiting += [*found.keys(), *found.values()]
        elif isinstance(found, list | tuple | set | frozenset):
            waiting += found
        elif isinstance(found, np.ndarray) and found.dtype.hasobject:
            waiting += found.ravel().tolist()
