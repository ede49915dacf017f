"""Nodes of an ONNX graph, added one after the other; each result is named after its node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import onnx
from onnx import helper, numpy_helper

ML: Final = "ai.onnx.ml"
OPSET: Final = 20  # StringConcat
ML_OPSET: Final = 5  # TreeEnsemble with thresholds of 64 bits
DOUBLE: Final = onnx.TensorProto.DOUBLE
INT64: Final = onnx.TensorProto.INT64
STRING: Final = onnx.TensorProto.STRING
BOOL: Final = onnx.TensorProto.BOOL


class Nodes:
    """A graph in the making."""

    def __init__(self) -> None:
        self.made: list[onnx.NodeProto] = []
        self.constants: dict[tuple[str, Any], str] = {}
        self.initializers: list[onnx.TensorProto] = []

    def add(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output and return the output's name."""
        name = f"{op}_{len(self.made)}"
        self.made.append(
            helper.make_node(op, list(inputs), [name], name=name, domain=domain, **attributes)
        )
        return name

    def constant(self, value: float | str | bool) -> str:
        """Return the name of a constant: a double, a text, or a truth."""
        key = (type(value).__name__, repr(value))  # 0.0 is not -0.0
        if key not in self.constants:
            name = f"constant_{len(self.constants)}"
            self.constants[key] = name
            self.initializers.append(tensor(name, [value]))
        return self.constants[key]

    def cast(self, name: str, to: int) -> str:
        """Return a tensor as another type."""
        return self.add("Cast", name, to=to)

    def encode(self, name: str, known: Mapping[Any, Any], default: Any) -> str:
        """Return what `known` has for each text, and else `default`; the values have its type."""
        keys, values = list(known), list(known.values())
        if not keys:  # an encoder has at least one key
            keys, values = ["\x02"], [default]
        return self.add(
            "LabelEncoder", name, domain=ML,
            keys_tensor=tensor("keys", keys),
            values_tensor=tensor("values", values),
            default_tensor=tensor("default", [default]),
        )  # fmt: skip

    def every(self, conditions: Sequence[str]) -> str:
        """Return whether all of these are so."""
        found = conditions[0]
        for one in conditions[1:]:
            found = self.add("And", found, one)
        return found


def tensor(name: str, values: Sequence[Any]) -> onnx.TensorProto:
    """Return values of one type as a tensor (n_values,): texts, doubles, whole numbers, truths."""
    if isinstance(values[0], str):
        encoded = [value.encode() for value in values]
        return helper.make_tensor(name, STRING, [len(values)], encoded)
    kind: Any = {bool: np.bool_, int: np.int64, float: np.float64}[type(values[0])]
    return numpy_helper.from_array(np.array(values, dtype=kind), name)
