"""A training in a process of its own, and how it can end."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from pipeline import fit as module
from pipeline.config import Search, Train
from pipeline.errors import PipelineError, RefusedError, StoppedError
from pipeline.fit import fit
from tests.pipeline.support import RIDE, months, told
from training import registry, rows

pytestmark = pytest.mark.slow


def parts(folder: Path) -> dict[str, list[Path]]:
    """Return a month for each part."""
    one, two, three = months(folder, 3)
    return {"learned": [one], "watched": [two], "held_out": [three]}


def after(folder: Path, code: str, monkeypatch: pytest.MonkeyPatch, **config: Any) -> Any:
    """Return what the step says where the training is this code."""
    program = folder / "train.py"
    program.write_text(code)
    monkeypatch.setattr(module, "_PROGRAM", program)
    nothing: dict[str, list[Path]] = {name: [] for name in module._PARTS.values()}
    return fit(RIDE, nothing, Train(**config), os.environ, Search())(folder)


def test_it_learns_from_all_but_the_held_out_rows(tmp_path: Path) -> None:
    """What train.py said is kept beside the artifact."""
    config = Train(estimator="ridge", parameters={"alpha": 2.0})
    environ = {n: v for n, v in os.environ.items() if n != "MLFLOW_TRACKING_URI"}
    found = fit(RIDE, parts(tmp_path), config, environ, Search())(tmp_path)
    assert found["said"] == f"Ridge {found['version']}"
    assert found["sha256"] == told(tmp_path / "ride")["sha256"]
    assert found["mlflow_run"] is None
    assert "400 of 400 rows are used" in (tmp_path / "train.log").read_text()


def test_a_search_that_was_ended_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its trials stay until the step is done; the step says what the search came to."""
    step, real = tmp_path / ".train-1.tmp", module._run
    step.mkdir()
    search = Search(trials=2, space=("alpha=0.1..10",), max_bytes=10_000_000)
    work = fit(RIDE, parts(tmp_path), Train(estimator="ridge"), {**os.environ}, search)

    def ended(command: Any, config: Any, environ: Any, keep: Any) -> Any:
        real([*command, "--search", "1"], config, environ, keep)
        raise StoppedError("stopped")

    # the first trial, and then the end of the process before anything of the step is kept
    monkeypatch.setattr(module, "_run", ended)
    with pytest.raises(StoppedError):
        work(step)
    trials = tmp_path / ".train-1.tmp.search"
    assert (trials / "journal.log").exists()
    shutil.rmtree(step)
    step.mkdir()
    monkeypatch.setattr(module, "_run", real)
    found = work(step)
    assert "search: 1 trials are there already" in (step / "train.log").read_text()
    assert "; search: " in found["said"]
    assert not trials.exists()
    assert sorted(path.name for path in step.iterdir()) == ["ride", "train.log"]


@pytest.mark.parametrize(
    ("code", "why"),
    [
        pytest.param("import os; os.kill(os.getpid(), 9)", "the training ran out of memory: give",
                     id="killed by the system"),
        pytest.param("raise MemoryError", "the training ran out of memory: give", id="MemoryError"),
        pytest.param("import os; os.kill(os.getpid(), 15)", "was ended by SIGTERM", id="SIGTERM"),
        pytest.param("raise SystemExit('train.py: no such thing')",
                     "^the training failed: no such thing$", id="failed"),
        pytest.param("raise SystemExit(7)", "^the training failed: exit status 7$", id="silent"),
    ],
)  # fmt: skip
def test_how_it_ended_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, why: str
) -> None:
    """Out of memory is named as that, whoever noticed."""
    with pytest.raises(PipelineError, match=why):
        after(tmp_path, code, monkeypatch)


def test_a_limit_of_memory_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the limit."""
    with pytest.raises(PipelineError, match=r"out of memory of 300 MB \(max_memory_mb\)"):
        after(tmp_path, "bytes(400 << 20)", monkeypatch, max_memory_mb=300)


def test_a_limit_of_time_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes longer is ended."""
    monkeypatch.setattr(signal, "alarm", _soon)
    with pytest.raises(PipelineError, match=r"took longer than 1 minutes \(max_minutes\)"):
        after(tmp_path, "import time; time.sleep(60)", monkeypatch, max_minutes=1)


def _soon(seconds: int) -> int:
    left = signal.setitimer(signal.ITIMER_REAL, 0.05 if seconds else 0)[0]
    return int(left > 0)


def test_a_model_that_is_no_better_than_the_mean_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What train.py refuses, the run refuses, with its words."""
    code = "import sys; sys.stderr.write('train.py: no better\\n'); sys.exit(3)"
    with pytest.raises(RefusedError, match="^no better$"):
        after(tmp_path, code, monkeypatch)


def test_who_stops_the_run_stops_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No process outlives the run that started it."""
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    place = tmp_path / "train.log"
    pids: list[int] = []

    def stop(*_: object) -> None:
        raise StoppedError("stopped")

    def watch() -> None:
        while not pids:
            text = lines[0] if lines else ""
            if text:
                pids.append(int(text))
                os.kill(os.getpid(), signal.SIGUSR1)

    lines: list[str] = []
    real = module._run

    def seen(command: Any, config: Any, environ: Any, keep: Any) -> Any:
        def kept(line: str) -> None:
            keep(line)
            lines.append(line)

        return real(command, config, environ, kept)

    monkeypatch.setattr(module, "_run", seen)
    before = signal.signal(signal.SIGUSR1, stop)
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        with pytest.raises(StoppedError):
            after(tmp_path, code, monkeypatch)
    finally:
        signal.signal(signal.SIGUSR1, before)
        thread.join()
    assert place.read_text() == f"{pids[0]}\n"
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_what_later_steps_need_is_imported_while_the_training_is_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What measures, and where it is in use MLflow; the training here waits for that, and however
    it ends, so does the step."""
    imported = tmp_path / "imported"
    monkeypatch.setattr(registry, "prepare", imported.touch)
    asked = list[str]()
    monkeypatch.setattr(rows, "prepare", lambda: asked.append("to measure"))
    code = (
        f"import os, time\nfor _ in range(3000):\n  if os.path.exists({str(imported)!r}): 1 / 0\n"
        "  time.sleep(0.01)"
    )
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9/")
    with pytest.raises(PipelineError, match="ZeroDivisionError"):
        after(tmp_path, code, monkeypatch)
    assert asked == ["to measure"]
    imported.unlink()
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with pytest.raises(PipelineError, match="ZeroDivisionError"):
        after(tmp_path, "1 / 0", monkeypatch)
    assert not imported.exists()
    assert "imports" not in [thread.name for thread in threading.enumerate()]
