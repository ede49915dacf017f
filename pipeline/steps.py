"""A step: a function from files to a folder of files, done once for its key.

    key = digest(name, inputs, code, parameters)
    steps/.train-KEY.tmp/ -> the function -> result.json -> steps/train-KEY/

Whoever is killed on the way leaves a hidden folder, which the next one removes.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipeline import digests
from pipeline.errors import PipelineError, RefusedError
from pipeline.records import Record, Runs
from scoring.process.atomic_files import write_file

Result = dict[str, Any]  # what a step says of what it did, and `said`, a sentence

Work = Callable[[Path], Result]  # fills a folder

RESULT: Final = "result.json"
NAMES: Final = ("ingest", "check", "train", "gate", "register", "promote")


@dataclass(frozen=True)
class Step:
    """One step of a run, with all that its key is made of."""

    name: str
    code: tuple[str, ...]  # files and folders of this project
    inputs: Any  # digests, and what else the work depends on
    parameters: Any
    work: Work  # raises RefusedError, PipelineError

    @property
    def key(self) -> str:
        """The digest by which its result is found again."""
        code = [digests.of_code(place) for place in self.code]
        return digests.of_values([self.name, self.inputs, code, self.parameters])


def place(runs: Runs, step: Step) -> Path:
    """Return where a step's files are, or will be."""
    return runs.steps / f"{step.name}-{step.key[:16]}"


def result_of(runs: Runs, step: Step) -> Result | None:
    """Return what a step said, None where it is not done."""
    try:
        found: Result = json.loads((place(runs, step) / RESULT).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        where = place(runs, step)
        raise PipelineError(f"{where / RESULT} cannot be read: {error}; remove {where}") from None
    return found


def do(runs: Runs, record: Record, step: Step, *, anew: bool = False) -> tuple[Result, Path]:
    """Return what a step says and its folder: found, or done now (always where `anew`), and noted
    in the record. Raises RefusedError with its reasons, which stay beside what it made."""
    begun = time.monotonic()
    folder = place(runs, step)
    found = None if anew else result_of(runs, step)
    entry = {"name": step.name, "key": step.key, "folder": str(folder), "inputs": step.inputs,
             "reused": found is not None}  # fmt: skip
    if found is None:
        try:
            found = _made(step, folder)
        except PipelineError as error:
            entry |= {"state": "failed", "said": str(error)}
            record["steps"].append(entry)
            raise
    entry |= {"state": found["state"], "said": found["said"],
              "seconds": round(time.monotonic() - begun, 3)}  # fmt: skip
    record["steps"].append(entry)
    runs.write(record)
    if found["state"] == "refused":
        raise RefusedError(found["reasons"])
    return found, folder


def _made(step: Step, folder: Path) -> Result:
    aside = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    try:
        found = {"state": "done", **step.work(aside)}
    except RefusedError as error:
        found = {"state": "refused", "said": str(error), "reasons": error.reasons}
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    text = json.dumps(found, indent=1, default=str).encode() + b"\n"
    write_file(aside / RESULT, text)
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)
    return found
