"""The Open Inference Protocol over HTTP: a public client, and what it must be told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import requests
from flask.testing import FlaskClient
from tritonclient import http as triton
from tritonclient.utils import InferenceServerException

from scoring.models import Model, discover
from tests.support import Server, records

RIDE = discover()["ride"]
NUMPY = {"BYTES": np.object_, "INT64": np.int64, "FP64": np.float64, "BOOL": np.bool_}


@pytest.fixture
def public(server: Server) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
        yield client


def asked(
    public: triton.InferenceServerClient, model: Model, rows: list[dict[str, Any]]
) -> list[triton.InferInput]:
    """Return a tensor for each input that the server's metadata names."""
    made = []
    for known in public.get_model_metadata(model.name)["inputs"]:
        name, datatype = known["name"], known["datatype"]
        column: Any = np.array([[row[name]] for row in rows], NUMPY[datatype])
        made.append(triton.InferInput(name, list(column.shape), datatype))
        made[-1].set_data_from_numpy(column, binary_data=False)
    return made


def tensor(name: str, values: list[Any], datatype: str = "INT64", **more: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [len(values)], "data": values} | more


def ride(*rides: dict[str, Any]) -> list[dict[str, Any]]:
    """Return rides (none: two) as tensors."""
    rows = rides or tuple(records(RIDE, 1))
    kinds = {name: "FP64" if name == "trip_distance" else "INT64" for name in RIDE.example}
    return [tensor(name, [row[name] for row in rows], kind) for name, kind in kinds.items()]


def infer(client: FlaskClient, inputs: Any, **more: Any) -> Any:
    return client.post("/v2/models/ride/infer", json={"inputs": inputs, **more})


@pytest.mark.slow
def test_a_public_client_predicts(
    public: triton.InferenceServerClient, server: Server, model: Model
) -> None:
    """It finds the server live and ready, the model with its tensors, and gets what POST /predict
    answers; it asks for outputs, or for all by default."""
    assert public.is_server_live()
    assert public.is_server_ready()
    assert public.is_model_ready(model.name)
    [version] = public.get_model_metadata(model.name)["versions"]
    assert public.is_model_ready(model.name, version)
    assert public.get_server_metadata()["extensions"] == []
    rows = records(model, 6)
    expected = requests.post(f"{server.url}/predict/{model.name}", json=rows, timeout=30).json()
    outputs = list(model.answer(0.5, 0.5))
    wanted = [triton.InferRequestedOutput(name, binary_data=False) for name in outputs]
    inputs = asked(public, model, rows)
    for more in ({}, {"outputs": wanted}, {"model_version": version}):
        result = public.infer(model.name, inputs, request_id="7", **more)
        assert result.get_response()["id"] == "7"
        for name in outputs:
            got = result.as_numpy(name).tolist()
            assert got == pytest.approx([answer[name] for answer in expected["predictions"]])


@pytest.mark.slow
def test_a_public_client_is_told_what_is_wrong(public: triton.InferenceServerClient) -> None:
    """Our errors reach its users: a bad field, a binary tensor, an unknown model."""
    inputs = asked(public, RIDE, [{**RIDE.example, "PULocationID": 0}])
    with pytest.raises(InferenceServerException, match=r"\[0\]\.PULocationID: expected a whole"):
        public.infer("ride", inputs)
    inputs[0].set_data_from_numpy(np.array([[1]]))
    with pytest.raises(InferenceServerException, match="binary_data=False"):
        public.infer("ride", inputs)
    with pytest.raises(InferenceServerException, match="no model of that name"):
        public.get_model_metadata("tips")


def test_the_answer_is_tensors_and_says_what_was_never_seen(client: FlaskClient) -> None:
    """`unseen` comes where something is, a JSON array in text for each record."""
    seen, other = dict(RIDE.example), {**RIDE.example, "PULocationID": 265, "DOLocationID": 264}
    answer = infer(client, ride(seen, other), id="a").json
    assert answer["id"] == "a"
    assert answer["model_name"] == "ride"
    duration, unseen = answer["outputs"]
    assert (duration["name"], duration["datatype"], duration["shape"]) == ("duration", "FP64", [2])
    assert [json.loads(text) for text in unseen["data"]] == [[], ["PU_DO=265_264"]]
    [only] = infer(client, ride(seen, other), outputs=[{"name": "unseen"}]).json["outputs"]
    assert only == unseen


@pytest.mark.parametrize(
    ("inputs", "fields"),
    [
        (None, {"inputs"}),
        ([], {"inputs"}),
        ([*ride(), 3], {"inputs[3]"}),
        ([*ride(), ride()[0]], {"PULocationID"}),
        (ride()[1:], {"PULocationID"}),
        ([tensor("PULocationId", [1, 2]), *ride()[1:]], {"PULocationID"}),
        ([tensor("PULocationID", [1, 2], "INT65"), *ride()[1:]], {"PULocationID.datatype"}),
        ([tensor("PULocationID", [1, 2], shape=[1, 2]), *ride()[1:]], {"PULocationID.shape"}),
        ([tensor("PULocationID", [1, 2], shape=[3]), *ride()[1:]], {"PULocationID.shape"}),
        ([tensor("PULocationID", [1, 2], data=7), *ride()[1:]], {"PULocationID.data"}),
        ([tensor("PULocationID", [1, True]), *ride()[1:]], {"[1].PULocationID"}),
        ([tensor("PULocationID", [1, "2"]), *ride()[1:]], {"[1].PULocationID"}),
        ([tensor("PULocationID", [1]), *ride()[1:]], set(RIDE.example)),
        ([tensor("PULocationID", [1, 266]), *ride()[1:]], {"[1].PULocationID"}),
    ],
    ids=["no inputs", "empty", "a number", "twice", "missing", "misspelt", "datatype", "rank",
         "length", "no list", "true", "a text", "other lengths", "range"],
)  # fmt: skip
def test_a_tensor_that_cannot_be_taken_is_named(
    client: FlaskClient, inputs: Any, fields: set[str]
) -> None:
    """422, every bad tensor and value at once, and the same in the member that clients read."""
    answer = infer(client, inputs)
    assert answer.status_code == 422
    assert {line["field"] for line in answer.json["errors"]} == fields
    assert all(field in answer.json["error"] for field in fields)


def test_a_long_list_of_errors_is_cut_short_in_the_line(client: FlaskClient) -> None:
    """`error` names a few and says how many more there are."""
    wrong = [{**RIDE.example, "PULocationID": 0}] * 9
    assert infer(client, ride(*wrong)).json["error"].endswith("and 4 more")


@pytest.mark.parametrize("outputs", [3, [3], [{"name": "tips"}], [{}]], ids=str)
def test_an_output_that_there_is_not_is_refused(client: FlaskClient, outputs: Any) -> None:
    """422, with the names that there are."""
    answer = infer(client, ride(), outputs=outputs)
    assert answer.status_code == 422
    assert answer.json["errors"][0]["field"].startswith("outputs")


def test_the_binary_extension_is_refused(client: FlaskClient) -> None:
    """By its header as by its parameter, with what to do instead."""
    binary = tensor("PULocationID", [1, 2], parameters={"binary_data_size": 16})
    by_parameter = infer(client, [binary, *ride()[1:]])
    by_header = client.post(
        "/v2/models/ride/infer", data=b"{}", headers={"Inference-Header-Content-Length": "2"}
    )
    for answer in (by_parameter, by_header):
        assert answer.status_code == 415
        assert "binary_data=False" in answer.get_json()["error"]


def test_a_version_that_is_not_served_is_not_found(client: FlaskClient) -> None:
    """Each address of another version is a 404 that names the version that there is."""
    version = client.get("/models/ride").get_json()["version"]
    assert client.get(f"/v2/models/ride/versions/{version}").status_code == 200
    for method, ending in (("GET", ""), ("GET", "/ready"), ("POST", "/infer")):
        answer = client.open(f"/v2/models/ride/versions/77{ending}", method=method)
        assert answer.status_code == 404
        assert version in answer.get_json()["error"]


def test_no_more_than_the_limits(client: FlaskClient) -> None:
    """MAX_RECORDS records, and a thousand tensors."""
    many = [dict(RIDE.example)] * 10_001
    assert infer(client, ride(*many)).status_code == 413
    assert infer(client, [tensor(f"t{n}", []) for n in range(1001)]).status_code == 413
