"""The OpenAPI document says what the service does, for every model that is found."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient

from scoring.models import Model
from serving.app import App, create_app
from serving.openapi.document import document as make_document
from serving.settings import Settings
from tests.support import Server, records
from tests.support.schemas import check_openapi, json_schema
from tests.third_model import TIPS, app_of

STATUSES = {"400", "401", "404", "405", "408", "413", "415", "417", "422", "500", "503"}


@pytest.fixture
def document(client: FlaskClient) -> Any:
    return client.get("/openapi.json").get_json()


def _validator(document: Any, schema: Any) -> Any:
    """Check against a schema of the document, whose references it follows."""
    return json_schema({**schema, "components": document["components"]})


def _body_schema(document: Any, model: Model, status: str = "200") -> Any:
    found = document["paths"][f"/predict/{model.name}"]["post"]["responses"][status]
    if "$ref" in found:
        found = document["components"]["responses"][found["$ref"].rpartition("/")[2]]
    [content] = found["content"].values()
    return content["schema"]


@pytest.mark.slow
def test_a_public_validator_accepts_it(document: Any) -> None:
    """It is OpenAPI 3.1 to the letter."""
    check_openapi(document)
    assert document["openapi"].startswith("3.1.")


def test_every_model_has_its_operation_with_all_statuses(document: Any, model: Model) -> None:
    """Whatever can come back from a prediction is described, with its headers."""
    operation = document["paths"][f"/predict/{model.name}"]["post"]
    assert set(operation["responses"]) == {"200", *STATUSES}
    assert set(operation["responses"]["200"]["headers"]) == {"Model-Version", "X-Request-ID"}
    problem = document["components"]["responses"]["Problem503"]
    assert "Retry-After" in problem["headers"]


def test_every_error_that_we_raise_is_in_it(document: Any) -> None:
    """Each status of an error class has its component, whose text is the class's own."""
    responses = document["components"]["responses"]
    assert {f"Problem{status}" for status in {*STATUSES, "403"}} == responses.keys()
    assert (
        "The API key does not allow this route or model." in responses["Problem403"]["description"]
    )
    assert "WWW-Authenticate" in responses["Problem401"]["headers"]


@pytest.mark.slow
def test_keys_are_in_it_where_they_are_asked_for(app: App, tmp_path: Path) -> None:
    """Every way to send one, on every operation but the probes; admins' routes may answer 403."""
    (tmp_path / "keys").write_text(f"shop predict sha256:{'0' * 64}\n")
    settings = Settings(api_keys_file=tmp_path / "keys")
    served = create_app(settings, app.services.predictors).services
    document = make_document(served)
    check_openapi(document)
    assert document["components"]["securitySchemes"].keys() == {"bearer", "api_key", "basic"}
    paths = document["paths"]
    assert len(paths["/predict"]["post"]["security"]) == 3
    assert "security" not in paths["/ping"]["get"]
    assert "security" not in paths["/v2/health/ready"]["get"]
    assert {"401", "403"} <= paths["/metrics"]["get"]["responses"].keys()
    assert "403" not in paths["/models"]["get"]["responses"]


def test_without_keys_it_asks_for_none(document: Any) -> None:
    """Whoever reaches the port may ask then."""
    assert "securitySchemes" not in document["components"]
    assert "security" not in document["paths"]["/predict"]["post"]


def test_its_version_is_the_services(client: FlaskClient, document: Any) -> None:
    """One number, wherever it is told."""
    version = client.get("/version").text
    assert document["info"]["version"] == version == client.get("/v2").get_json()["version"]
    answer = document["paths"]["/version"]["get"]["responses"]["200"]
    assert answer["content"]["text/plain"]["example"] == version


def test_real_answers_are_what_it_says(client: FlaskClient, document: Any, model: Model) -> None:
    """One record, an array and an explanation each match the schema of a 200."""
    check = _validator(document, _body_schema(document, model))
    for body in (dict(model.example), records(model, 3)):
        for query in ("", "?explain=true"):
            answer = client.post(f"/predict/{model.name}{query}", json=body)
            assert answer.status_code == 200
            check.validate(answer.json)


def test_it_describes_no_answer_that_lacks_its_parts(document: Any, model: Model) -> None:
    """An empty object is no answer: the schema would notice a missing prediction."""
    assert not _validator(document, _body_schema(document, model)).is_valid({})


def test_real_errors_are_what_it_says(client: FlaskClient, document: Any, model: Model) -> None:
    """400, 415 and 422 as they come match the problem's schema."""
    path = f"/predict/{model.name}"
    answers = [
        client.post(path, data=b"{", content_type="application/json"),
        client.post(path, data=b"{}", content_type="text/plain"),
        client.post(path, json={}),
    ]
    assert [answer.status_code for answer in answers] == [400, 415, 422]
    for answer in answers:
        schema = _body_schema(document, model, str(answer.status_code))
        _validator(document, schema).validate(answer.json)


def test_records_carry_limits_units_and_an_example(document: Any) -> None:
    """What the record says of a field is in the document."""
    ride = document["components"]["schemas"]["RideRecord"]
    distance = ride["properties"]["trip_distance"]
    assert (distance["minimum"], distance["maximum"]) == (0, 100)
    assert "miles" in distance["description"]
    assert ride["examples"] == [{"PULocationID": 74, "DOLocationID": 75, "trip_distance": 2.5}]


def test_every_documented_path_is_there(client: FlaskClient, document: Any, model: Model) -> None:
    """No path of the document answers 404."""
    version = client.get(f"/models/{model.name}").get_json()["version"]
    for path, operations in document["paths"].items():
        for method in operations.keys() & {"get", "post"}:
            address = path.replace("{name}", model.name).replace("{version}", version)
            answer = client.open(address, method=method.upper())
            # a client of V2 may leave the media type out: there the body is what is missing
            assert answer.status_code in ({200, 400} if "infer" in path else {200, 415}), path


def test_it_is_made_once_and_asked_about_after(client: FlaskClient) -> None:
    """The same bytes come again, and a browser that has them gets a 304."""
    first = client.get("/openapi.json")
    again = client.get("/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert again.data == b""
    assert client.get("/openapi.json").data == first.data


@pytest.mark.slow
def test_a_third_model_is_in_it_by_existing(tmp_path: Path) -> None:
    """A model with other kinds of field needs no further edit."""
    client = app_of(TIPS, tmp_path).test_client()
    document = client.get("/openapi.json").get_json()
    check_openapi(document)
    answer = client.post("/predict/tips", json=dict(TIPS.example))
    _validator(document, _body_schema(document, TIPS)).validate(answer.json)
    assert (
        document["components"]["schemas"]["TipsRecord"]["properties"]["card"]["type"] == "boolean"
    )


@pytest.mark.slow
def test_a_generated_client_predicts(
    server: Server, document: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A public generator makes a client of the document, and that client gets predictions."""
    served = requests.get(f"{server.url}/openapi.json", timeout=30)
    (tmp_path / "document.json").write_bytes(served.content)
    command: list[str | Path] = [Path(sys.executable).with_name("openapi-python-client")]
    command += ["generate", "--meta=none", "--path", tmp_path / "document.json"]
    command += ["--output-path", tmp_path / "generated"]
    # the generator tidies its output with ruff, which it looks for in PATH
    environment = {"PATH": str(Path(sys.executable).parent)}
    made = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert made.returncode == 0, made.stdout + made.stderr
    monkeypatch.syspath_prepend(tmp_path)
    generated = importlib.import_module("generated")
    models = importlib.import_module("generated.models")
    with generated.Client(base_url=server.url) as client:
        for name in ("ride", "churn"):
            record_name = f"{name.capitalize()}Record"
            example = document["components"]["schemas"][record_name]["examples"][0]
            record = getattr(models, record_name).from_dict(example)
            call = _operation(f"predict_{name}")
            one = call(client=client, body=record, explain=True)
            assert one.status_code == 200
            assert one.parsed.model_version == one.headers["Model-Version"]
            assert one.parsed.explanation.exact is True
            many = call(client=client, body=[record, record])
            assert len(many.parsed.predictions) == 2
        example = {"PULocationID": 0, "DOLocationID": 1, "trip_distance": 1}
        wrong = models.RideRecord.from_dict(example)
        refused = _operation("predict_ride")(client=client, body=wrong)
        assert refused.status_code == 422
        assert refused.parsed.errors[0].field == "PULocationID"


def _operation(name: str) -> Any:
    return importlib.import_module(f"generated.api.predictions.{name}").sync_detailed


def test_an_interval_may_be_asked_for_where_the_model_gives_one(
    document: Any, client: FlaskClient, model: Model
) -> None:
    """Elsewhere it would be refused whatever it is."""
    operation = document["paths"][f"/predict/{model.name}"]["post"]
    listed = {"$ref": "#/components/parameters/interval"} in operation["parameters"]
    about = client.get(f"/models/{model.name}", headers={"Accept": "application/json"}).get_json()
    assert listed == (about["intervals"] is not None)
