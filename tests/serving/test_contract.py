"""The HTTP contract, for every model that is found: a third model's file is tested by existing."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from scoring.models import Model
from tests.support import records


def ask(client: FlaskClient, model: Model, value: Any) -> TestResponse:
    return client.post(f"/predict/{model.name}", json=value)


def bad_fields(response: TestResponse) -> set[str]:
    """Return the fields that a 422 names; anything else is no valid refusal."""
    assert response.status_code == 422
    assert response.mimetype == "application/problem+json"
    return {line["field"] for line in response.get_json()["errors"]}


def test_the_example_is_answered_with_a_prediction_and_its_version(
    client: FlaskClient, model: Model
) -> None:
    """POST /predict/<model> answers its own example with 200, the answer and the version."""
    response = ask(client, model, dict(model.example))
    assert response.status_code == 200
    assert response.mimetype == "application/json"
    assert set(response.get_json()) - {"unseen"} == {*model.answer(0.5, 0.5), "model_version"}
    assert response.headers["Model-Version"] == response.get_json()["model_version"]


def test_an_array_is_answered_in_order(client: FlaskClient, model: Model) -> None:
    """An array of records gets as many predictions, each what the record alone gets."""
    rows = records(model, 20)
    together = ask(client, model, rows).get_json()
    alone = [ask(client, model, row).get_json() for row in rows]
    assert len(together["predictions"]) == len(rows)
    for got, expected in zip(together["predictions"], alone, strict=True):
        assert expected.pop("model_version") == together["model_version"]
        assert got == {
            k: pytest.approx(v) if isinstance(v, float) else v for k, v in expected.items()
        }


def test_an_empty_array_has_no_predictions(client: FlaskClient, model: Model) -> None:
    """A batch that happens to be empty is answered with no predictions, not with an error."""
    response = ask(client, model, [])
    assert response.status_code == 200
    assert response.get_json()["predictions"] == []


def test_every_missing_field_is_named_at_once(client: FlaskClient, model: Model) -> None:
    """An empty object gets an error for each field of the record."""
    assert bad_fields(ask(client, model, {})) == set(model.record.model_fields)


@pytest.mark.parametrize("value", [None, [], {}, "text", True], ids=repr)
def test_a_field_of_a_wrong_type_is_named(client: FlaskClient, model: Model, value: Any) -> None:
    """Each field refuses null, arrays, objects, foreign text and true, and it alone is named."""
    for name in model.record.model_fields:
        response = ask(client, model, {**model.example, name: value})
        assert bad_fields(response) == {name}


def test_a_misspelt_key_is_met_with_the_one_that_was_meant(
    client: FlaskClient, model: Model
) -> None:
    """A key in the wrong case is missing, and the answer asks whether it was meant."""
    for name in model.record.model_fields:
        record = dict(model.example)
        record[name.swapcase()] = record.pop(name)
        response = ask(client, model, record)
        assert bad_fields(response) == {name}
        [error] = response.get_json()["errors"]
        assert name.swapcase() in error["problem"]
        assert f"was '{name}' meant?" in error["problem"]


def test_other_keys_are_ignored(client: FlaskClient, model: Model) -> None:
    """A record may carry an id of the caller's, whatever it is, and is answered as without."""
    plain = ask(client, model, dict(model.example)).get_json()
    for value in ("id-1", 7, None, {"a": [1]}, float("1e308")):
        assert ask(client, model, {**model.example, "caller_id": value}).get_json() == plain


def test_one_bad_record_of_a_hundred_is_named_by_its_index(
    client: FlaskClient, model: Model
) -> None:
    """An array is refused as a whole, and the error says which record and field it was."""
    rows = [dict(model.example) for _ in range(100)]
    name = next(iter(model.record.model_fields))
    del rows[42][name]
    assert bad_fields(ask(client, model, rows)) == {f"[42].{name}"}


def test_limits_are_the_schemas(client: FlaskClient, model: Model) -> None:
    """A number on a limit of its field is taken, one beyond it is refused and the limit named."""
    for name, field in model.record.model_json_schema()["properties"].items():
        for limit, beyond in (("minimum", -1), ("maximum", 1)):
            if limit in field:
                on = ask(client, model, {**model.example, name: field[limit]})
                assert on.status_code == 200
                off = ask(client, model, {**model.example, name: field[limit] + beyond})
                assert bad_fields(off) == {name}
                assert f"{field[limit]:g}" in off.get_json()["errors"][0]["problem"]


def test_a_category_may_be_spelt_in_any_case(client: FlaskClient, model: Model) -> None:
    """Capitals and spaces make no other category: the answer is the same."""
    plain = ask(client, model, dict(model.example)).get_json()
    for name, value in model.example.items():
        if isinstance(value, str):
            spelt = value.capitalize().replace("_", " ")
            assert ask(client, model, {**model.example, name: spelt}).get_json() == plain


def test_the_catalogue_describes_the_model(client: FlaskClient, model: Model) -> None:
    """GET /models/<model> has the version, digest, times, metrics, schema and an example that the
    model itself answers."""
    shown = client.get(f"/models/{model.name}").get_json()
    assert shown in client.get("/models").get_json()["models"]
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", shown["digest"])
    assert shown["version"] == shown["digest"].removeprefix("sha256:")[:12]
    assert {"trained", "loaded", "metrics", "baseline", "record"} <= shown.keys()
    assert set(shown["record"]["properties"]) == set(model.record.model_fields)
    assert ask(client, model, shown["example"]).status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_another_method_is_refused(client: FlaskClient, model: Model, method: str) -> None:
    """Only POST predicts; the answer says so in `Allow`."""
    response = client.open(f"/predict/{model.name}", method=method)
    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]
    assert response.mimetype == "application/problem+json"


def test_the_first_model_is_the_default(client: FlaskClient) -> None:
    """POST /predict is answered by the first model, which GET /models names."""
    catalogue = client.get("/models").get_json()
    first = catalogue["models"][0]
    assert catalogue["default"] == first["name"]
    default = client.post("/predict", json=first["example"])
    named = client.post(f"/predict/{first['name']}", json=first["example"])
    assert default.status_code == 200
    assert default.json == named.json
