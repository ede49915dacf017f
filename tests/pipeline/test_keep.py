"""Folders of steps do not grow for ever."""

from __future__ import annotations

import io
import json
import os
import pty
from pathlib import Path

from pipeline.keep import clean
from pipeline.progress import working
from pipeline.records import PROMOTED, WAITING, Runs


def test_the_last_runs_and_those_that_wait_keep_their_steps(tmp_path: Path) -> None:
    """What nobody names any more goes, halves of killed runs as well; 0 keeps all."""
    runs = Runs(tmp_path, "ride")
    runs.make()
    for number in range(6):
        record = runs.begin("plan", "why", [], "code")
        for name in (f"train-{number}", "ingest-of-all"):
            (runs.steps / name).mkdir(exist_ok=True)
            (runs.steps / name / "result.json").write_text(json.dumps({}))
            record["steps"].append({"name": name, "folder": str(runs.steps / name)})
        runs.end(record, WAITING if number == 1 else PROMOTED, "said")
    (runs.steps / ".train-9.tmp").mkdir()
    clean(runs, 0)
    clean(runs, 6)
    assert len(list(runs.steps.iterdir())) == 8
    clean(runs, 2)
    assert sorted(path.name for path in runs.steps.iterdir()) == [
        "ingest-of-all", "train-1", "train-4", "train-5",
    ]  # fmt: skip
    assert len(runs.all()) == 6


def test_progress_is_a_line_that_goes_again_on_a_terminal() -> None:
    """Elsewhere each is a line of its own."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal, working("train", terminal, every_s=0.01):
        shown = b""
        while b"train: 0 s\rtrain" not in shown.replace(b"\r\r", b"\r"):
            shown += os.read(ours, 1024)
    assert b"\n" not in shown
    os.close(ours)
    log = io.StringIO()
    with working("train", log, every_s=0.01):
        while log.getvalue().count("\n") < 2:
            pass
    assert set(log.getvalue().splitlines()) == {"train: 0 s"}
