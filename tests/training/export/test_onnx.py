"""The ONNX graph, by onnx's own reference as well as by ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator

from tests.training.export.exported import MODELS, form_of, predictor_of
from training.export.onnx_codes import codes_of
from training.export.onnx_graph import onnx_files, onnx_model
from training.export.onnx_judge import feed_of, judged_by
from training.export.trials import trials


def ask(name: str, *records: dict[str, Any]) -> list[Any]:
    """Return ONNX Runtime's scores and unseen marks of records."""
    form = form_of(name, "linear")
    session = onnxruntime.InferenceSession(onnx_files(form)["model.onnx"])
    found: list[Any] = session.run(["score", "unseen"], feed_of(form, records))
    return found


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("name", "kind"), [("ride", "linear"), ("ride", "xgboost"), ("shop", "forest")]
)
def test_onnxs_reference_scores_as_the_service(name: str, kind: str) -> None:
    """A few records: it is written to be read, not to be fast."""
    form = form_of(name, kind)
    records = trials(form, 12)
    evaluator: Any = ReferenceEvaluator(onnx_model(form))
    found = judged_by(evaluator.run, form, records)
    wanted = predictor_of(name, kind).many(records)
    tolerance = 1e-12 if kind == "linear" else 1e-6
    assert [one.score for one in found] == pytest.approx(
        wanted.scores, rel=tolerance, abs=tolerance
    )
    assert [bool(one.unseen) for one in found] == ["unseen" in one for one in wanted.answers]


@pytest.mark.slow
def test_the_graph_takes_the_record_and_says_what_it_is() -> None:
    """An input a field; version and digest are in it, and the opsets."""
    form = form_of("shop", "linear")
    made = onnx.load_from_string(onnx_files(form)["model.onnx"])
    inputs = [one.name for one in made.graph.input]
    assert inputs[:3] == ["shop", "colour", "size"]
    assert {"has_weight", "has_age", "has_note"} <= {*inputs}
    assert "waiter" not in inputs
    assert {one.key: one.value for one in made.metadata_props}["sha256"] == form.manifest.sha256
    assert [(one.domain, one.version) for one in made.opset_import] == [("", 20), ("ai.onnx.ml", 5)]
    assert {one.name for one in made.graph.output} >= {"score", "total", "likely", "unseen"}


@pytest.mark.slow
def test_categories_are_read_in_any_case_and_with_spaces() -> None:
    """As by the service."""
    example = dict(MODELS["churn"].example)
    other = {**example, "contract": "Month-to-month", "multiplelines": "No phone service"}
    scores, _ = ask("churn", example, other)
    assert (
        scores[0]
        == scores[1]
        == pytest.approx(predictor_of("churn", "linear").one(other).scores[0], rel=1e-12)
    )


@pytest.mark.parametrize(
    "change",
    [
        {"trip_distance": 100.5},
        {"PULocationID": 0},
        {"DOLocationID": 266},
        {"trip_distance": float("nan")},
    ],
    ids=str,
)
def test_what_the_service_refuses_scores_nan(change: dict[str, Any]) -> None:
    """Beside others, which keep their scores."""
    example = dict(MODELS["ride"].example)
    scores, _ = ask("ride", example, {**example, **change})
    assert np.isnan(scores).tolist() == [False, True]


def test_two_exports_are_the_same_bytes() -> None:
    """So a digest tells whether the model changed."""
    form = form_of("ride", "linear")
    assert onnx_files(form) == onnx_files(form)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1_1", 0.0),
        ("2_1", 265.0),
        ("265_265", 265.0**2 - 1),
        ("01_1", None),
        ("0_1", None),
        ("266_1", None),
        ("1", None),
        (f"{10**30}_1", None),
    ],
)
def test_pairs_of_numbers_are_numbered(text: str, number: float | None) -> None:
    """Each has its own number, from which the text is had again; what no record has, has none."""
    form = form_of("ride", "linear")
    codes = codes_of(form, form.categories[0])
    assert codes is not None
    assert codes.number(text) == number
    if number is not None:
        assert codes.text(number) == text
    assert codes_of(form, form.categories[0], ["1_1", "Astoria"]) is None


def test_other_categories_are_looked_up_as_texts() -> None:
    """Of texts, of fields without limits."""
    for feature in form_of("shop", "linear").categories:
        assert codes_of(form_of("shop", "linear"), feature) is None
