"""Numbers beyond those of the training: named in every answer, wherever it is made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from batch.columns.score import TableScorer
from scoring.artifact.manifest import MANIFEST
from scoring.engine import answer_each, predict
from scoring.limits import Limits
from scoring.models import discover
from scoring.predictor import Predictor
from scoring.values.strict_json import encode
from serving.app import create_app
from serving.settings import Settings
from tests.support import write_artifact

RIDE = discover()["ride"]
FAR = {"PULocationID": 74, "DOLocationID": 75, "trip_distance": 40.0}
NEAR = {**FAR, "trip_distance": 2.5}
AT_THE_END = {**FAR, "trip_distance": 30.0}
PROFILE: dict[str, Any] = {
    "PULocationID": {"min": 80, "max": 81},  # a name: no number to be beyond
    "trip_distance": {"min": 0.5, "max": 30.0},
    "DOLocationID": {"count": 4},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_artifact(RIDE, tmp_path, profile=PROFILE)
    return tmp_path


@pytest.fixture
def predictor(folder: Path) -> Predictor:
    return Predictor.from_folder(folder / "ride", RIDE)


@pytest.mark.slow
def test_a_number_beyond_the_training_s_is_named(predictor: Predictor) -> None:
    """Alone, in plain arrays and others, in events; the ends are not beyond."""
    limits = Limits()
    assert predict(predictor, encode(FAR), limits=limits)["beyond"] == ["trip_distance=40"]
    assert "beyond" not in predict(predictor, encode(NEAR), limits=limits)
    for more in ({}, {"id": 1}):  # the second is no plain array
        sent = encode([AT_THE_END, {**FAR, **more}, {**FAR, "trip_distance": 0.25}])
        found = predict(predictor, sent, limits=limits)["predictions"]
        assert [one.get("beyond") for one in found] == [
            None, ["trip_distance=40"], ["trip_distance=0.25"]]  # fmt: skip
    [event] = answer_each(predictor, [encode(FAR)], ids=["a"])
    assert isinstance(event, dict)
    assert event["beyond"] == ["trip_distance=40"]


@pytest.mark.slow
def test_an_artifact_without_a_profile_names_none(tmp_path: Path) -> None:
    """As those of before, and adopted ones."""
    write_artifact(RIDE, tmp_path)
    predictor = Predictor.from_folder(tmp_path / "ride", RIDE)
    assert "beyond" not in predict(predictor, encode(FAR), limits=Limits())


@pytest.mark.slow
def test_golden_answers_hold_none(folder: Path) -> None:
    """What is beyond follows from the record, not from the pair."""
    golden = json.loads((folder / "ride" / MANIFEST).read_text())["golden"]
    assert golden
    assert not any("beyond" in one["answer"] for one in golden)


@pytest.mark.slow
def test_tables_have_a_column_of_it(predictor: Predictor) -> None:
    """Column by column and, where a value is unusual, row by row."""
    scorer = TableScorer(predictor)
    assert scorer.vectorised
    rows = [NEAR, FAR, AT_THE_END]
    usual = {name: pa.array([row[name] for row in rows]) for name in FAR}
    assert scorer.score(usual, 3).beyond.to_pylist() == [[], ["trip_distance=40"], []]
    other = {**usual, "PULocationID": pa.array([74.0, 74.0, 1e9])}
    found = scorer.score(other, 3)
    assert found.beyond.to_pylist() == [[], ["trip_distance=40"]]
    assert [one.row for one in found.rejected] == [2]
    empty = {name: column.slice(0, 0) for name, column in usual.items()}
    assert scorer.score(empty, 0).beyond.to_pylist() == []


@pytest.mark.slow
def test_the_service_says_it_in_every_form(folder: Path) -> None:
    """V2 tensors, MLflow's forms, CSV, the page and its document."""
    client = create_app(
        Settings.from_env({"MODELS": "ride", "MODELS_DIR": str(folder)})
    ).test_client()
    named = ["trip_distance=40"]

    def asked(path: str, **sent: Any) -> Any:
        return client.post(path, **sent).get_json()

    [one] = asked("/invocations", json={"dataframe_records": [FAR]})["predictions"]
    assert one["beyond"] == named
    lines = "PULocationID,DOLocationID,trip_distance\n74,75,40\n"
    [one] = asked("/invocations", data=lines, content_type="text/csv")["predictions"]
    assert one["beyond"] == named
    tensors = [{"name": name, "datatype": "FP64" if name == "trip_distance" else "INT64",
                "shape": [1], "data": [value]} for name, value in FAR.items()]  # fmt: skip
    found = asked("/v2/models/ride/infer", json={"inputs": tensors})["outputs"]
    assert {out["name"]: out["data"] for out in found}["beyond"] == [json.dumps(named)]
    page = client.post("/models/ride/try", data=FAR).text
    assert "trip_distance=40" in page
    schemas = client.get("/openapi.json").get_json()["components"]["schemas"]
    assert any("beyond" in one.get("properties", {}) for one in schemas.values())


def test_null_is_not_beyond() -> None:
    """A record whose number may be null."""
    from scoring.ranges import Ranges

    class Some:
        def __init__(self, a: float | None) -> None:
            self.a = a

    ranges = Ranges.__new__(Ranges)
    ranges._each = (("a", 0.0, 1.0),)
    assert ranges.beyond({"a": None}) == ()
    assert ranges.beyond_of([Some(None), Some(2.0), Some(0.5)]) == {1: ["a=2"]}
    assert ranges.beyond_of([]) == {}
