"""What a graph makes of the sums of several classes: probabilities, and the most likely class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnx
from onnx import helper

from training.export.form import Form
from training.export.onnx_nodes import DOUBLE, STRING, Nodes, tensor


def enumerate_weights(form: Form, feature: str, at: int) -> Iterator[tuple[float, float]]:
    """Yield the code of each category of a feature with its weight for the class at a place."""
    for code, weights in enumerate(form.known(feature).values()):
        yield float(code), weights[at]


def of_classes(
    nodes: Nodes, form: Form, totals: Sequence[str], valid: str
) -> list[onnx.ValueInfoProto]:
    """Add the outputs: `score`, the probabilities (n_records, n_classes), NaN where not `valid`
    (n_records,), and the answer's keys."""
    nodes.initializers.append(tensor("class_axis", [1]))
    columns = [nodes.add("Unsqueeze", total, "class_axis") for total in totals]
    sums = nodes.add("Concat", *columns, axis=1)
    if form.link == "softmax":
        shares = nodes.add("Softmax", sums, axis=1)
    elif form.link == "logistic":
        each = nodes.add("Sigmoid", sums)
        shares = nodes.add("Div", each, nodes.add("ReduceSum", each, "class_axis", keepdims=1))
    else:
        shares = sums
    rows = nodes.add("Unsqueeze", valid, "class_axis")
    nan = nodes.constant(float("nan"))
    nodes.made.append(helper.make_node("Where", [rows, shares, nan], ["score"], name="score"))
    wide: list[str | int | None] = ["n_records", len(form.classes)]
    found = [helper.make_tensor_value_info("score", DOUBLE, wide)]
    for one in form.answers:
        shape: list[str | int | None] = ["n_records"]
        output = one.name if one.name not in ("score", "unseen") else f"{one.name}_"
        if one.kind == "most_likely":
            place = nodes.add("ArgMax", "score", axis=1, keepdims=0)
            names = nodes.encode(place, dict(enumerate(form.classes)), "")
            made, kind = ("Identity", [names]), STRING
        elif one.kind == "score":
            most = nodes.add("ReduceMax", "score", "class_axis", keepdims=0)
            made, kind = ("Identity", [most]), DOUBLE
        else:
            made, kind, shape = ("Identity", ["score"]), DOUBLE, wide
        nodes.made.append(helper.make_node(*made, [output], name=f"answer_{one.name}"))
        found.append(helper.make_tensor_value_info(output, kind, shape))
    return found
