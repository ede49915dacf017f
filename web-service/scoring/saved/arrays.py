"""numpy's arrays, numbers and types out of stand-ins: numbers, and texts that name classes, as
long as their bytes are."""

from __future__ import annotations

import io
import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from scoring.errors import ArtifactError
from scoring.saved.stand_ins import Name, StandIn, read_pickle

Array = npt.NDArray[Any]

_KINDS: Final = "biuf"
_TEXT: Final = "U"
_LAST_CHARACTER: Final = 0x10FFFF
_MAX_FIELDS: Final = 64
_BYTES: Final = {Name("_codecs", "encode"), Name("builtins", "bytes"), Name("__builtin__", "bytes")}
_MAX_LENGTH: Final = 1 << 40
_ARRAY_MAKERS: Final = {"_reconstruct", "_frombuffer", "scalar"}


def is_array(value: object) -> bool:
    """Say whether a value is an array, or a stand-in of one or of one of numpy's numbers."""
    if isinstance(value, np.ndarray | np.generic):
        return True
    kind = value.kind if isinstance(value, StandIn) else None
    return kind is not None and kind.name in _ARRAY_MAKERS and kind.module.startswith("numpy.")


def as_array(value: Any) -> Array:
    """Return the array of a stand-in, (its own shape); of objects, an array of stand-ins. Raises
    ArtifactError where it is none, or its bytes are not as many as its shape says."""
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value)
    if not is_array(value):
        raise _damaged("no array where one belongs")
    kind: Name = value.kind
    if kind.name == "scalar":
        dtype, data = (*value.args, None)[:2]
        return _shaped(data, as_dtype(dtype), (), fortran=False)
    if kind.name == "_frombuffer":
        data, dtype, shape, order = (*value.args, None, None, None, None)[:4]
        return _shaped(data, as_dtype(dtype), shape, fortran=order == "F")
    state = value.state
    if not isinstance(state, tuple) or len(state) != 5:
        raise _damaged("an array without its state")
    _, shape, dtype, fortran, data = state
    return _shaped(data, as_dtype(dtype), shape, fortran=bool(fortran))


def as_dtype(value: Any) -> np.dtype[Any]:
    """Return the type of a stand-in of `numpy.dtype`, of numbers, of fields of numbers, of texts or
    of objects. Raises ArtifactError for any other."""
    if isinstance(value, np.dtype):
        return value
    kind = value.kind if isinstance(value, StandIn) else None
    if kind is None or kind.name != "dtype" or not value.args:
        raise _damaged("an array of a type that is none")
    code, state = value.args[0], value.state
    state = state if isinstance(state, tuple) and len(state) >= 7 else (3, "|", None, None, None)
    order, names, fields = state[1], state[3], state[4]
    try:
        if names is not None:
            if len(names) > _MAX_FIELDS:
                raise _damaged("an array of too many fields")
            parts = [(as_dtype(fields[name][0]), int(fields[name][1])) for name in names]
            if any(part.kind not in _KINDS for part, _ in parts):
                raise _damaged("an array of fields that are no numbers")
            formats, offsets = [part for part, _ in parts], [at for _, at in parts]
            return np.dtype({"names": list(names), "formats": formats, "offsets": offsets,
                             "itemsize": int(state[5])})  # fmt: skip
        found: np.dtype[Any] = np.dtype(code)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise _damaged("an array of a type that is none") from error
    if (found.kind not in _KINDS and found.kind not in (_TEXT, "O")) or not found.itemsize:
        raise _damaged(f"an array of the type {str(code)[:20]!r}")
    return found.newbyteorder(order) if order in ("<", ">") else found


def read_joblib_array(record: StandIn, file: io.BytesIO) -> Array:
    """Return the array that stands in `file` behind joblib's record of it; of objects, as a pickle
    within it has them. Raises ArtifactError where the file ends before the array does."""
    told = record.attributes
    dtype = as_dtype(told.get("dtype"))
    if dtype.hasobject:
        return as_array(read_pickle(file, read_joblib_array))
    if told.get("numpy_array_alignment_bytes") is not None:
        file.read(int.from_bytes(file.read(1), "little"))
    shape = told.get("shape")
    size = _count(shape) * dtype.itemsize
    left = file.getbuffer().nbytes - file.tell()
    if size > left:
        raise _damaged(f"an array of {size} bytes where the file has {left} left")
    return _shaped(file.read(size), dtype, shape, fortran=told.get("order") == "F")


def _shaped(data: Any, dtype: np.dtype[Any], shape: Any, *, fortran: bool) -> Array:
    count = _count(shape)
    if dtype.kind == "O":
        if not isinstance(data, list) or len(data) != count:
            raise _damaged("an array whose shape is not that of its items")
        objects = np.empty(count, dtype=object)
        for place, item in enumerate(data):
            objects[place] = item
        return objects.reshape(shape, order="F" if fortran else "C")
    if isinstance(data, str):  # how protocols before 3 keep bytes
        data = data.encode("latin-1", "replace")
    if isinstance(data, StandIn) and data.kind in _BYTES:  # protocol 2: encode(text, "latin1")
        text = data.args[0] if data.args else ""
        data = text.encode("latin-1", "replace") if isinstance(text, str) else None
    if not isinstance(data, bytes | bytearray) or len(data) != count * dtype.itemsize:
        raise _damaged("an array whose shape is not that of its bytes")
    if dtype.kind == _TEXT:
        characters = np.frombuffer(data, dtype=np.dtype("u4").newbyteorder(dtype.byteorder))
        if characters.max(initial=0) > _LAST_CHARACTER:
            raise _damaged("a text of characters that there are not")
    made = np.frombuffer(data, dtype=dtype).reshape(shape, order="F" if fortran else "C")
    return made.astype(dtype.newbyteorder("="))  # a copy of its own, in this machine's order


def _count(shape: Any) -> int:
    whole = isinstance(shape, tuple) and all(type(n) is int and 0 <= n < _MAX_LENGTH for n in shape)
    if not whole or len(shape) > 8:
        raise _damaged("an array of a shape that is none")
    return math.prod(shape)


def _damaged(what: str) -> ArtifactError:
    return ArtifactError(f"the file cannot be read: it holds {what}")
