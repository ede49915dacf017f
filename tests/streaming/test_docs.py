"""What docs/streaming.md says is what there is."""

from __future__ import annotations

import json
import re
import shlex

from streaming import aws_lambda, replay
from streaming.meter import Meter
from streaming.options import parse
from streaming.settings import StreamSettings
from tests.support import ROOT
from tests.support.schemas import json_schema

DOCS = (ROOT / "docs" / "streaming.md").read_text()


def commands() -> list[list[str]]:
    """Return the words behind each `python -m streaming` of the page's code blocks."""
    text = "\n".join(re.findall(r"```sh\n(.*?)```", DOCS, re.DOTALL)).replace("\\\n", " ")
    lines = [line.partition("  #")[0] for line in text.splitlines()]
    return [shlex.split(line)[3:] for line in lines if line.startswith("python -m streaming ")]


def test_every_command_is_understood() -> None:
    """The brokers of the examples run in the tests of each."""
    assert len(commands()) >= 2
    for words in commands():
        if words[0] == "replay":
            replay.parse(words[1:])
        else:
            parse(words)


def test_every_metric_is_listed() -> None:
    """And no other."""
    there = {
        f"{family.name}{'_total' * (family.type == 'counter')}" for family in Meter().collect()
    }
    assert set(re.findall(r"^\| `(stream_[a-z_]+)", DOCS, re.MULTILINE)) == there


def test_settings_of_the_page_are_there() -> None:
    """Names in capitals, but for those of others."""
    names = {name.upper() for name in StreamSettings.model_fields}
    names |= set(re.findall(r"STREAM_[A-Z_]+", aws_lambda.__doc__ or "")) | {"STREAM_TIME"}
    named = set(re.findall(r"`((?:STREAM|REDIS|GRACEFUL)_[A-Z_]+)`", DOCS))
    assert named <= names
    assert len(named) >= 4


def test_an_event_s_line_of_the_prediction_log_fits_its_schema() -> None:
    """Its id may be longer than a request's."""
    schema = json.loads((ROOT / "docs" / "prediction-log.schema.json").read_text())
    of_id = schema["properties"]["request_id"]
    name = f"{'s' * 128}/shardId-000000000000/{'9' * 56}"
    assert json_schema(of_id).is_valid(name)
