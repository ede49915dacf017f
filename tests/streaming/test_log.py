"""The prediction log of a stream."""

from __future__ import annotations

import json
from pathlib import Path

from scoring.engine import answer_each
from scoring.errors import InvalidRecords
from scoring.models import discover
from scoring.observers.log_setup import open_log
from scoring.predictor import Predictor
from streaming.settings import StreamSettings
from tests.streaming.support import ride


def test_each_event_is_a_request_of_its_own(models_dir: Path, tmp_path: Path) -> None:
    """Its line has its prediction's id, so that a later truth can be joined to it; a refused one
    has none."""
    predictor = Predictor.from_folder(models_dir / "ride", discover()["ride"])
    settings = StreamSettings(prediction_log=tmp_path / "log.jsonl")
    log = open_log(settings, [predictor], lambda *_: None)
    assert log is not None
    items = [ride(1), b"{}", ride(2)]
    answers = answer_each(predictor, items, ids=["r/0/1", "r/0/2", "r/0/3"], observer=log)
    log.stop()
    assert isinstance(answers[1], InvalidRecords)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(line["request_id"], line["index"]) for line in lines] == [("r/0/1", 0), ("r/0/3", 0)]
    assert [line["result"] for line in lines] == [
        {k: v for k, v in answer.items() if k not in ("unseen", "beyond")}
        for answer in (answers[0], answers[2]) if isinstance(answer, dict)
    ]  # fmt: skip
