"""A candidate, made by `train.py` in a process of its own: what it takes ends with it, and where
the system kills it for its memory, the run still says so."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from pipeline.config import Search, Train
from pipeline.errors import PipelineError, RefusedError
from pipeline.steps import Result, Work
from scoring.artifact.manifest import MANIFEST, Manifest
from scoring.models import Model

_PROGRAM: Final = Path(__file__).resolve().parents[1] / "train.py"
_RUN: Final = re.compile(r"MLflow run ([0-9a-f]{32}) of experiment")
_PARTS: Final = {"--data": "learned", "--validation": "watched", "--test": "held_out"}
_TRIALS: Final = ".{}.search"  # the folder beside an artifact in which train.py keeps its trials
_LAST: Final = 40  # lines that are kept of what it said
_MEMORY: Final = ("MemoryError", "std::bad_alloc", "Cannot allocate memory", "Unable to allocate")


def fit(
    model: Model,
    parts: Mapping[str, Sequence[Path]],
    config: Train,
    environ: Mapping[str, str],
    search: Search,
) -> Work:
    """Return the step that trains, or searches and trains what wins; the artifact is in the
    folder's `MODEL/`. Where MLFLOW_TRACKING_URI is set it is an MLflow run, whose id the step says.
    A search that was ended goes on where it was when the step is done again."""

    def work(folder: Path) -> Result:
        words = [*_words(model, parts, config, folder, environ), *_searching(search)]
        trials = _kept_trials(folder, model) if search.trials else None
        with (folder / "train.log").open("w", encoding="utf-8") as log, _preparing(environ):
            status, lines = _run(
                [sys.executable, str(_PROGRAM), *words], config, environ, log.write
            )
        if trials and status in (0, 3):
            (folder / _TRIALS.format(model.name)).unlink()
            shutil.rmtree(trials)
        why = lines[-1].removeprefix("train.py: ") if lines else f"exit status {status}"
        if status == 3:
            raise RefusedError([why])
        if status:
            raise PipelineError(_reason(status, lines, why, config))
        run = next((found[1] for line in lines if (found := _RUN.search(line))), None)
        manifest = Manifest.model_validate_json((folder / model.name / MANIFEST).read_bytes())
        verdict = [note for note in manifest.notes if note.startswith("search: ")]
        said = "; ".join([f"{manifest.estimator} {manifest.version}", *verdict])
        return {"said": said, "sha256": manifest.sha256,
                "version": manifest.version, "mlflow_run": run}  # fmt: skip

    return work


@contextlib.contextmanager
def _preparing(environ: Mapping[str, str]) -> Iterator[None]:
    """Within the block, import what the steps behind this one need, scikit-learn for measuring and
    MLflow where it is in use: this process only waits meanwhile."""
    from training import registry, rows

    def prepare() -> None:
        rows.prepare()
        if environ.get("MLFLOW_TRACKING_URI"):
            registry.prepare()

    imports = threading.Thread(target=prepare, name="imports")
    imports.start()
    try:
        yield
    finally:
        imports.join()


def _words(
    model: Model,
    parts: Mapping[str, Sequence[Path]],
    config: Train,
    folder: Path,
    environ: Mapping[str, str],
) -> list[str]:
    words = [model.name, "--output", str(folder), "--seed", str(config.seed), "--refit"]
    for option, part in _PARTS.items():
        words += [option, *map(str, parts[part])]
    words += ["--estimator", config.estimator] if config.estimator else []
    for name, value in config.parameters.items():
        words += ["--param", f"{name}={value}"]
    return words + (["--track"] if environ.get("MLFLOW_TRACKING_URI") else [])


def _searching(search: Search) -> list[str]:
    if not search.trials:
        return []
    words = ["--search", str(search.trials), "--timeout", str(search.timeout_minutes * 60),
             "--jobs", str(search.jobs), "--resume"]  # fmt: skip
    for text in search.space:
        words += ["--space", text]
    words += ["--max-us", str(search.max_us)] if search.max_us else []
    return words + (["--max-bytes", str(search.max_bytes)] if search.max_bytes else [])


def _kept_trials(folder: Path, model: Model) -> Path:
    """Return a folder beside that of the step, which goes where the step is ended, and lead the
    training to it."""
    place = folder.with_name(f"{folder.name}.search")
    place.mkdir(exist_ok=True)
    (folder / _TRIALS.format(model.name)).symlink_to(place.resolve(), target_is_directory=True)
    return place


def _run(
    command: Sequence[str],
    config: Train,
    environ: Mapping[str, str],
    keep: Callable[[str], object],
) -> tuple[int, list[str]]:
    """Return the exit status and the last lines. What ends this process ends the child's as well:
    it is in a group of its own, which is told."""
    lines: deque[str] = deque(maxlen=_LAST)
    cpu_s = round(config.max_minutes * 60)
    child = subprocess.Popen(  # noqa: S603  # our own words, without a shell
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", env=dict(environ), start_new_session=True,
    )  # fmt: skip
    if config.max_memory_mb:
        most = config.max_memory_mb << 20
        resource.prlimit(child.pid, resource.RLIMIT_AS, (most, most))
    before = signal.signal(signal.SIGALRM, lambda *_: _end(child, signal.SIGKILL))
    signal.alarm(cpu_s)
    assert child.stdout is not None  # noqa: S101  # for the type checker
    try:
        for line in child.stdout:
            keep(line)
            if line.strip():
                lines.append(line.strip())
        status = child.wait()
        if not signal.alarm(0):
            raise PipelineError(
                f"the training took longer than {config.max_minutes:g} minutes (max_minutes)"
            )
    except BaseException:
        _end(child, signal.SIGTERM)
        child.wait()
        raise
    finally:
        signal.alarm(0)
        child.stdout.close()
        signal.signal(signal.SIGALRM, before)
    return status, list(lines)


def _end(child: subprocess.Popen[str], how: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, how)


def _reason(status: int, lines: Sequence[str], why: str, config: Train) -> str:
    if status == -signal.SIGKILL or any(word in line for line in lines for word in _MEMORY):
        limit = f" of {config.max_memory_mb} MB (max_memory_mb)" if config.max_memory_mb else ""
        return (
            f"the training ran out of memory{limit}: give it more, or fewer months, or another "
            "estimator"
        )
    if status < 0:
        return f"the training was ended by {signal.Signals(-status).name}"
    return f"the training failed: {why}"
