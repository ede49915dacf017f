"""The run on one machine: slices to workers, parts to the ledger, all published at the end."""

from __future__ import annotations

import contextlib
import logging
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa

from batch.columns.score import TableScorer
from batch.digests import Digests
from batch.errors import BatchError, UsageError
from batch.inputs.files import Source, find
from batch.inputs.rows import Slice
from batch.job import Account, Job, asked, resumable
from batch.options import Options
from batch.outputs.staging import Staging
from batch.progress import Progress
from batch.publish import publish
from batch.settings import BatchSettings
from scoring.errors import InvalidQuery
from scoring.process.cpus import available
from scoring.registry.resolve import resolve

_log = logging.getLogger(__name__)


class Nothing(Exception):  # it is no error
    """There is nothing to do; the message says why."""


def run(options: Options, settings: BatchSettings, stop: threading.Event) -> dict[str, Any]:
    """Do what `options` ask for and return what `run.json` holds. `stop` ends the run at the next
    safe point. Raises Nothing, a BatchError, or what loading the model raises."""
    sources = find(options.inputs)
    staging = Staging(options.output)
    staging.lock.take()
    try:
        _settle(options, staging, sources)
        for path in filter(None, (options.log, options.metrics_file)):
            _try(path)
        job = _prepared(options, settings, sources, staging)
        account = Account(job, stop)
        with contextlib.closing(_Digesting(sources)) as digests:
            progress = Progress(job.total_rows, sum(source.size for source in sources))
            try:
                _work(job, account, progress, stop)
            finally:
                progress.close()
            account.end()
            account.check(sum(entry["rows"] for entry in account.done.values()))
            return publish(job, account, digests.found.all())
    finally:
        staging.close()


def _try(path: Path) -> None:
    """Raise BatchError where a file cannot be written, before an hour of work and not after it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
        if path.is_dir():
            raise IsADirectoryError(0, "it is a folder")
    except OSError as error:
        raise BatchError(f"{path} cannot be written: {error.strerror}") from error


class _Digesting:
    def __init__(self, sources: list[Source]) -> None:
        self.found = Digests(sources)

    def close(self) -> None:
        self.found.stop()


def _settle(options: Options, staging: Staging, sources: list[Source]) -> None:
    """Raise Nothing where the run is finished already, UsageError where another one is."""
    found = staging.finished()
    if found is None or options.overwrite:
        if options.restart:
            staging.discard()
        return
    wanted = asked(options, sources)
    if all(found.get("asked", {}).get(key) == value for key, value in wanted.items()):
        staging.discard()  # a kill between the last two steps left them
        model = found["model"]
        raise Nothing(
            f"nothing to do: {options.output} was finished at {found['finished']}, with "
            f"{model['name']} {model['version']}; --overwrite scores it anew"
        )
    raise UsageError(
        f"{options.output} holds the finished run of other inputs or options; name another place, "
        "or take its place with --overwrite"
    )


def _prepared(
    options: Options, settings: BatchSettings, sources: list[Source], staging: Staging
) -> Job:
    before = staging.plan()
    reference = options.reference or options.model
    if before and before.get("model", {}).get("pinned"):
        # the version with which the run began, also where the alias has moved since
        reference = before["model"]["pinned"]
    resolved = resolve(reference, settings)
    if resolved.model.name != options.model:
        raise UsageError(f"{reference} is a model of '{resolved.model.name}', not {options.model}")
    predictor = resolved.load()
    try:
        scorer = TableScorer(predictor, options.interval)
    except ArithmeticError as error:
        raise BatchError(str(error)) from error
    except InvalidQuery as error:
        raise UsageError(f"--interval: {error.errors[0].problem}") from error
    model = {
        "name": options.model,
        "reference": options.reference or options.model,
        "pinned": f"models:/{resolved.ref.model}/{resolved.ref.number}" if resolved.ref else None,
        "sha256": predictor.manifest.sha256,
    }
    job = Job(options, settings, sources, staging, scorer, model, resolved.folder)
    plan = job.plan()
    if options.engine == "spark":
        from batch.spark.engine import check

        check(scorer)
    if before is None:
        staging.discard()  # what a task left that outlived an earlier run
        staging.begin(plan)
    else:
        resumable(plan, before, staging.aside)
    if not scorer.vectorised:
        _log.info("%s has no compiled form: rows go through scikit-learn", options.model)
    return job


def _work(job: Job, account: Account, progress: Progress, stop: threading.Event) -> None:
    """Score what is not done yet, in order, with a few slices in memory at a time."""
    for entry in account.done.values():
        progress.add(entry["rows"], entry["size"])
    if job.options.engine == "spark":
        from batch.spark.engine import run_on_spark

        run_on_spark(job, account, progress, stop)
        return
    workers = job.options.workers or available()
    pa.set_cpu_count(workers)
    if job.options.limit is not None:
        _limited(job, account, progress, stop)
        return
    waiting: deque[tuple[Slice, Future[tuple[str, dict[str, Any]]]]] = deque()

    def settle() -> None:
        piece, future = waiting.popleft()
        name, entry = future.result()
        progress.add(entry["rows"], piece.size)
        job.staging.lock.keep()
        account.add(name, entry)

    with ThreadPoolExecutor(workers, thread_name_prefix="score") as pool:
        try:
            for place, piece in _pieces(job, account, stop):
                waiting.append((piece, pool.submit(job.make_part, place, piece)))
                if len(waiting) > workers:
                    settle()
            while waiting:
                settle()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _limited(job: Job, account: Account, progress: Progress, stop: threading.Event) -> None:
    """Score the first rows alone, one slice after the other."""
    left = (job.options.limit or 0) - sum(entry["rows"] for entry in account.done.values())
    for place, piece in _pieces(job, account, stop):
        if left <= 0:
            return
        name, entry = job.make_part(place, piece, left)
        left -= entry["rows"]
        progress.add(entry["rows"], piece.size)
        account.add(name, entry)


def _pieces(job: Job, account: Account, stop: threading.Event) -> Iterator[tuple[int, Slice]]:
    done = account.numbers()
    for place in range(len(job.sources)):
        for piece in job.slices(place, done[place]):
            if stop.is_set():
                return
            yield place, piece
