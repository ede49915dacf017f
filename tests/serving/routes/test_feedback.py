"""POST /feedback/<model>: what came true, in the prediction log."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from scoring.errors import SettingsError
from scoring.models import discover
from serving.app import App, create_app
from serving.settings import Settings
from training.predictionlog import rows

RIDE = discover()["ride"]
KEYS = {"shop": "predict", "truths": "feedback", "boss": "admin"}


@pytest.fixture
def started(models_dir: Path, tmp_path: Path) -> Callable[..., App]:
    def start(**more: str) -> App:
        given = {"MODELS": "ride,churn", "MODELS_DIR": str(models_dir), "FEEDBACK": "on",
                 "PREDICTION_LOG": str(tmp_path / "log.jsonl"), **more}  # fmt: skip
        return create_app(Settings.from_env(given))

    return start


def logged(app: App, tmp_path: Path) -> list[dict[str, Any]]:
    app.services.observer.stop()
    return [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]


def test_truths_are_written_to_the_log(started: Callable[..., App], tmp_path: Path) -> None:
    """Between the predictions, one line each; what reads predictions leaves them out."""
    app = started()
    client = app.test_client()
    client.post("/predict/ride", json=dict(RIDE.example))
    one = client.post("/feedback/ride", json={"request_id": "a", "actual": 12})
    assert (one.status_code, one.get_json()) == (202, {"accepted": 1})
    some = [{"request_id": "b", "index": 3, "actual": True}, {"request_id": "c", "actual": 0}]
    assert client.post("/feedback/churn", json=some).get_json() == {"accepted": 2}
    found = logged(app, tmp_path)
    assert [one.get("kind") for one in found] == [None, "feedback", "feedback", "feedback"]
    told = [(one["model"], one["request_id"], one["index"], one["actual"]) for one in found[1:]]
    assert told == [("ride", "a", 0, 12.0), ("churn", "b", 3, 1.0), ("churn", "c", 0, 0.0)]
    assert len(list(rows(tmp_path / "log.jsonl", "ride"))) == 1


@pytest.mark.parametrize(
    ("sent", "fields"),
    [({"request_id": "a"}, ["actual"]), ({"actual": 1}, ["request_id"]), ([1], ["[0]"]),
     ({"request_id": "", "index": -1, "actual": "x"}, ["request_id", "index", "actual"]),
     ([{"request_id": "a", "actual": 1}, {"request_id": "a", "actual": True}], ["[1].actual"]),
     ({"request_id": "a", "actual": 10**400}, ["actual"]), ("a", ["body"]),
     ({"request_id": "a", "index": True, "actual": 1}, ["index"])],
    ids=["actual", "id", "none", "all", "array", "large", "text", "index"],
)  # fmt: skip
def test_what_is_no_truth_is_named(
    started: Callable[..., App], tmp_path: Path, sent: Any, fields: list[str]
) -> None:
    """And nothing is written."""
    app = started()
    answer = app.test_client().post("/feedback/ride", json=sent)
    assert answer.status_code in (400, 422)
    if answer.status_code == 422:
        assert [one["field"] for one in answer.get_json()["errors"]] == fields
    assert not (tmp_path / "log.jsonl").read_text()


@pytest.mark.slow
def test_it_is_off_by_default(started: Callable[..., App]) -> None:
    """And in vain without a log."""
    client = started(FEEDBACK="off").test_client()
    assert client.post("/feedback/ride", json={}).status_code == 404
    assert "/feedback/{name}" not in client.get("/openapi.json").get_json()["paths"]
    with pytest.raises(SettingsError, match="FEEDBACK is set in vain without PREDICTION_LOG"):
        Settings.from_env({"FEEDBACK": "on"})


@pytest.mark.slow
def test_a_key_has_a_scope_of_its_own(started: Callable[..., App], tmp_path: Path) -> None:
    """Who may ask cannot tell what came true, nor the reverse; the log names the key."""
    file = tmp_path / "keys"
    hashes = {name: hashlib.sha256(name.encode()).hexdigest() for name in KEYS}
    file.write_text("".join(f"{n} {s} sha256:{hashes[n]}\n" for n, s in KEYS.items()))
    app = started(API_KEYS_FILE=str(file))
    client: FlaskClient = app.test_client()

    def status(path: str, key: str, sent: Any) -> int:
        return client.post(path, json=sent, headers={"X-API-Key": key}).status_code

    truth = {"request_id": "a", "actual": 1}
    assert {key: status("/feedback/ride", key, truth) for key in KEYS} == {
        "shop": 403, "truths": 202, "boss": 202}  # fmt: skip
    assert {key: status("/predict/ride", key, dict(RIDE.example)) for key in KEYS} == {
        "shop": 200, "truths": 403, "boss": 200}  # fmt: skip
    assert client.post("/feedback/ride", json=truth).status_code == 401
    keys = [one["key"] for one in logged(app, tmp_path) if "kind" in one]
    assert keys == ["truths", "boss"]
    operation = client.get("/openapi.json", headers={"X-API-Key": "shop"}).get_json()
    assert "403" in operation["paths"]["/feedback/{name}"]["post"]["responses"]


def test_a_full_log_says_so(started: Callable[..., App], monkeypatch: pytest.MonkeyPatch) -> None:
    """503: the caller tries again."""
    app = started()
    assert app.services.log is not None
    monkeypatch.setattr(app.services.log, "_max_queued", 0)
    answer = app.test_client().post("/feedback/ride", json={"request_id": "a", "actual": 1})
    assert answer.status_code == 503
