"""The command line of training as a process of its own: killed, stopped, twice, on a terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from scoring.artifact.manifest import MANIFEST
from scoring.artifact.reading import load, read_manifest
from tests.support import ROOT, environment, write_artifact
from tests.training.support import CHURN, RIDE, customers, data_of, saved, trips


def words(model: str, data: Path, output: Path, *more: str) -> list[str]:
    return [model, "--data", str(data), "--output", str(output), *more]


def start(given: Sequence[str], **more: Any) -> subprocess.Popen[str]:
    """Start `python train.py ...` as a person does, or `python -c ...`."""
    command = [sys.executable, *([] if given[0] == "-c" else ["train.py"]), *given]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **more}
    env = environment(OMP_NUM_THREADS="1", **pipes.pop("env", {}))
    # a run in the background has Control-C ignored, and hands that on to what it starts
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(command, cwd=ROOT, env=env, preexec_fn=heard, **pipes)


def finish(process: subprocess.Popen[str]) -> str:
    """Return what it printed, once it ended well."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert err == ""
    return out


def wait_until_it_fits(process: subprocess.Popen[str]) -> None:
    """Read on to the last line of the profile, which is printed just before."""
    assert process.stdout is not None
    assert process.stderr is not None
    if not any(line.startswith("churn ") for line in iter(process.stdout.readline, "")):
        pytest.fail(f"the training ended: {process.stderr.read()}")


@pytest.mark.slow
def test_the_command_prints_and_writes(tmp_path: Path) -> None:
    """A process of its own, as a person starts it; standard error stays empty."""
    data = data_of(CHURN, tmp_path)
    out = finish(start(words("churn", data, tmp_path)))
    manifest = load(tmp_path / "churn", CHURN).manifest
    assert out.splitlines()[0] == "a.csv: 400 of 400 rows are used"
    assert out.splitlines()[-1] == (
        f"wrote {tmp_path / 'churn'}: logistic, version {manifest.version}"
    )
    assert manifest.data["training"].rows == 240


# Each of these estimators learns by another library, or draws at random.
TWICE = """
import sys, train
data, output = sys.argv[1:]
for model, file, estimator, parameter in (
    ("ride", "a.parquet", "linear", "tol=1e-6"),
    ("ride", "a.parquet", "xgboost", "n_estimators=10"),
    ("churn", "a.csv", "forest", "n_estimators=10"),
    ("churn", "a.csv", "boosting", "max_iter=10"),
    ("churn", "a.csv", "logistic", "C=1.0"),
):
    how = ["--estimator", estimator, "--param", parameter]
    train.main([model, "--data", f"{data}/{file}", "--output", f"{output}/{estimator}", *how])
"""


@pytest.mark.long
@pytest.mark.slow
def test_the_same_training_twice_has_the_same_digest(tmp_path: Path) -> None:
    """In two processes, which order their sets differently; only the moment is another."""
    data_of(RIDE, tmp_path)
    data_of(CHURN, tmp_path)
    started = [
        start(["-c", TWICE, str(tmp_path), str(tmp_path / seed)], env={"PYTHONHASHSEED": seed})
        for seed in ("1", "2")
    ]
    for process in started:
        finish(process)
    folders = sorted(
        path.parent.relative_to(tmp_path / "1") for path in tmp_path.glob(f"1/*/*/{MANIFEST}")
    )
    assert len(folders) == 5
    for folder in folders:
        model = RIDE if folder.name == "ride" else CHURN
        one, two = (read_manifest(tmp_path / seed / folder, model) for seed in ("1", "2"))
        assert one.sha256 == two.sha256, folder
        assert one.model_dump(exclude={"created"}) == two.model_dump(exclude={"created"})


@pytest.mark.slow
def test_two_trainings_at_once_leave_one_whole_artifact(tmp_path: Path) -> None:
    """Into a folder that was not there before: both succeed, the later one stays."""
    started = []
    for rows in (300, 400):
        data = saved(trips(rows), tmp_path / f"{rows}.parquet")
        started.append(start(words("ride", data, tmp_path / "models")))
    versions = {finish(process).splitlines()[-1].rpartition(" ")[2] for process in started}
    assert len(versions) == 2
    assert load(tmp_path / "models" / "ride", RIDE).manifest.version in versions
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["ride"]


@pytest.mark.slow
def test_a_training_that_is_killed_leaves_the_old_artifact(tmp_path: Path) -> None:
    """SIGKILL while it fits: the estimator is one that would take minutes."""
    manifest = write_artifact(CHURN, tmp_path)
    data = data_of(CHURN, tmp_path)
    more = ["--estimator", "xgboost", "--param", "n_estimators=100000000"]
    process = start(words("churn", data, tmp_path, *more), env={"PYTHONUNBUFFERED": "1"})
    try:
        wait_until_it_fits(process)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert load(tmp_path / "churn", CHURN).manifest == manifest
    assert sorted(path.name for path in (tmp_path / "churn").iterdir()) == sorted(
        [MANIFEST, CHURN.artifact_file, "scorer.json"]
    )


@pytest.mark.slow
def test_a_person_who_stops_it_sees_one_line(tmp_path: Path) -> None:
    """Control-C at a terminal, while it fits; nothing is left lying about."""
    data = saved(customers(), tmp_path / "a.csv")
    output = tmp_path / "models"
    more = ["--estimator", "xgboost", "--param", "n_estimators=100000000"]
    process = start(words("churn", data, output, *more), env={"PYTHONUNBUFFERED": "1"})
    wait_until_it_fits(process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err == "train.py: stopped; nothing was written\n"
    assert not output.exists()


def shown_on_a_terminal(given: list[str]) -> tuple[str, str]:
    """Return what a training writes to a terminal that is its standard error, and its output."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 25, 100, 0, 0))
    process = start(given, stderr=theirs)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # how Linux says that nobody is left to write
        while more := os.read(ours, 4096):
            shown += more
    os.close(ours)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, shown
    return shown.decode(), out


@pytest.mark.long
@pytest.mark.slow
def test_long_work_shows_its_progress_on_a_terminal_only(tmp_path: Path) -> None:
    """Steps, folds and boosting rounds; the output is the same as without."""
    data = data_of(RIDE, tmp_path)
    given = words("ride", data, tmp_path, "--estimator", "xgboost", "--param", "n_estimators=5")
    given += ["--folds", "2"]
    shown, out = shown_on_a_terminal(given)
    for step in ("reading", "fitting", "evaluating", "judging", "writing", "done"):
        assert step in shown
    assert re.search(r"cross-validation: 100%.* 2/2 ", shown)
    assert re.search(r"boosting: 100%.* 5/5 ", shown)
    assert "\x1b" not in out
    assert finish(start(given)) == out
