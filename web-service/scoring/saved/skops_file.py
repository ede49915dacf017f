"""A skops file read as the same data that a pickle is."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from scoring.errors import ArtifactError
from scoring.saved.stand_ins import Name, StandIn

_SCHEMA: Final = "schema.json"
_MAX_SCHEMA: Final = 1 << 26  # 64 MiB of JSON


def read_skops(data: bytes, limit: int) -> Any:
    """Return what a skops file holds, as plain Python values, arrays and stand-ins. Raises
    ArtifactError for a zip that is none, that is damaged, or that unpacks to more than `limit`
    bytes."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            if _SCHEMA not in file.namelist():
                raise ArtifactError("it is a zip file, not one of skops: give the file in it")
            if sum(entry.file_size for entry in file.infolist()) > limit:
                raise ArtifactError(f"it unpacks to more than {limit >> 20} MiB")
            if file.getinfo(_SCHEMA).file_size > _MAX_SCHEMA:
                raise ArtifactError(f"its schema has more than {_MAX_SCHEMA >> 20} MiB")
            return _Schema(file, limit).value(json.loads(file.read(_SCHEMA)))
    except ArtifactError:
        raise
    except Exception as error:  # a damaged zip or schema raises many things
        raise ArtifactError(f"the skops file cannot be read: {type(error).__name__}") from error


class _Schema:
    """Turns the nodes of a schema into values; the same node into the same value."""

    def __init__(self, file: zipfile.ZipFile, limit: int) -> None:
        self._file, self._limit, self._left = file, limit, limit
        self._known: dict[Any, Any] = {}

    def value(self, node: dict[str, Any]) -> Any:
        kind = node["__loader__"]
        if kind not in _VALUES and node.get("__id__") in self._known:
            return self._known[node["__id__"]]
        read = _READERS.get(kind)
        if read is None:
            raise ArtifactError(
                f"the skops file holds {node['__module__']}.{node['__class__']} as a {kind}, which "
                "is not on the service's allow-list; nothing of it was run: save it without that"
            )
        found = read(self, node)
        if kind not in _VALUES:
            self._known[node.get("__id__")] = found
        return found

    def json(self, node: dict[str, Any]) -> Any:
        return json.loads(node["content"])

    def mapping(self, node: dict[str, Any]) -> Any:
        kinds = [kind["__class__"] for kind in node["key_types"]["content"]]
        turn: dict[str, Callable[[str], Any]] = {"int": int, "float": float}
        pairs = zip(node["content"].items(), kinds, strict=True)
        return {turn.get(kind, str)(key): self.value(item) for (key, item), kind in pairs}

    def sequence(self, node: dict[str, Any]) -> Any:
        make: Any = {"tuple": tuple, "set": set, "frozenset": frozenset}
        return make.get(node["__class__"], list)(self.value(item) for item in node["content"])

    def array(self, node: dict[str, Any]) -> Any:
        if node["type"] == "numpy":
            found = np.load(io.BytesIO(self.bytes(node)), allow_pickle=False)
            return found if found.ndim or node["__class__"] == "ndarray" else found[()]
        shape = self.value(node["shape"])
        items = self._flat(node["content"], len(shape))
        made = np.empty(len(items), dtype=object)
        for place, item in enumerate(items):
            made[place] = item
        return made.reshape(shape)

    def _flat(self, nodes: list[Any], depth: int) -> list[Any]:
        """Return the items of lists within lists, as an array of objects is kept."""
        for _ in range(depth - 1):
            nodes = [item for node in nodes for item in node["content"]]
        return [self.value(node) for node in nodes]

    def bytes(self, node: dict[str, Any]) -> Any:
        # counted each time: a thousand nodes may name the same file
        self._left -= self._file.getinfo(node["file"]).file_size
        if self._left < 0:
            raise ArtifactError(f"it unpacks to more than {self._limit >> 20} MiB")
        return self._file.read(node["file"])

    def type(self, node: dict[str, Any]) -> Any:
        return Name(node["__module__"], node["__class__"])

    def slice(self, node: dict[str, Any]) -> Any:
        parts = tuple(node["content"][name] for name in ("start", "stop", "step"))
        if not all(part is None or type(part) is int for part in parts):
            raise ArtifactError("the skops file cannot be read: it holds a slice of no numbers")
        return StandIn(Name("builtins", "slice"), parts)

    def dtype(self, node: dict[str, Any]) -> Any:
        return self.value(node["content"]).dtype

    def object(self, node: dict[str, Any]) -> Any:
        made = StandIn(self.type(node), (), called=False)
        self._known[node.get("__id__")] = made  # its state may hold it
        made.state = self.value(node["content"])
        return made

    def reduced(self, node: dict[str, Any]) -> Any:
        """Of a class that is made by a call: scikit-learn's trees and losses."""
        made = StandIn(self.type(node), tuple(self.value(node["__reduce__"]["args"])))
        made.state = self.value(node["content"]) or None  # skops sets none that is empty either
        return made


# Plain values, whose ids skops may give to several.
_VALUES: Final = {"JsonNode", "TypeNode", "RandomStateNode", "RandomGeneratorNode"}
_READERS: Final[dict[str, Callable[[_Schema, dict[str, Any]], Any]]] = {
    "JsonNode": _Schema.json,
    "DictNode": _Schema.mapping,
    "ListNode": _Schema.sequence,
    "TupleNode": _Schema.sequence,
    "SetNode": _Schema.sequence,
    "NdArrayNode": _Schema.array,
    "TypeNode": _Schema.type,
    "DTypeNode": _Schema.dtype,
    "ObjectNode": _Schema.object,
    "TreeNode": _Schema.reduced,
    "LossNode": _Schema.reduced,
    "SliceNode": _Schema.slice,
    "BytesNode": _Schema.bytes,
    "BytearrayNode": lambda schema, node: bytearray(schema.bytes(node)),
    # a prediction draws no numbers
    "RandomStateNode": lambda _schema, _node: None,
    "RandomGeneratorNode": lambda _schema, _node: None,
}
