"""One run: what is new, the steps that are not done yet, and how it ended."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import digests, keep, publish, records, tracking, verdicts
from pipeline.champions import Champion, champion_of
from pipeline.check import check
from pipeline.config import Config
from pipeline.errors import PipelineError, RefusedError, StoppedError
from pipeline.fit import fit
from pipeline.gate import gate
from pipeline.ingest import by_month, files_of, ingest, newest, parts_of
from pipeline.reasons import CODE, code, plan_of, reason
from pipeline.records import Record, Runs
from pipeline.steps import NAMES, Result, Step, Work, do, result_of
from scoring.errors import StartError
from scoring.models import Model

if TYPE_CHECKING:
    from pipeline.shared.lease import Lease, Leases


class _Enough(Exception):
    """The last step that was asked for is done; the message says so."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What one call asks for."""

    model: Model
    runs: Runs
    config: Config
    environ: Mapping[str, str]
    data: Sequence[str | Path] = ()  # files, folders, s3:// prefixes; empty: as configured
    month: str | None = None  # the newest to look at; None: the newest that there is
    first: str | None = None  # the step from which on all is done anew
    until: str | None = None  # the last step; None: all
    approve: bool = False
    because: str = ""  # what asked for it, in words
    leases: Leases | None = None  # of those who run it on other machines, too
    tell: Callable[[Record], None] = lambda _: None  # people, how it ended
    say: Callable[[str], None] = lambda _: None  # takes a line for each step
    working: Callable[[str], contextlib.AbstractContextManager[None]] = lambda _: (
        contextlib.nullcontext()
    )  # is entered while a step of that name is at work


def run(asked: Asked) -> Record:
    """Do what is new and return the run's record, which is also written where this raises.

    Raises Nothing where all is done, Busy where another process is at work, RefusedError where a
    step says no, and PipelineError for whatever else ends it; the same call then goes on.
    """
    asked.runs.make()
    with alone(asked) as lease:
        return run_alone(asked, lease)


@contextlib.contextmanager
def alone(asked: Asked) -> Iterator[Lease | None]:
    """Hold the lock of this machine and, where several may run the model, its lease; yield that.
    Raises Busy where another has one of them."""
    with asked.runs.alone():
        if asked.leases is None:
            yield None
            return
        with asked.leases.held(asked.model.name) as lease:
            yield lease


def run_alone(asked: Asked, lease: Lease | None) -> Record:
    """Do what `run` does, with what `alone` holds."""
    runs = asked.runs
    killed = runs.bury()
    share(asked, lease)  # what a process that was killed had no time to tell
    inputs, out = told_apart(asked, files(asked))
    plan = plan_of(asked, inputs)
    elsewhere = lease.store.finished(asked.model.name) if lease else []
    why = reason(asked, inputs, plan, killed, elsewhere)
    why = f"{asked.because}: {why}" if asked.because else why
    why = f"{why}; {out}" if out else why
    record = runs.begin(plan, why, inputs, code())
    asked.say(f"run {record['run']}: {why}")
    try:
        _Work(asked, record, lease).go()
    except _Enough as enough:
        runs.end(record, records.PARTLY, str(enough))
    except RefusedError as error:
        runs.end(record, records.REFUSED, str(error))
        raise
    except StoppedError as error:
        runs.end(record, records.KILLED, str(error))
        raise
    except PipelineError as error:
        runs.end(record, records.FAILED, str(error))
        raise
    except (StartError, OSError) as error:
        with contextlib.suppress(OSError):  # of a disk that is full
            runs.end(record, records.FAILED, str(error))
        raise
    finally:
        share(asked, lease)
        tracking.keep(asked.model, record, asked.environ, asked.say)
        keep.clean(runs, asked.config.keep.runs)
    return record


def share(asked: Asked, lease: Lease | None) -> None:
    """Tell other machines, and people, how the last run ended. Where the database is away, say so:
    the next call tells it."""
    last = next(reversed(asked.runs.all()), None)
    if lease is None or last is None:
        return
    try:
        lease.store.note_run(lease.holder, last)
        asked.tell(last)
    except StoppedError:
        raise
    except PipelineError as error:
        asked.say(f"nobody else knows of run {last['run']} yet: {error}")


def files(asked: Asked) -> list[Path]:
    """Return the files of a run, the newest last."""
    objects = asked.runs.folder / "objects"
    if asked.data:
        return files_of(asked.data, objects)
    if asked.month:
        return by_month(asked.model, asked.config.data, asked.month)
    if asked.config.data.folder is not None:
        return files_of([asked.config.data.folder], objects)
    return newest(asked.model, asked.config.data, asked.runs)


def inputs_of(asked: Asked, paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Return each file and its digest, without those that `check` refused."""
    return told_apart(asked, paths)[0]


def told_apart(asked: Asked, paths: Sequence[Path]) -> tuple[list[dict[str, Any]], str]:
    """Return what `inputs_of` does, and in words what was left out, empty where nothing was."""
    found = zip(paths, digests.of_files(paths, asked.runs.folder), strict=True)
    inputs = [{"file": str(path), "sha256": sha256} for path, sha256 in found]
    if asked.config.data.learn_refused:
        return inputs, ""
    return verdicts.apart(inputs, asked.runs)


class _Work:
    """The steps of one run, in order."""

    def __init__(self, asked: Asked, record: Record, lease: Lease | None) -> None:
        self.asked = asked
        self.record = record
        self.lease = lease
        self.champion = champion_of(asked.model, asked.environ)

    def go(self) -> None:
        """Do what is not done, and end the record."""
        asked, runs = self.asked, self.asked.runs
        steps = Steps(asked, self.record["inputs"], self.champion)
        found, folder = self._do(steps.ingest())
        if found["before"] or len(self.record["inputs"]) == 1:  # what is checked is of one file
            self.record["held_out"] = self.record["inputs"][-1]["sha256"]
        steps = replace(steps, parts=parts_of(found, folder), before=found["before"])
        trained = result_of(runs, steps.train())
        if not asked.first and trained and self._serves(trained):
            runs.end(self.record, records.PROMOTED, f"{trained['said']} serves already")
            return
        self._do(steps.check())
        trained, folder = self._do(steps.train())
        artifact = folder / asked.model.name
        self.record["candidate"] = trained["sha256"]
        judged, _ = self._do(steps.gate(artifact, trained))
        registered, _ = self._do(steps.register(artifact, trained))
        if asked.config.promote.approve and not asked.approve:
            said = f"{trained['said']} waits for approval: {judged['said']}"
            runs.end(self.record, records.WAITING, said)
            return
        if self._serves(trained):
            runs.end(self.record, records.PROMOTED, f"it serves already; {judged['said']}")
            return
        self._keep(trained, registered["number"])
        with self.lease.fenced() if self.lease else contextlib.nullcontext():
            now = champion_of(asked.model, asked.environ)
            if _sha(now) != _sha(self.champion):
                raise PipelineError(
                    f"the champion was {_named(self.champion)} when the candidate was compared and "
                    f"is {_named(now)} now: the same command compares with that one"
                )
            step = steps.promote(artifact, registered["number"], self.record["why"])
            promoted, _ = self._do(step, anew=True)
        runs.end(self.record, records.PROMOTED, f"{promoted['said']}; {judged['said']}")

    def _keep(self, trained: Result, number: str | None) -> None:
        """Note what a rollback needs before anything is moved."""
        asked = self.asked
        if self.champion is None:
            return
        if number is None:
            publish.copy(self.champion.folder, asked.runs.before)
        if self.lease and asked.config.observe.hours and asked.environ.get("MONITORING_STORE"):
            self.lease.store.set_mark(asked.model.name, "observed", {
                "run": self.record["run"], "holder": self.lease.holder,
                "sha256": trained["sha256"], "version": number,
                "shown": number or trained["version"], "before": self.champion.version,
                "before_sha256": self.champion.sha256, "began": records.now(),
            })  # fmt: skip

    def _do(self, step: Step, *, anew: bool = False) -> tuple[Result, Path]:
        first = self.asked.first
        anew = anew or (first is not None and NAMES.index(step.name) >= NAMES.index(first))
        with self.asked.working(step.name):
            found, folder = do(self.asked.runs, self.record, step, anew=anew)
        done = self.record["steps"][-1]
        self.asked.say(f"{step.name}: {found['said']}{' (done before)' if done['reused'] else ''}")
        if step.name == self.asked.until != NAMES[-1]:
            raise _Enough(f"until {step.name}, as asked: {found['said']}")
        return found, folder

    def _serves(self, trained: Result) -> bool:
        return self.champion is not None and self.champion.sha256 == trained["sha256"]


@dataclass(frozen=True)
class Steps:
    """Each step of a run as its key and its work; `parts` are those that `ingest` made."""

    asked: Asked
    inputs: Sequence[Mapping[str, Any]]
    champion: Champion | None
    parts: Mapping[str, Sequence[Path]] | None = None
    before: int = 0  # whole files before the newest

    def _step(self, name: str, inputs: Any, parameters: Any, work: Work) -> Step:
        return Step(name, CODE[name], inputs, parameters, work)

    def ingest(self) -> Step:
        """Return the step that sorts the files into parts."""
        paths = [Path(one["file"]) for one in self.inputs]
        shas = [one["sha256"] for one in self.inputs]
        data = self.asked.config.data
        return self._step("ingest", {"files": shas}, {"held_out": data.held_out},
                          ingest(self.asked.model, paths, data))  # fmt: skip

    def check(self) -> Step:
        """Return the step that compares the new data with what came before."""
        config, inputs = self.asked.config.check, {**self._data(), "champion": _sha(self.champion)}
        work = check(self.asked.model, self.parts or {}, self.before, self.champion, config)
        return self._step("check", inputs, config.model_dump(), work)

    def train(self) -> Step:
        """Return the step that makes the candidate."""
        asked, config, search = self.asked, self.asked.config.train, self.asked.config.search
        parameters = {**config.model_dump(exclude={"max_minutes", "max_memory_mb"}),
                      "search": search.trials and search.model_dump(exclude={"jobs"}),
                      "tracked": asked.environ.get("MLFLOW_TRACKING_URI")}  # fmt: skip
        work = fit(asked.model, self.parts or {}, config, asked.environ, search)
        return self._step("train", self._data(), parameters, work)

    def gate(self, artifact: Path, trained: Result) -> Step:
        """Return the step that compares the candidate with what serves."""
        config = self.asked.config.gate
        inputs = {**self._data(), "candidate": trained["sha256"], "champion": _sha(self.champion)}
        names = {one["sha256"]: Path(one["file"]).name for one in self.inputs}
        held_out = (self.parts or {}).get("held_out", ())
        work = gate(self.asked.model, artifact, held_out, names, self.champion, config)
        return self._step("gate", inputs, config.model_dump(), work)

    def register(self, artifact: Path, trained: Result) -> Step:
        """Return the step that makes a version of the candidate."""
        run_id = trained["mlflow_run"]
        work = publish.register(self.asked.model, artifact, run_id)
        return self._step("register", {"candidate": trained["sha256"]}, {"run": run_id}, work)

    def promote(self, artifact: Path, number: str | None, why: str) -> Step:
        """Return the step that lets the candidate serve."""
        asked = self.asked
        held_out = (self.parts or {}).get("held_out", ())
        work = publish.promote(asked.model, artifact, number, held_out, asked.config.gate, why,
                               asked.environ)  # fmt: skip
        return self._step("promote", {"champion": _sha(self.champion)}, {"number": number}, work)

    def _data(self) -> dict[str, Any]:
        return {"data": self.ingest().key}


def _sha(champion: Champion | None) -> str | None:
    return champion.sha256 if champion else None


def _named(champion: Champion | None) -> str:
    return champion.version if champion else "none"
