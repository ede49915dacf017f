"""Trees as PMML has them: a segment each, added up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from scoring.scorers.trees import Trees
from training.export.form import ExportError, Form
from training.export.pmml_fields import Element, add, add_inner_schema, text_of

_DEEPEST: Final = 200  # nodes within each other


def add_trees(
    model: Element, form: Form, part: Trees, names: Mapping[str, str], target: str | None
) -> None:
    """Add what follows a MiningModel's schema and output: how the sum is scaled, and the trees.

    `names` are the fields that features are. Raises ExportError where a tree is too deep.
    """
    header = part.header
    averaged = not header.single and header.base == 0 and header.scale == 1 / header.trees
    if not averaged:
        scaled = add(add(model, "Targets"), "Target", field=target)
        scaled.set("rescaleFactor", text_of(1.0 if header.single else header.scale))
        scaled.set("rescaleConstant", text_of(header.base))
    method = "average" if averaged else "sum"
    segments = add(model, "Segmentation", multipleModelMethod=method)
    for root in part.nodes.roots:
        segment = add(segments, "Segment")
        add(segment, "True")
        tree = add(segment, "TreeModel", functionName="regression")
        tree.set("splitCharacteristic", "binarySplit")
        add_inner_schema(tree, form.inputs)
        _add_nodes(tree, part, root, names)


def _add_nodes(tree: Element, part: Trees, root: int, names: Mapping[str, str]) -> None:
    nodes, header = part.nodes, part.header
    first, known = len(header.numbers), list(header.categories.items())
    waiting: list[tuple[int, Element, int, tuple[str, str, str] | None]] = [(root, tree, 0, None)]
    while waiting:
        node, parent, depth, asked = waiting.pop()
        if depth > _DEEPEST:
            raise ExportError(
                f"a tree is deeper than {_DEEPEST} nodes, which PMML does not nest: max_depth "
                "would do"
            )
        node = _that_asks(part, node, names)
        group, value = nodes.group[node], nodes.value[node]
        made = add(parent, "Node", score=value if group < 0 else None)
        if asked is None:
            add(made, "True")
        else:
            name, operator, limit = asked
            add(made, "SimplePredicate", field=name, operator=operator, value=limit)
        if group < 0:
            continue
        if group < first:
            name, limit = names[header.numbers[group]], text_of(value)
            sides = ("lessOrEqual", "greaterThan")
        else:
            feature, texts = known[group - first]
            name, limit, sides = names[feature], texts[int(value)], ("notEqual", "equal")
        waiting += [
            (nodes.right[node], made, depth + 1, (name, sides[1], limit)),
            (nodes.left[node], made, depth + 1, (name, sides[0], limit)),
        ]


def _that_asks(part: Trees, node: int, names: Mapping[str, str]) -> int:
    """Return the node, or the next one that may go either way: no category has a place below zero,
    and what the features do not make is zero, or is not there."""
    nodes, header = part.nodes, part.header
    first, known = len(header.numbers), list(header.categories.items())
    while (group := nodes.group[node]) >= 0:
        value = nodes.value[node]
        if group < first:
            if header.numbers[group] in names:
                break
            node = nodes.right[node] if value < 0 else nodes.left[node]
        else:
            feature, texts = known[group - first]
            if feature in names and 0 <= value < len(texts):
                break
            node = nodes.left[node]
    return node
