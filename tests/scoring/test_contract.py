"""The HTTP contract, for every model that is found: a third model's file is tested by existing."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from scoring.models import Model
from tests.support import records


def test_the_example_is_answered_with_a_prediction_and_its_version(
    client: FlaskClient, model: Model
) -> None:
    """POST /predict/<model> answers its own example with 200, the answer and the version."""
    response = client.post(f"/predict/{model.name}", json=dict(model.example))
    assert response.status_code == 200
    assert response.mimetype == "application/json"
    assert set(response.json) - {"unseen"} == {*model.answer(0.5, 0.5), "model_version"}
    assert response.headers["Model-Version"] == response.json["model_version"]


def test_an_array_is_answered_in_order(client: FlaskClient, model: Model) -> None:
    """An array of records gets as many predictions, each what the record alone gets."""
    rows = records(model, 20)
    together = client.post(f"/predict/{model.name}", json=rows).json
    alone = [client.post(f"/predict/{model.name}", json=row).json for row in rows]
    assert len(together["predictions"]) == len(rows)
    for got, expected in zip(together["predictions"], alone, strict=True):
        assert expected.pop("model_version") == together["model_version"]
        assert got == {
            k: pytest.approx(v) if isinstance(v, float) else v for k, v in expected.items()
        }
