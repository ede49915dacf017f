"""The worker, in a process of its own, asked as Elastic Beanstalk's daemon asks."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from batch.worker import words_of
from tests.batch.support import report, scored, write_rides
from tests.support import ROOT, environment, free_port, wait_for

JOB = "ride in/ --output 'out/{date}/' --max-rejected 0.1"
MONDAY = "2026-11-23T05:00:00Z"


@dataclass
class Worker:
    """A worker that listens."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def post(self, path: str = "/batch/ride", scheduled: str = MONDAY) -> requests.Response:
        """Post as the daemon does."""
        headers = {
            "User-Agent": "aws-sqsd/3.0",
            "Content-Type": "application/json",
            "X-Aws-Sqsd-Taskname": "ride",
            "X-Aws-Sqsd-Scheduled-At": scheduled,
            "X-Aws-Sqsd-Msgid": "11111111-2222-3333-4444-555555555555",
            "X-Aws-Sqsd-Receive-Count": "1",
        }
        return requests.post(self.url + path, data=b"elasticbeanstalk scheduled job",
                             headers=headers, timeout=120)  # fmt: skip


@pytest.fixture
def start(tmp_path: Path, models_dir: Path) -> Iterator[Callable[..., Worker]]:
    """Start a worker in the test's folder."""
    made: list[Worker] = []
    paths = os.pathsep.join([str(ROOT), str(ROOT / "web-service")])

    def begin(command: tuple[str, ...] = ("-m", "batch.worker"), **jobs: str) -> Worker:
        port, log = free_port(), tmp_path / "log"
        own = {"MODELS_DIR": str(models_dir), "PORT": str(port), "PYTHONPATH": paths, **jobs}
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, *command], cwd=tmp_path, stdout=out, stderr=out,
                env=environment(**own),
            )  # fmt: skip
        made.append(Worker(process, f"http://127.0.0.1:{port}", log))

        def answers() -> bool:
            with contextlib.suppress(requests.RequestException):
                return requests.get(made[-1].url, timeout=5).ok
            return process.poll() is not None

        wait_for(answers, "the worker to answer")
        assert process.poll() is None, log.read_text()
        return made[-1]

    yield begin
    for one in made:
        one.process.kill()
        one.process.wait()


@pytest.mark.slow
def test_a_task_is_a_run_and_posted_again_it_is_the_same_one(
    start: Callable[..., Worker], tmp_path: Path
) -> None:
    """The day is the task's, so that a second POST finds the run finished and is answered 200."""
    write_rides(tmp_path / "in" / "a.parquet", 20)
    worker = start(BATCH_JOB_RIDE=JOB)
    assert worker.post().status_code == 200
    assert len(scored(tmp_path / "out" / "2026-11-23")) == 20
    finished = report(tmp_path / "out" / "2026-11-23")["finished"]
    assert worker.post().status_code == 200
    assert report(tmp_path / "out" / "2026-11-23")["finished"] == finished
    assert "nothing to do" in worker.log.read_text()
    assert worker.post(scheduled="2026-11-30T05:00:00Z").status_code == 200
    assert (tmp_path / "out" / "2026-11-30" / "_SUCCESS").exists()


@pytest.mark.slow
def test_a_run_that_fails_leaves_the_message_to_the_daemon(
    start: Callable[..., Worker], tmp_path: Path
) -> None:
    """500 for a run that ended badly, 404 and 400 for what is no job; the log says why."""
    write_rides(tmp_path / "in" / "a.parquet", 4, trip_distance=[-1.0, -1.0, 1.0, 1.0])
    worker = start(BATCH_JOB_RIDE=JOB)
    refused = worker.post()
    assert (refused.status_code, refused.text.split(";")[0]) == (500, "exit status 3")
    assert "more than --max-rejected 0.1" in worker.log.read_text()
    assert worker.post("/batch/tips").status_code == 404
    assert worker.post("/other").status_code == 404
    strange = worker.post(scheduled="")
    assert (strange.status_code, "X-Aws-Sqsd-Scheduled-At" in strange.text) == (400, True)


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [("-m", "batch.worker"), (str(ROOT / "batch/bin/batch-worker"),)]
)
def test_a_stop_ends_the_run_at_a_safe_point(
    start: Callable[..., Worker], tmp_path: Path, command: tuple[str, ...]
) -> None:
    """The POST is answered 500 and what is done is kept; the next worker goes on."""
    for number in range(40):
        write_rides(tmp_path / "in" / f"{number:02}.parquet", 50_000, group=50_000)
    worker = start(command, BATCH_JOB_RIDE=JOB + " --workers 1")
    answers: list[int] = []
    asking = threading.Thread(target=lambda: answers.append(worker.post().status_code))
    asking.start()
    ledger = tmp_path / "out" / "2026-11-23" / "_unfinished" / "ledger"
    wait_for(lambda: list(ledger.glob("*.json")), "the first part")
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(60) == 0
    asking.join(60)
    assert answers == [500]
    assert "the same command goes on" in worker.log.read_text()
    assert start(BATCH_JOB_RIDE=JOB + " --workers 1").post().status_code == 200
    assert report(tmp_path / "out" / "2026-11-23")["resumed_parts"] >= 1


def test_words_are_those_of_the_environment() -> None:
    """Quotes hold spaces together; the day stands where {date} does, and is needed there alone."""
    environ = {"BATCH_JOB_A_B": "ride 'my files/{date}' --where 'trip_distance > 2'"}
    assert words_of("a-b", MONDAY, environ) == [
        "ride", "my files/2026-11-23", "--where", "trip_distance > 2"
    ]  # fmt: skip
    assert words_of("x", "", {"BATCH_JOB_X": "ride a"}) == ["ride", "a"]
    with pytest.raises(LookupError, match="BATCH_JOB_X is not set"):
        words_of("x", MONDAY, {})
    with pytest.raises(ValueError, match="no time"):
        words_of("a-b", "today", environ)
