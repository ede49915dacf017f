"""The driver: units of work to `mapInArrow`, the ledger back.

Parts and ledger are written by the executors, under names that every attempt at a part shares, so
that retries and speculation make nothing twice; only the driver publishes.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import batch
from batch import errors
from batch.columns.score import TableScorer
from batch.errors import BatchError, UsageError
from batch.inputs.files import first_line
from batch.job import Account, Job
from batch.progress import Progress
from batch.spark.bundle import make
from batch.spark.executor import Payload, work
from batch.spark.units import units

_LOOK_S: Final = 0.5
_RAISED: Final = re.compile(r"^(?:batch\.errors\.)?(\w+Error): (.+)$", re.MULTILINE)

_log = logging.getLogger(__name__)
logging.getLogger("py4j").setLevel(logging.WARNING)  # it tells of its connections


def check(scorer: TableScorer) -> None:
    """Raise UsageError where Spark, or this model on it, cannot be had."""
    if importlib.util.find_spec("pyspark") is None:
        raise UsageError(
            "--engine spark needs pyspark, the Pipfile's group spark: pip install pyspark==4.3.0"
        )
    if scorer.predictor.manifest.compiled is None:
        raise UsageError(
            f"{scorer.model.name} {scorer.predictor.version} has no compiled form, and executors "
            "have no scikit-learn: score it on one machine, without --engine spark"
        )


def run_on_spark(job: Job, account: Account, progress: Progress, stop: threading.Event) -> None:
    """Score what is not done yet on Spark's executors. Raises BatchError where Spark gives up."""
    job.engine = {"name": "spark"}
    todo = units(job, account)
    if not todo:
        return
    payload = Payload.of(job, account, todo)
    with _session(job) as session:
        # a partition for each unit, made without a shuffle
        numbers = session.range(0, len(todo), 1, len(todo))
        result = numbers.mapInArrow(partial(work, payload), "name string")
        _follow(session, result, job, account, progress, stop)


@contextmanager
def _session(job: Job) -> Iterator[Any]:
    """Yield a session whose executors have our packages; it ends with the block, unless it was
    there before, as in a notebook."""
    # Spark looks whether pandas is there, and mapInArrow does nothing with it
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
    from pyspark import SparkFiles
    from pyspark.sql import SparkSession

    before = SparkSession.getActiveSession()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else executors take any python3
    builder = SparkSession.builder.appName(f"batch {job.options.model}")
    if job.options.master:
        builder = builder.master(job.options.master)
    interrupt = signal.getsignal(signal.SIGINT)
    try:
        session = builder.getOrCreate()
        context = session.sparkContext
    except Exception as error:
        raise BatchError(
            f"Spark cannot be started: {first_line(error)}; it needs Java 17 or newer, and a "
            "master that answers (--master)"
        ) from error
    try:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, interrupt)  # Spark's own raises wherever the run is
        job.engine = {
            "name": "spark",
            "version": session.version,
            "master": context.master,
            "application": context.applicationId,
        }
        if Path(batch.__path__[0]).parent.suffix != ".zip":  # else they have --py-files
            # executors that start later ask for it too: it is there as long as the session is
            folder = Path(SparkFiles.getRootDirectory()) / "batch"
            if not folder.exists():
                context.addPyFile(str(make(folder)))
        yield session
    finally:
        if before is None:
            session.stop()


def _follow(
    session: Any, result: Any, job: Job, account: Account, progress: Progress, stop: threading.Event
) -> None:
    """Have `result` worked out, and count the parts meanwhile."""
    names: list[str] = []
    failed: list[Exception] = []
    group = f"batch {job.staging.output}"

    def collect() -> None:
        try:
            session.sparkContext.setJobGroup(group, group)
            names.extend(row.name for row in result.collect())
        except Exception as error:  # noqa: BLE001  # whatever Spark or a task raised is told below
            failed.append(error)

    thread = threading.Thread(target=collect, name="spark", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_LOOK_S)
        _count(job, account, progress)
        if stop.is_set():
            session.sparkContext.cancelJobGroup(group)
    _count(job, account, progress)
    account.end()
    if failed:
        raise _told(failed[0])
    if missing := sorted(set(names) - account.done.keys()):
        raise BatchError(
            f"executors wrote {len(missing)} parts ({missing[0]}, ...) that are not in "
            f"{job.staging.aside} as this machine sees it: name an output that all of them see"
        )


def _count(job: Job, account: Account, progress: Progress) -> None:
    """Take the parts into account that executors have written since the last time."""
    job.staging.lock.keep()
    for name, entry in sorted(job.staging.done(account.done.keys()).items()):
        progress.add(entry["rows"], entry["size"])
        account.add(name, entry)


def _told(error: Exception) -> BatchError:
    """Return the error of a task in its own words, and otherwise what Spark says."""
    _log.debug("Spark failed", exc_info=error)
    kept = "what is done is kept, the same command goes on"
    for name, text in reversed(_RAISED.findall(str(error))):
        kind = getattr(errors, name, None)
        if isinstance(kind, type) and issubclass(kind, BatchError):
            return kind(text)
        if name == "ArithmeticError":
            return BatchError(text)
        return BatchError(f"a task failed: {name}: {first_line(Exception(text))}; {kept}")
    return BatchError(f"Spark gave up: {first_line(error)}; {kept}")
