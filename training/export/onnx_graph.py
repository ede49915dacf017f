"""A model as an ONNX graph that takes the record: one input a field, (n_records,) each.

Text is joined by StringConcat and looked up by LabelEncoder in double; trees are a TreeEnsemble of
64 bits. A category that a record lacks is the text ABSENT on its way through the graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import onnx
from onnx import helper

from scoring.scorers.linear import Linear
from scoring.scorers.trees import Trees
from training.export.form import Category, Feature, Form, Lookup
from training.export.onnx_classes import enumerate_weights, of_classes
from training.export.onnx_codes import Codes, codes_of
from training.export.onnx_fields import ABSENT, has, spelled_out, text_of, valid
from training.export.onnx_nodes import (
    BOOL,  # fmt: skip
    DOUBLE,
    INT64,
    ML,
    ML_OPSET,
    OPSET,
    STRING,
    Nodes,
    tensor,
)
from training.export.onnx_trees import ensemble, told_of

FILE: Final = "model.onnx"
_UNSEEN, _ABSENT_CODE = -1.0, -3.0  # in the place of a category's code
_TYPES: Final = {"integer": INT64, "number": DOUBLE, "flag": BOOL, "text": STRING}
_IR_VERSION: Final = 9


def onnx_files(form: Form) -> dict[str, bytes]:
    """Return the file by its name."""
    return {FILE: onnx_model(form).SerializeToString(deterministic=True)}


def onnx_model(form: Form) -> onnx.ModelProto:
    """Return the model; it has passed onnx's own checker."""
    nodes = Nodes()
    texts = {one.name: text_of(nodes, one) for one in form.inputs if one.kind == "text"}
    checks = [part for one in form.inputs for part in valid(nodes, one, texts)]
    is_valid = nodes.every(checks)
    named, unseen = _categories(nodes, form, texts)
    totals = _totals(nodes, form, named, texts)
    if form.classes:
        outputs = of_classes(nodes, form, totals, is_valid)
    else:
        [total] = totals
        score = nodes.add("Sigmoid", total) if form.linked == "logistic" else total
        nan = nodes.constant(float("nan"))
        nodes.made.append(
            helper.make_node("Where", [is_valid, score, nan], ["score"], name="score")
        )
        outputs = [_info("score", DOUBLE)]
        outputs += [_answer(nodes, one.name, one.kind, one.threshold) for one in form.answers]
    if unseen:
        axis = tensor("axis", [1])
        nodes.initializers.append(axis)
        columns = [nodes.add("Unsqueeze", name, "axis") for name in unseen]
        nodes.made.append(helper.make_node("Concat", columns, ["unseen"], name="unseen", axis=1))
        outputs.append(helper.make_tensor_value_info("unseen", BOOL, ["n_records", len(unseen)]))
    inputs = [_info(one.name, _TYPES[one.kind]) for one in form.inputs]
    inputs += [_info(has(one), BOOL) for one in form.inputs if one.nullable]
    graph = helper.make_graph(nodes.made, form.model.name, inputs, outputs, nodes.initializers)
    made = helper.make_model(
        graph, producer_name="training.export", ir_version=_IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(ML, ML_OPSET)],
    )  # fmt: skip
    helper.set_model_props(made, {
        "model": form.model.name, "version": form.version, "sha256": form.manifest.sha256,
        "estimator": form.manifest.estimator, "threshold": repr(form.manifest.threshold),
        "unseen": "\n".join(feature.name for feature in form.categories), **told_of(form),
    })  # fmt: skip
    onnx.checker.check_model(made, full_check=True)
    return made


def _info(name: str, kind: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, ["n_records"])


def _answer(nodes: Nodes, name: str, kind: str, threshold: float) -> onnx.ValueInfoProto:
    inputs = {
        "score": ("Identity", ["score"]),
        "not_negative": ("Max", ["score", nodes.constant(0.0)]),
        "at_least": ("GreaterOrEqual", ["score", nodes.constant(threshold)]),
    }
    op, words = inputs[kind]
    output = name if name not in ("score", "unseen") else f"{name}_"
    nodes.made.append(helper.make_node(op, words, [output], name=f"answer_{name}"))
    return _info(output, BOOL if kind == "at_least" else DOUBLE)


def _joined(nodes: Nodes, form: Form, feature: Category, texts: Mapping[str, str]) -> str:
    found = ""
    for piece in feature.parts:
        if isinstance(piece, str):
            text = nodes.constant(piece)
        else:
            text = spelled_out(nodes, form.input(piece[1]), texts)
        found = nodes.add("StringConcat", found, text) if found else text
    return found


def _numbered(nodes: Nodes, codes: Codes) -> str:
    found = ""
    for name, (low, size) in zip(codes.feature.fields, codes.spans, strict=True):
        value = nodes.add("Sub", nodes.cast(name, DOUBLE), nodes.constant(float(low)))
        scaled = nodes.add("Mul", found, nodes.constant(float(size))) if found else ""
        found = nodes.add("Add", scaled, value) if scaled else value
    return found


def _looked_up(nodes: Nodes, form: Form, feature: Lookup, texts: Mapping[str, str]) -> str:
    """Return the text by which a lookup finds its value."""
    found = ""
    for name in feature.fields:
        text = spelled_out(nodes, form.input(name), texts)
        text = nodes.add("StringConcat", text, nodes.constant("\x1f"))
        found = nodes.add("StringConcat", found, text) if found else text
    return found


def _keys(feature: Lookup, absent: Any) -> dict[str, Any]:
    found = {}
    for key, value in feature.values.items():
        words = [ABSENT if one is None else str(int(one) if not isinstance(one, str) else one)
                 for one in key]  # fmt: skip
        found["".join(f"{word}\x1f" for word in words)] = absent if value is None else value
    return found


def _categories(
    nodes: Nodes, form: Form, texts: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Return what each category comes to (its weight, or its code), and whether it is unseen."""
    linear = form.kind == "linear" and not form.classes
    named, unseen = {}, []
    for feature in form.categories:
        if linear:
            known = {text: weight for text, [weight] in form.known(feature.name).items()}
            default, absent = float("nan"), 0.0
        else:
            known = {text: float(place) for place, text in enumerate(form.known(feature.name))}
            default, absent = _UNSEEN, _ABSENT_CODE
        codes = codes_of(form, feature, known) if known else None
        if codes is not None:  # much faster than texts
            numbered = {codes.number(text): weight for text, weight in known.items()}
            code = nodes.encode(_numbered(nodes, codes), numbered, default)
        else:
            if isinstance(feature, Category):
                text = _joined(nodes, form, feature, texts)
            else:
                keys = _keys(feature, ABSENT)
                text = nodes.encode(_looked_up(nodes, form, feature, texts), keys, ABSENT)
            code = nodes.encode(text, {**known, ABSENT: absent}, default)
        if linear:
            new = nodes.add("IsNaN", code)
            code = nodes.add("Where", new, nodes.constant(0.0), code)
        else:
            new = nodes.add("Equal", code, nodes.constant(_UNSEEN))
        named[feature.name] = code
        unseen.append(new)
    return named, unseen


def _number(nodes: Nodes, form: Form, feature: Feature, texts: Mapping[str, str]) -> str:
    """Return a number as a double, zero where the record has none."""
    if isinstance(feature, Lookup):
        return nodes.encode(_looked_up(nodes, form, feature, texts), _keys(feature, 0.0), 0.0)
    assert not isinstance(feature, Category)  # noqa: S101  # for the type checker
    one = form.input(feature.field)
    name = one.name if one.kind == "number" else nodes.cast(one.name, DOUBLE)
    return nodes.add("Where", has(one), name, nodes.constant(0.0)) if one.nullable else name


def _totals(
    nodes: Nodes, form: Form, named: Mapping[str, str], texts: Mapping[str, str]
) -> list[str]:
    """Return the sum of each part."""
    if form.kind == "trees":
        x = _columns(nodes, form, named, texts)
        nodes.initializers.append(tensor("flat", [-1]))
        return [_sum(nodes, part, x) for part in form.parts if isinstance(part, Trees)]
    totals = []
    for at, part in enumerate(form.parts):
        assert isinstance(part, Linear)  # noqa: S101  # for the type checker
        weights = named
        if form.classes:  # of which each has its own weight for a category
            weights = {
                name: nodes.encode(code, dict(enumerate_weights(form, name, at)), 0.0)
                for name, code in named.items()
            }
        totals.append(_linear(nodes, form, part, weights, texts))
    return totals


def _linear(
    nodes: Nodes, form: Form, part: Linear, named: Mapping[str, str], texts: Mapping[str, str]
) -> str:
    terms = list(named.values())
    for feature in form.numbers:
        if feature.name in part.table.numbers:
            weight = nodes.constant(part.table.numbers[feature.name])
            terms.append(nodes.add("Mul", weight, _number(nodes, form, feature, texts)))
    total = nodes.constant(part.intercept)
    for term in terms:
        total = nodes.add("Add", total, term)
    return total


def _columns(nodes: Nodes, form: Form, named: Mapping[str, str], texts: Mapping[str, str]) -> str:
    """Return what trees ask, (n_records, n_numbers + n_categories)."""
    header = form.header
    numbers = {one.name: _number(nodes, form, one, texts) for one in form.numbers}
    asked = [numbers.get(name, "") for name in header.numbers]
    asked += [named.get(name, "") for name in header.categories]
    length = nodes.add("Mul", nodes.constant(0.0), next(name for name in asked if name))
    nodes.initializers.append(tensor("column", [1]))
    columns = [nodes.add("Unsqueeze", name or length, "column") for name in asked]
    return nodes.add("Concat", *columns, axis=1)


def _sum(nodes: Nodes, part: Trees, x: str) -> str:
    header = part.header
    sums = nodes.add("TreeEnsemble", x, domain=ML, **ensemble(part))
    total = nodes.add("Reshape", sums, "flat")
    if not header.single:
        total = nodes.add("Mul", nodes.constant(header.scale), total)
    return nodes.add("Add", nodes.constant(header.base), total)
