"""The commands `watch` and `trigger`, in this process and in one of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import run as module
from pipeline.cli import main
from tests.pipeline.support import copied, months
from tests.pipeline.test_triggers import SECRET, send
from tests.support import ROOT, wait_for

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, good: Path) -> None:
    monkeypatch.setattr(module, "fit", copied(good))


def test_the_command_takes_a_turn_and_says_what_it_watches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The models are those of pipeline.toml; by hand is a command of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert main(["watch", "--once"]) == 2
    assert "names no model" in capsys.readouterr().err
    (tmp_path / "new").mkdir()
    months(tmp_path / "new", 3)
    text = '[ride.data]\nfolder = "new"\n[ride.watch]\ndebounce_seconds = 0\nmonitoring = "off"\n'
    (tmp_path / "pipeline.toml").write_text(text)
    assert main(["watch", "--once"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("watching ride\nMONITORING_STORE is not set: new champions are not obs")
    assert "\nrun 000001-" in out
    assert main(["trigger", "ride", "--why", "to see"]) == 0
    assert capsys.readouterr().out == "ride: the next watcher runs it\n"
    assert main(["watch", "--once"]) == 0
    assert main(["history", "ride"]) == 0
    assert "by hand: to see" in (told := capsys.readouterr().out)
    assert "not run: nothing to do: run 000001-" in told
    (tmp_path / "pipeline.toml").write_text(text.replace('"off"', '"alarm"'))
    monkeypatch.delenv("MONITORING_STORE", raising=False)
    for words, why in (
        (["watch"], "MONITORING_STORE is not set"),
        (["watch", "ride", "--every", "0"], "--every takes a number"),
        (["watch", "rides"], "there is no model 'rides'"),
    ):
        assert main(words) == 2
        assert why in capsys.readouterr().err
    (tmp_path / "pipeline.toml").write_text(text)
    assert main(["watch", "--port", "0"]) == 2
    assert "--port needs PIPELINE_TRIGGER_SECRET" in capsys.readouterr().err


def test_a_watcher_in_a_process_takes_webhooks_and_ends_at_a_signal(tmp_path: Path) -> None:
    """The webhook ends its wait; the page is written; SIGTERM is no failure."""
    (tmp_path / "pipeline.toml").write_text(
        '[ride.data]\nfolder = "none"\n[ride.watch]\nnew_data = false\ndebounce_seconds = 0\n'
    )
    environ = {
        **os.environ, "PYTHONPATH": str(ROOT), "PIPELINE_TRIGGER_SECRET": SECRET,
        "MODELS_DIR": str(tmp_path / "models"),
    }  # fmt: skip
    environ.pop("MLFLOW_TRACKING_URI", None)
    words = ["watch", "--every", "3600", "--port", "0", "--pages", "pages"]
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", *words], cwd=tmp_path, env=environ,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "watching ride\n"
        assert process.stdout.readline().endswith("new champions are not observed\n")
        address = process.stdout.readline().split()[-1].removesuffix("/MODEL")
        page = tmp_path / "pages/ride.html"
        wait_for(page.exists, "the page")
        assert send(f"{address}/ride", {"why": "a tariff"}) == (202, "taken")
        wait_for(lambda: "webhook of pipeline: a tariff" in page.read_text(), "the event")
    finally:
        process.terminate()
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out.endswith("stopped by SIGTERM; the same command goes on\n")
