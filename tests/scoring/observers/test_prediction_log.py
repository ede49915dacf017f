"""From answers to lines: what they hold, what is hidden, and what happens when they cannot go."""

from __future__ import annotations

import json
import logging
import operator
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from scoring.errors import SettingsError
from scoring.models import Model, discover
from scoring.observers.log_files import Files
from scoring.observers.log_lines import Entry, Lines
from scoring.observers.observer import Caller
from scoring.observers.prediction_log import PredictionLog
from scoring.predictor import Predictor
from serving.app import App, create_app
from serving.settings import Settings
from tests.support import ROOT, records, wait_for
from tests.support.schemas import json_schema
from training.predictionlog import rows as logged_rows

SCHEMA = json.loads((ROOT / "docs" / "prediction-log.schema.json").read_text())
SECRET = "sixteen letters."


@pytest.fixture
def predictor(model: Model, models_dir: Path) -> Predictor:
    return Predictor.from_folder(models_dir / model.name, model)


def lines_of(
    predictor: Predictor, lines: Lines, rows: list[dict[str, Any]], carried: Any = ()
) -> list[Any]:
    caller = Caller("id-1", "shop", carried=carried)
    entry = Entry(1.7e9 + 0.25, caller, predictor, predictor.many(rows))
    return [json.loads(line) for line in lines.of(entry)]


@pytest.mark.slow
def test_a_line_is_what_its_schema_says(predictor: Predictor) -> None:
    """The documented schema describes every line, and says no more than is there."""
    rows = records(predictor.model, 20)
    found = lines_of(predictor, Lines((), (), ""), rows, [{"customerid": "c"}] * len(rows))
    for line in found:
        json_schema(SCHEMA).validate(line)
        assert set(line) == set(SCHEMA["properties"]) == {*SCHEMA["required"], "key", "ids"}
        assert line["key"] == "shop"
    assert [line["index"] for line in found] == list(range(len(rows)))
    assert [line["features"] for line in found] == rows
    assert datetime.fromisoformat(found[0]["time"]).timestamp() == 1.7e9 + 0.25
    answers = predictor.many(rows).answers
    assert [{**line["result"], **({"unseen": line["unseen"]} if line["unseen"] else {})}
            for line in found] == answers  # fmt: skip


def test_a_line_without_a_key_names_none(predictor: Predictor) -> None:
    """Where callers need no key, the line has no such field."""
    entry = Entry(1.7e9, Caller("id-1"), predictor, predictor.many(records(predictor.model, 1)))
    for line in map(json.loads, Lines((), (), "").of(entry)):
        json_schema(SCHEMA).validate(line)
        assert "key" not in line


def test_the_example_of_the_page_is_complete() -> None:
    """What the page shows has the fields of the schema, in order."""
    text = (ROOT / "docs" / "prediction-log.md").read_text()
    shown = json.loads(text.partition("```json")[2].partition("```")[0])
    assert set(shown) == set(SCHEMA["properties"])


def test_fields_are_left_out_or_hashed(predictor: Predictor) -> None:
    """A hash is the same for the same value of the same field and secret, and for no other; what
    is hidden does not come back as an unseen category."""
    first, second, *_ = predictor.model.record.model_fields
    rows = [dict(predictor.model.example)] * 2
    found = lines_of(predictor, Lines([first], [second], SECRET), rows)
    for line in found:
        json_schema(SCHEMA).validate(line)
        assert first not in line["features"]
        assert line["features"][second].startswith("hmac:")
        assert len(line["features"][second]) == 37
        assert line["unseen"] == []
    assert found[0]["features"] == found[1]["features"]
    other = lines_of(predictor, Lines([first], [second], SECRET + "!"), rows)
    assert other[0]["features"][second] != found[0]["features"][second]
    both = lines_of(predictor, Lines([], [first, second], SECRET), [{**rows[0]}])
    assert both[0]["features"][first] != both[0]["features"][second]


@pytest.fixture
def counted() -> Counter[str]:
    return Counter()


@pytest.fixture
def log(tmp_path: Path, counted: Counter[str]) -> Iterator[PredictionLog]:
    def count(written: int, dropped: int) -> None:
        counted.update(written=written, dropped=dropped)

    files = Files(tmp_path / "logs" / "log.jsonl", max_bytes=10**6, keep=3)
    (tmp_path / "logs").mkdir()
    made = PredictionLog(files, Lines((), (), ""), count)
    yield made
    made.stop()


@pytest.mark.slow
def test_what_is_noted_is_written_soon_and_at_the_end(
    log: PredictionLog, predictor: Predictor, counted: Counter[str], tmp_path: Path
) -> None:
    """The thread starts by itself; a stop writes what is in line."""
    example = dict(predictor.model.example)
    log.answered(predictor, predictor.one(example), 0.001, Caller("id-1"))
    wait_for(lambda: counted["written"] == 1, "the line")
    for _ in range(100):
        log.answered(predictor, predictor.many([example] * 3), 0.001, Caller("id-2"))
    log.stop()
    assert counted == {"written": 301, "dropped": 0}
    written = (tmp_path / "logs" / "log.jsonl").read_text().splitlines()
    assert len(written) == 301
    assert json.loads(written[-1])["request_id"] == "id-2"


class SlowFiles(Files):
    """Files on a disk that takes nothing until it is `released`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, max_bytes=10**6, keep=3)
        self.asked = threading.Event()
        self.released = threading.Event()

    def append(self, lines: bytes) -> None:
        self.asked.set()
        assert self.released.wait(30)
        super().append(lines)


@pytest.mark.slow
def test_what_finds_no_room_is_dropped_and_counted(
    predictor: Predictor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Memory is bounded by records, not by requests; it is logged once."""
    counted: Counter[str] = Counter()
    files = SlowFiles(tmp_path / "log.jsonl")
    log = PredictionLog(
        files,
        Lines((), (), ""),
        lambda written, dropped: counted.update(written=written, dropped=dropped),
        max_queued=10,
    )
    scored = predictor.many([dict(predictor.model.example)] * 4)
    log.answered(predictor, scored, 0.001, Caller("is being written"))
    assert files.asked.wait(30)
    for _ in range(5):
        log.answered(predictor, scored, 0.001, Caller("two of five find room"))
    files.released.set()
    log.stop()
    assert counted == {"written": 12, "dropped": 12}
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1


@pytest.mark.slow
def test_a_folder_that_is_gone_costs_lines_and_nothing_else(
    log: PredictionLog, predictor: Predictor, counted: Counter[str], tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """One error says so, one line says that it goes on; in between, everything is counted."""
    caplog.set_level(logging.WARNING)
    scored = predictor.one(dict(predictor.model.example))
    log.answered(predictor, scored, 0.001, Caller("1"))
    wait_for(lambda: counted["written"] == 1, "the first line")
    shutil.rmtree(tmp_path / "logs")
    for number in (1, 2):
        log.answered(predictor, scored, 0.001, Caller("2"))
        wait_for(partial(operator.eq, counted, Counter(written=1, dropped=number)), "the loss")
    (tmp_path / "logs").mkdir()
    log.answered(predictor, scored, 0.001, Caller("3"))
    wait_for(lambda: len(caplog.records) == 2, "a line again, and a word of it")
    assert counted == {"written": 2, "dropped": 2}
    said = [record.getMessage() for record in caplog.records]
    assert "cannot take all: No such file or directory; predictions go on" in said[0]
    assert said[1].endswith("is written again")


def client(models_dir: Path, **more: Any) -> FlaskClient:
    return create_app(Settings(models_dir=models_dir, **more)).test_client()


def test_every_way_to_ask_is_logged(models_dir: Path, tmp_path: Path) -> None:
    """Ours, MLflow's and the Open Inference Protocol's; not what is refused."""
    path = tmp_path / "log.jsonl"
    asked = client(models_dir, prediction_log=path)
    ride = dict(discover()["ride"].example)
    assert asked.post("/predict", json=ride, headers={"X-Request-ID": "mine"}).status_code == 200
    assert asked.post("/predict/ride?explain=true", json=[ride] * 2).status_code == 200
    assert asked.post("/invocations", json={"dataframe_records": [ride]}).status_code == 200
    assert asked.post("/predict", json={}).status_code == 422
    assert isinstance(asked.application, App)
    asked.application.services.observer.stop()
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["index"] for line in found] == [0, 0, 1, 0]
    assert found[0]["request_id"] == "mine"
    assert {line["model"] for line in found} == {"ride"}


def test_it_is_off_by_default(models_dir: Path, tmp_path: Path) -> None:
    """Nothing is kept of anybody unless it is asked for."""
    before = {thread.name for thread in threading.enumerate()}
    asked = client(models_dir)
    assert asked.post("/predict", json=dict(discover()["ride"].example)).status_code == 200
    assert {thread.name for thread in threading.enumerate()} == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"prediction_log_omit": ("gendre",)},
            "PREDICTION_LOG_OMIT names 'gendre', which no",
        ),
        ({"prediction_log_hash": ("gender",)}, "PREDICTION_LOG_HASH needs PREDICTION_LOG_SECRET"),
        ({"prediction_log": "nowhere/log"}, "nowhere/log: No such file or directory"),
        ({"prediction_log": "link"}, "link: it is a symbolic link, which is not followed"),
        ({"prediction_log": "folder"}, "folder: Is a directory"),
    ],
    ids=["misspelt", "no secret", "no folder", "link", "folder"],
)
def test_what_cannot_be_kept_as_asked_stops_the_start(
    models_dir: Path, tmp_path: Path, more: dict[str, Any], said: str
) -> None:
    """With a line that names the setting."""
    (tmp_path / "link").symlink_to(tmp_path / "log")
    (tmp_path / "folder").mkdir()
    path = tmp_path / more.pop("prediction_log", "log")
    with pytest.raises(SettingsError) as error:
        client(models_dir, prediction_log=path, **more)
    assert said in str(error.value)


def test_an_id_of_the_callers_is_logged(model: Model, models_dir: Path, tmp_path: Path) -> None:
    """As the setting names it, hashed where that is asked for."""
    log = tmp_path / "log.jsonl"
    settings = Settings.from_env(
        {"MODELS": model.name, "MODELS_DIR": str(models_dir), "PREDICTION_LOG": str(log),
         "PREDICTION_LOG_ID": "customerid,ride_id", "PREDICTION_LOG_HASH": "ride_id",
         "PREDICTION_LOG_SECRET": SECRET}
    )  # fmt: skip
    app = create_app(settings)
    body = {**model.example, "customerid": "c7", "ride_id": "x"}
    assert app.test_client().post("/predict", json=[body, dict(model.example)]).status_code == 200
    app.services.observer.stop()
    first, second = map(json.loads, log.read_text().splitlines())
    assert first["ids"]["customerid"] == "c7"
    assert first["ids"]["ride_id"].startswith("hmac:")
    assert "ids" not in second
    json_schema(SCHEMA).validate(first)


@pytest.mark.parametrize("kept", ["on", "off"])
def test_refused_requests_are_kept_where_asked_for(
    model: Model, models_dir: Path, tmp_path: Path, kept: str
) -> None:
    """Field, reason and number of records of each request, by either path; no value of theirs."""
    log = tmp_path / "log.jsonl"
    settings = Settings.from_env(
        {"MODELS": model.name, "MODELS_DIR": str(models_dir), "PREDICTION_LOG": str(log),
         "PREDICTION_LOG_REFUSED": kept}
    )  # fmt: skip
    first, second, *_ = model.record.model_fields
    bad = {**model.example, first: "a secret", f"{second} ": "another"}
    del bad[second]
    app = create_app(settings)
    for body in (bad, [bad, dict(model.example), bad], dict(model.example)):
        app.test_client().post("/predict", json=body)
    app.services.observer.stop()
    lines = list(map(json.loads, log.read_text().splitlines()))
    assert "features" in lines.pop()
    assert len(lines) == (2 if kept == "on" else 0)
    assert "secret" not in log.read_text()
    for line, records_ in zip(lines, (1, 2), strict=False):
        assert (line["schema"], line["kind"], line["model"]) == (1, "refused", model.name)
        found = {one["field"]: (one["reason"], one["records"]) for one in line["errors"]}
        assert found[second] == ("missing", records_)
        assert found[first][1] == records_
    assert len(list(logged_rows(log))) == 1
