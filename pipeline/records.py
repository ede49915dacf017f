"""`runs/MODEL/`: what ran, one JSON file for each run, and the lock that makes two at once one.

runs/ride/000007-20261127T123000Z.json   a run: why, its inputs, its steps, its end
runs/ride/steps/train-9f...c2/          what a step made, and result.json, which is written last
runs/ride/lock                          held while a run is at work
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pipeline.errors import PipelineError
from scoring.process.atomic_files import write_file

Record = dict[str, Any]  # of one run, as its file has it

_NAMES: Final = "[0-9]*-*Z.json"

RUNNING: Final = "running"
KILLED: Final = "killed"
PARTLY: Final = "partly"  # ended after the step that was asked for
FAILED: Final = "failed"
REFUSED: Final = "refused"
WAITING: Final = "waiting"  # for approval
PROMOTED: Final = "promoted"
ROLLED_BACK: Final = "rolled back"
FINISHED: Final = (REFUSED, WAITING, PROMOTED, ROLLED_BACK)  # not done again


class Busy(Exception):  # it is no error
    """Another run is at work; the message says which."""


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class Runs:
    """The runs of one model."""

    def __init__(self, folder: Path, model: str) -> None:
        self.folder = folder / model
        self.model = model
        self.steps = self.folder / "steps"
        self.before = self.folder / "before"  # what served before, for a rollback in MODELS_DIR
        self._alone_since = 0.0  # by the clock that nobody can set
        self._begun = ""  # the run that began with the lock held

    def make(self) -> None:
        """Make the folder. Raises PipelineError where that cannot be."""
        try:
            self.steps.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PipelineError(f"{self.folder} cannot be made: {error.strerror}") from None

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock; it ends with the process, however that ends. Raises Busy where another
        process has it."""
        with (self.folder / "lock").open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                who = file.read().strip() or "another process"
                raise Busy(f"a run of {self.model} is at work ({who}): it goes on alone") from None
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()} since {now()}")
            file.flush()
            self._begun, self._alone_since = "", time.monotonic()
            yield

    def all(self) -> list[Record]:
        """Return the records, the oldest first. Raises PipelineError for one that is no record."""
        found = []
        for path in sorted(self.folder.glob(_NAMES)):
            try:
                record = json.loads(path.read_bytes())
                missing = {"run", "state", "plan", "steps"} - record.keys()
            except (OSError, ValueError, AttributeError) as error:
                raise PipelineError(f"{path} is no record of a run: {error}") from None
            if missing:
                raise PipelineError(f"{path} is no record of a run: it has no {min(missing)}")
            found.append(record)
        return found

    def begin(self, plan: str, why: str, inputs: list[dict[str, Any]], code: str) -> Record:
        """Return the record of a run that begins, written. Runs are numbered, so that their order
        is told by no clock; to be called with the lock held."""
        last = max((path.name for path in self.folder.glob(_NAMES)), default="0")
        run = f"{int(last.partition('-')[0]) + 1:06d}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        record = {
            "run": run, "model": self.model, "state": RUNNING, "why": why, "plan": plan,
            "code": code, "inputs": inputs, "started": now(), "finished": None, "said": "",
            "seconds": None, "steps": [],
        }  # fmt: skip
        self._begun = run
        self.write(record)
        return record

    def write(self, record: Record) -> None:
        """Write a record in place of what it was, whole or not at all."""
        text = json.dumps(record, indent=1, default=str).encode() + b"\n"
        write_file(self.folder / f"{record['run']}.json", text)

    def end(self, record: Record, state: str, said: str) -> None:
        """Write how a run ended, in a sentence, and how long it took from the lock on, what looked
        for data and fetched it included."""
        if record["run"] == self._begun:
            record["seconds"] = round(time.monotonic() - self._alone_since, 3)
        record |= {"state": state, "said": said, "finished": now()}
        self.write(record)

    def bury(self) -> Record | None:
        """Mark a run that was killed as such, and return the last one. To be called with the lock
        held: then whoever is `running` is not."""
        last = None
        for record in self.all():
            if record["state"] == RUNNING:
                self.end(record, KILLED, "its process ended before it did")
                last = record
        return last
