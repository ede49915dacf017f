"""Read a model saved by skops, with our allow-list: skops' own is longer, and the one that MLflow
keeps beside a model was written by whoever made the model.

The file is a zip with a schema that names every class. All names are looked at before skops makes
anything of it.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any, Final

from scoring.artifact.allow_list import allowed
from scoring.artifact.pickles import guarded
from scoring.errors import ArtifactError

# How skops rebuilds plain values and arrays. Its nodes for functions and methods are not here: no
# estimator that serves needs one, and they call what they name.
_NODES: Final = """
    BytearrayNode BytesNode CachedNode DictNode JsonNode ListNode LossNode NdArrayNode ObjectNode
    RandomGeneratorNode RandomStateNode SetNode SliceNode SparseMatrixNode TreeNode TupleNode
    TypeNode
"""
_PLAIN: Final = {
    "builtins": "bool bytearray bytes dict float int list set slice str tuple",
    "numpy": (
        "bool bool_ float32 float64 int8 int16 int32 int64 intp ndarray str_ uint8 uint16 uint32 "
        "uint64"
    ),
    "numpy.random._generator": "Generator",
    "numpy.random.mtrand": "RandomState",
    "scipy.sparse._csr": "csr_matrix csr_array",
}
_SCHEMA: Final = "schema.json"
_MAX_UNPACKED: Final = 4 * 1024**3  # bytes; what a zip holds can be far more than it weighs


def loads_skops(data: bytes, *, other_version: bool = False) -> tuple[Any, frozenset[str]]:
    """Return the object and the scikit-learn versions, other than ours, that wrote it. Raises
    ArtifactError for a class that is not allowed, a damaged file, or (unless `other_version`) a
    model of another minor version of scikit-learn."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            if sum(entry.file_size for entry in file.infolist()) > _MAX_UNPACKED:
                raise ArtifactError("the skops file unpacks to more than 4 GB")
            schema = json.loads(file.read(_SCHEMA))
    except ArtifactError:
        raise
    except Exception as error:  # a damaged zip raises many things
        raise ArtifactError(f"the skops file cannot be read: {type(error).__name__}") from error
    names = set(_named(schema))
    for module, name, node in sorted(names):
        plain = name in _PLAIN.get(module, "").split()
        if node not in _NODES.split() or not (plain or allowed(module, name)):
            raise ArtifactError(
                f"the skops file names {module}.{name} ({node}), which is not on the service's "
                "allow-list; nothing of it was run"
            )
    import skops.io  # takes a tenth of a second, which only such a file has to spend

    trusted = [f"{module}.{name}" for module, name, _ in names]
    return guarded(
        lambda: skops.io.loads(data, trusted=trusted),
        "the skops file",
        other_version=other_version,
    )


def _named(node: Any) -> Iterator[tuple[str, str, str]]:
    """Return (module, class, kind of node) of every node below `node`. A loop, as the schema may be
    deeper than Python's stack."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            if "__loader__" in found:
                words = (found.get("__module__"), found.get("__class__"), found["__loader__"])
                yield tuple(str(word) for word in words)  # type: ignore[misc]  # three of them
            waiting += found.values()
        elif isinstance(found, list):
            waiting += found
