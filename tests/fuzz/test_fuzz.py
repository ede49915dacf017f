"""A short turn of each fuzz target, the same every time; `make fuzz` takes its time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

from scoring.models import discover
from scoring.values import strict_json
from tests.fuzz import answers, corpus, openapi, replay
from tests.support import ROOT, Server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # schemathesis's own; ours would be another's findings
]

BODY = json.dumps(dict(next(iter(discover().values())).example)).encode()


@pytest.mark.long
def test_the_app_keeps_to_its_openapi_document(app: Flask) -> None:
    """Whatever is asked in its terms, or against them: no 5xx, and answers of its shapes."""
    asked = [openapi.fuzz(each, 1, 8) for each in openapi.operations(openapi.of_app(app))]
    assert all(asked)
    assert sum(asked) > 150


def test_the_service_keeps_to_its_openapi_document(server: Server) -> None:
    """Over a socket as well: the requests that are answered at once are among these."""
    schema = openapi.of_url(server.url)
    for each in openapi.operations(schema):
        openapi.fuzz(each, 2, 3)


def test_a_document_that_is_not_kept_to_is_found_out(app: Flask) -> None:
    """The check of the check."""
    document = app.test_client().get("/openapi.json").get_json()
    del document["paths"]["/predict"]["post"]["responses"]["422"]
    schema = openapi.loaded(document, app)
    [predict] = [each for each in openapi.operations(schema) if each.label == "POST /predict"]
    with pytest.raises(BaseExceptionGroup) as found:
        openapi.fuzz(predict, 1, 30)
    assert "422" in str(found.value)


@pytest.mark.long
def test_no_body_breaks_the_decoder(models_dir: Path, tmp_path: Path) -> None:
    """From the bodies in tests/requests/ on, by way of those that lead to new lines of ours. In a
    process of its own, whose code is instrumented and whose coverage is not measured."""
    found = tmp_path / "found"
    command = [sys.executable, "-m", "tests.fuzz.decoder", "--seconds", "4", "--seed", "1"]
    command += ["--runs", "3000", "--models", str(models_dir), "--output", str(found)]
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    ran = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-4000:]
    assert not list(found.iterdir())


def test_a_finding_is_tried_again(
    models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the command that its finding printed: what is mended is right."""
    body = tmp_path / "crash-1"
    body.write_bytes(BODY)
    replay.main([body], models_dir)
    assert capsys.readouterr().out == f"{body}: right\n"


def test_a_decoder_that_errs_is_found_out(
    models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of another kind, and ways that do not agree."""
    predictors = corpus.predictors(models_dir)
    answers.check(predictors, BODY)
    with monkeypatch.context() as broken:
        broken.setattr(strict_json, "_has_each_key_once", lambda *_: True)
        with pytest.raises(AssertionError, match="and with care as"):
            answers.check(predictors, b'{"a": 1, "a": 2}')
    monkeypatch.setattr(strict_json, "_has_each_key_once", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        answers.check(predictors, BODY)
