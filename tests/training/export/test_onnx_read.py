"""Our ONNX comes back as it went out; whatever else is in a file is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import helper

from scoring.errors import ArtifactError
from scoring.predictor import Predictor
from scoring.scorers import linear, tree_file
from scoring.scorers.linear import Linear
from tests.training.export.exported import CASES, MODELS, form_of, predictor_of
from training import adopt
from training.export import onnx_read
from training.export.onnx_graph import onnx_files, onnx_model
from training.export.onnx_read import read_onnx


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
# of several classes none is read back: test_export_classes.py
@pytest.mark.parametrize(("name", "kind"), [case for case in CASES if case[0] != "flowers"])
def test_out_and_back_is_identical(name: str, kind: str, tmp_path: Path) -> None:
    """The compiled form, to the byte."""
    form = form_of(name, kind)
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx_files(form)["model.onnx"])
    found = read_onnx(path, form.model)
    part = form.parts[0]
    if isinstance(part, Linear):
        assert found.made.data == linear.write(part)
    else:
        assert found.made.data == tree_file.write(part.header, part.nodes)
    assert found.told["version"] == form.version


def test_it_serves_again(tmp_path: Path) -> None:
    """The same answer, by the command."""
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx_files(form_of("ride", "linear"))["model.onnx"])
    adopt.main(["ride", str(path), "--output", str(tmp_path / "models")])
    model = MODELS["ride"]
    predictor = Predictor.from_folder(tmp_path / "models" / "ride", model)
    wanted = predictor_of("ride", "linear").one(dict(model.example))
    assert predictor.one(dict(model.example)).answers == wanted.answers
    with pytest.raises(SystemExit, match="it takes no option"):
        adopt.main(["ride", str(path), "--output", str(tmp_path), "--positive", "yes"])


def _external(made: onnx.ModelProto) -> None:
    tensor = made.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"


def _huge(made: onnx.ModelProto) -> None:
    made.graph.initializer[0].dims[:] = [2**40]


def _negative(made: onnx.ModelProto) -> None:
    made.graph.initializer[0].dims[:] = [-1]


def _operator(made: onnx.ModelProto) -> None:
    made.graph.node.append(helper.make_node("Loop", ["a"], ["b"], name="loop"))


def _graph(made: onnx.ModelProto) -> None:
    inner = helper.make_graph([], "inner", [], [])
    made.graph.node[0].attribute.append(helper.make_attribute("body", inner))


def _more(made: onnx.ModelProto) -> None:
    made.graph.node.append(helper.make_node("Identity", ["score"], ["more"], name="more"))


def _weight(made: onnx.ModelProto) -> None:
    made.graph.node[-2].name = "another"


def _metadata(made: onnx.ModelProto) -> None:
    helper.set_model_props(made, {"scorer": "{}", "model": "ride"})


def _sparse(made: onnx.ModelProto) -> None:
    made.graph.sparse_initializer.add()


def _producer(made: onnx.ModelProto) -> None:
    made.producer_name = "skl2onnx"


def _doc(made: onnx.ModelProto) -> None:
    made.graph.doc_string = "more"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_external, "in another file, which is not read"),
        (_huge, "claims more values of"),
        (_negative, "claims more values of"),
        (_operator, "has the operator :Loop, which training.export does not write"),
        (_graph, "has a graph within the node"),
        (_more, "nodes, not"),
        (_weight, r"the node another \(.*\) is another"),
        (_metadata, "is damaged: KeyError"),
        (_sparse, "sparse tensors, which are not read"),
        (_producer, "was not written by training.export"),
        (_doc, "inputs, outputs, constants or metadata are others"),
    ],
)
def test_what_is_not_ours_is_refused(
    spoil: Callable[[onnx.ModelProto], None], said: str, tmp_path: Path
) -> None:
    """By name, and without opening anything else."""
    made = onnx_model(form_of("ride", "linear"))
    spoil(made)
    path = tmp_path / "model.onnx"
    path.write_bytes(made.SerializeToString())
    with pytest.raises(ArtifactError, match=said):
        read_onnx(path, MODELS["ride"])


def test_files_that_are_no_such_model_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another model's, no ONNX, none at all, and one that is too large, which is not read."""
    path = tmp_path / "model.onnx"
    with pytest.raises(ArtifactError, match="cannot be read: No such file"):
        read_onnx(path, MODELS["ride"])
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(ArtifactError, match="is no ONNX file"):
        read_onnx(path, MODELS["ride"])
    path.write_bytes(onnx_files(form_of("churn", "linear"))["model.onnx"])
    with pytest.raises(ArtifactError, match="is the model 'churn', not 'ride'"):
        read_onnx(path, MODELS["ride"])
    monkeypatch.setattr(onnx_read, "MAX_BYTES", 99)
    with pytest.raises(ArtifactError, match="at most 99 are read"):
        read_onnx(path, MODELS["churn"])
