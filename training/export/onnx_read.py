"""Our own ONNX files read back, to the same compiled form; anything else is refused.

The file is parsed as data: no runtime loads it. What is read from it is written again, and has to
be the same graph to the last byte: so nothing that is not known can be in it.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # has no stubs
from onnx import numpy_helper

from scoring.artifact.manifest import Manifest
from scoring.compiler.compile import CompiledFile
from scoring.errors import ArtifactError
from scoring.models import Model
from scoring.scorers import linear, tree_file
from scoring.scorers.trees import Trees
from training.export.answers import answers_of
from training.export.form import Category, ExportError, Form, Lookup
from training.export.inputs import inputs_of
from training.export.onnx_codes import codes_of
from training.export.onnx_graph import onnx_model
from training.export.reading import fields_of
from training.export.trace import trace

MAX_BYTES: Final = 128 * 1024 * 1024
_OPS: Final = {
    *("Add", "And", "Cast", "Concat", "Equal", "Greater", "GreaterOrEqual", "Identity", "IsNaN"),
    *("LabelEncoder", "Less", "LessOrEqual", "Max", "Mul", "Not", "Or", "Reshape", "Sigmoid"),
    *("StringConcat", "StringNormalizer", "Sub", "TreeEnsemble", "Unsqueeze", "Where"),
}


class ReadBack(NamedTuple):
    """What an ONNX file of ours comes to."""

    made: CompiledFile
    columns: list[str]  # the vectorizer's
    told: Mapping[str, str]  # its metadata


def read_onnx(path: Path, model: Model) -> ReadBack:
    """Return the compiled form in an ONNX file that training.export wrote for `model`.

    Raises ArtifactError, which names what is in the way, for any other file; the file is at most
    128 MiB, and nothing outside it is opened.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ArtifactError(f"{path} has {size:,} bytes; at most {MAX_BYTES:,} are read")
        found = onnx.load_model_from_string(path.read_bytes())
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}") from error
    except DecodeError as error:
        raise ArtifactError(f"{path} is no ONNX file") from error
    told = {one.key: one.value for one in found.metadata_props}
    _check(path, found, told, model)
    try:
        made, columns, again = _read(found, told, model)
    except (ExportError, ArtifactError) as error:
        raise ArtifactError(f"{path}: {error}") from error
    except Exception as error:  # values that are none, nodes that are not there
        raise ArtifactError(f"{path} is damaged: {type(error).__name__}") from error
    if again.SerializeToString(deterministic=True) != found.SerializeToString(deterministic=True):
        raise ArtifactError(
            f"{path} is not what training.export writes of '{model.name}': {_differs(found, again)}"
        )
    return ReadBack(made, columns, told)


def _check(path: Path, found: onnx.ModelProto, told: Mapping[str, str], model: Model) -> None:
    """Raise ArtifactError for what is not ours, before any value of it is looked at."""
    if found.producer_name != "training.export" or "scorer" not in told:
        raise ArtifactError(f"{path} was not written by training.export; such ONNX is not read")
    if told.get("model") != model.name:
        raise ArtifactError(f"{path} is the model '{told.get('model')}', not '{model.name}'")
    if "classes" in told:
        raise ArtifactError(
            f"{path} tells several classes apart, and such ONNX is not read back: the artifact, or "
            "its export as skops, is"
        )
    _check_graph(path, found)


def _check_graph(path: Path, found: onnx.ModelProto) -> None:
    for node in found.graph.node:
        if node.op_type not in _OPS or node.domain not in ("", "ai.onnx.ml"):
            raise ArtifactError(f"{path} has the operator {node.domain}:{node.op_type}, which "
                                "training.export does not write")  # fmt: skip
        if any(part.HasField("g") or part.graphs for part in node.attribute):
            raise ArtifactError(f"{path} has a graph within the node {node.name}")
    if found.functions or found.graph.sparse_initializer:
        raise ArtifactError(f"{path} has functions or sparse tensors, which are not read")
    for tensor in _tensors(found):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise ArtifactError(f"{path} keeps '{tensor.name}' in another file, which is not read")
        if any(length < 0 for length in tensor.dims) or math.prod(tensor.dims) > _held(tensor):
            raise ArtifactError(f"{path} claims more values of '{tensor.name}' than it holds")


def _tensors(found: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    yield from found.graph.initializer
    for node in found.graph.node:
        for part in node.attribute:
            if part.HasField("t"):
                yield part.t
            yield from part.tensors


def _held(tensor: onnx.TensorProto) -> int:
    """Return how many values a tensor has, whatever it says."""
    wide = tensor.data_type in (onnx.TensorProto.DOUBLE, onnx.TensorProto.INT64)
    listed = (tensor.string_data, tensor.int32_data, tensor.int64_data, tensor.double_data)
    return max(len(tensor.raw_data) // (8 if wide else 1), *map(len, listed))


def _read(
    found: onnx.ModelProto, told: Mapping[str, str], model: Model
) -> tuple[CompiledFile, list[str], onnx.ModelProto]:
    said = json.loads(told["scorer"])
    features = trace(model)
    used = {name for feature in features for name in fields_of(feature)}
    threshold = float(told["threshold"])
    base = Form(
        model=model,
        manifest=Manifest.model_construct(sha256=told["sha256"], threshold=threshold,
                                          estimator=told["estimator"], golden=[]),
        version=told["version"],
        inputs=inputs_of(model, used)[0],
        features=features,
        parts=(),
        answers=answers_of(model, threshold)[0],
    )  # fmt: skip
    encoders = list(_encoders(found))
    known = {
        feature.name: _texts(base, feature, found_of)
        for feature, found_of in zip(base.categories, encoders, strict=True)
    }
    part: linear.Linear | Trees
    if said["kind"] == "linear":
        part = _linear(found, said, base, known)
        made = CompiledFile("linear", linear.FILE, linear.write(part))
        columns = [name for name, _ in part.columns()]
    else:
        part = _trees(found, said, known)
        made = CompiledFile("trees", tree_file.FILE, tree_file.write(part.header, part.nodes))
        lists = part.header.categories.items()
        pairs = [f"{name}{part.separator}{value}" for name, values in lists for value in values]
        columns = [*part.header.numbers, *pairs]
    whole = Form(**{**vars(base), "parts": (part,)})
    return made, columns, onnx_model(whole)


def _encoders(found: onnx.ModelProto) -> Iterator[dict[Any, float]]:
    """Return what each encoder of a category has for each text, in order."""
    for node in found.graph.node:
        if node.op_type != "LabelEncoder":
            continue
        parts = {part.name: part.t for part in node.attribute}
        if parts["values_tensor"].data_type != onnx.TensorProto.DOUBLE:
            continue
        values = numpy_helper.to_array(parts["values_tensor"]).tolist()
        if parts["keys_tensor"].data_type == onnx.TensorProto.DOUBLE:
            numbers = numpy_helper.to_array(parts["keys_tensor"]).tolist()
            yield dict(zip(numbers, values, strict=True))
            continue
        keys = [key.decode() for key in parts["keys_tensor"].string_data]
        if keys[-1] == "\x01":
            yield dict(list(zip(keys, values, strict=True))[:-1])


def _texts(form: Form, feature: Category | Lookup, found: Mapping[Any, float]) -> dict[str, float]:
    """Return what an encoder has by text, also where its keys are numbers."""
    codes = codes_of(form, feature)
    return {
        codes.text(key) if codes and isinstance(key, float) else key: value
        for key, value in found.items()
    }


def _linear(
    found: onnx.ModelProto, said: Mapping[str, Any], form: Form, known: Mapping[str, Any]
) -> linear.Linear:
    constants = {
        one.name: numpy_helper.to_array(one).tolist()[0]
        for one in found.graph.initializer
        if one.data_type == onnx.TensorProto.DOUBLE
    }
    weights = [
        constants[one.input[0]]
        for one in found.graph.node
        if one.op_type == "Mul" and one.input[0] in constants
    ]
    order = [one.name for one in form.numbers if one.name in said["numbers"]]
    numbers = dict(zip(order, weights, strict=True))
    first = next(
        one for one in found.graph.node if one.op_type == "Add" and one.input[0] in constants
    )
    return linear.Linear(
        linear.Table(
            link=said["link"],
            intercept=constants[first.input[0]],
            separator=said["separator"],
            numbers={name: numbers[name] for name in said["numbers"]},
            categories={name: known[name] for name in said["categories"]},
        )
    )


def _trees(
    found: onnx.ModelProto, said: Mapping[str, Any], known: Mapping[str, Mapping[str, float]]
) -> Trees:
    categories = {name: list(known[name]) for name in said["categories"]}
    header = tree_file.Header.model_validate({**said, "categories": categories})
    [node] = [one for one in found.graph.node if one.op_type == "TreeEnsemble"]
    parts = {part.name: part for part in node.attribute}
    bits = zlib.decompressobj().decompress(
        base64.b64decode(_metadata(found)["layout"]), header.nodes
    )
    leaves = np.frombuffer(bits, dtype=np.uint8).astype(bool)
    if len(leaves) != header.nodes:
        raise ArtifactError("its layout is not that of its nodes")
    inner = np.flatnonzero(~leaves)
    ends = np.flatnonzero(leaves)
    group = np.full(header.nodes, -1)
    group[inner] = list(parts["nodes_featureids"].ints)[: len(inner)]
    value = np.zeros(header.nodes)
    value[inner] = numpy_helper.to_array(parts["nodes_splits"].t)[: len(inner)]
    value[ends] = numpy_helper.to_array(parts["leaf_weights"].t)
    sides = []
    for name in ("true", "false"):
        ids = np.array(parts[f"nodes_{name}nodeids"].ints)[: len(inner)]
        is_leaf = np.array(parts[f"nodes_{name}leafs"].ints, dtype=bool)[: len(inner)]
        places = np.where(is_leaf, ends[np.where(is_leaf, ids, 0)], 0)
        places[~is_leaf] = inner[ids[~is_leaf]]
        side = np.full(header.nodes, header.nodes)
        side[inner] = places
        sides.append(side)
    asked = group >= len(header.numbers)
    left, right = np.where(asked, sides[1], sides[0]), np.where(asked, sides[0], sides[1])
    roots = [int(root) for root in json.loads(_metadata(found)["roots"])]
    nodes = tree_file.Nodes(
        array("i", roots), array("h", group.tolist()), array("d", value.tolist()),
        array("i", left.tolist()), array("i", right.tolist()),
    )  # fmt: skip
    return Trees(*tree_file.read(tree_file.write(header, nodes)))


def _metadata(found: onnx.ModelProto) -> dict[str, str]:
    return {one.key: one.value for one in found.metadata_props}


def _differs(found: onnx.ModelProto, again: onnx.ModelProto) -> str:
    for one, other in zip(found.graph.node, again.graph.node, strict=False):
        if one != other:
            return f"the node {one.name} ({one.op_type}) is another"
    if len(found.graph.node) != len(again.graph.node):
        return f"it has {len(found.graph.node)} nodes, not {len(again.graph.node)}"
    return "its inputs, outputs, constants or metadata are others"
