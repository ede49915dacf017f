"""Trees as ONNX's TreeEnsemble has them, and what the graph does not tell of a scorer."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import onnx
from onnx import helper

from scoring.scorers.linear import Linear
from scoring.scorers.trees import Trees
from training.export.form import Form
from training.export.onnx_nodes import tensor

_LEQ, _EQ = 0, 4  # what a node asks


def ensemble(part: Trees) -> dict[str, Any]:
    """Return the attributes of a TreeEnsemble, whose leaves are counted apart from its nodes."""
    found, numbers = part.nodes, len(part.header.numbers)
    inner = [place for place, group in enumerate(found.group) if group >= 0]
    leaves = [place for place, group in enumerate(found.group) if group < 0]
    place_of = {place: number for number, place in enumerate(inner)}
    leaf_of = {place: number for number, place in enumerate(leaves)}
    modes = [_LEQ if found.group[place] < numbers else _EQ for place in inner]
    yes = [(found.left if m == _LEQ else found.right)[p] for p, m in zip(inner, modes, strict=True)]
    no = [(found.right if m == _LEQ else found.left)[p] for p, m in zip(inner, modes, strict=True)]
    asked = [found.group[place] for place in inner]
    splits = [found.value[place] for place in inner]
    roots = []
    for root in found.roots:
        if root in leaf_of:  # a tree of one leaf: a node that gives it either way
            place_of[root] = len(asked)
            asked.append(0)
            modes.append(_LEQ)
            splits.append(0.0)
            yes.append(root)
            no.append(root)
        roots.append(place_of[root])

    def ids(sides: list[int]) -> list[int]:
        return [leaf_of[side] if side in leaf_of else place_of[side] for side in sides]

    return {
        "aggregate_function": 1, "n_targets": 1, "post_transform": 0, "tree_roots": roots,
        "nodes_featureids": asked, "nodes_splits": tensor("splits", splits),
        "nodes_modes": helper.make_tensor("modes", onnx.TensorProto.UINT8, [len(modes)], modes),
        "nodes_truenodeids": ids(yes), "nodes_falsenodeids": ids(no),
        "nodes_trueleafs": [int(side in leaf_of) for side in yes],
        "nodes_falseleafs": [int(side in leaf_of) for side in no],
        "leaf_targetids": [0] * len(leaves),
        "leaf_weights": tensor("leaves", [found.value[place] for place in leaves]),
    }  # fmt: skip


def told_of(form: Form) -> dict[str, str]:
    """Return what it takes besides the graph to have the very file of a scorer back; of several
    classes their names, a line each."""
    if form.classes:
        return {"scorer": json.dumps({"kind": "classes"}), "classes": "\n".join(form.classes)}
    [part] = form.parts
    if isinstance(part, Linear):
        said = part.table.model_dump(exclude={"intercept"})
        said |= {"numbers": list(part.table.numbers), "categories": list(part.table.categories)}
        return {"scorer": json.dumps(said)}
    said = part.header.model_dump()
    said["categories"] = list(part.header.categories)
    leaves = bytes(group < 0 for group in part.nodes.group)
    return {
        "scorer": json.dumps(said),
        "layout": base64.b64encode(zlib.compress(leaves, 9)).decode(),
        "roots": json.dumps(list(part.nodes.roots)),
    }
