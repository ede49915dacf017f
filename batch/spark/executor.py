"""A task on an executor: a job from data alone, its units of work, their parts.

What is imported here is what an executor must have: pyarrow and numpy, and what `scoring` reads
records with (pydantic, orjson, msgspec). Neither scikit-learn nor MLflow nor pandas.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

import batch
from batch.columns.score import TableScorer
from batch.errors import BatchError
from batch.inputs.files import Source, is_uri
from batch.job import Account, Job
from batch.layout import FileLayout
from batch.options import Options
from batch.outputs.staging import Staging
from batch.settings import BatchSettings
from batch.spark.units import Unit
from batch.versions import versions
from scoring.artifact.manifest import Manifest
from scoring.artifact.reading import Artifact, read_compiled
from scoring.models import Model, discover
from scoring.predictor import Predictor


@dataclass(frozen=True)
class Payload:
    """What executors are sent: plain data, the compiled scorer's file among it."""

    key: str  # another one a run
    options: Options
    log: Mapping[str, Any]  # settings of the prediction log; no password of a registry
    sources: Sequence[Source]
    layouts: Sequence[FileLayout]
    units: Sequence[Unit]
    done: Mapping[int, Sequence[int]]  # by input, the slices that need not be done
    plan: str  # JSON
    output: str  # whatever folder the executor works in
    manifest: str  # JSON
    scorer: bytes

    @classmethod
    def of(cls, job: Job, account: Account, units: Sequence[Unit]) -> Payload:
        """Return a job's payload."""
        manifest = job.scorer.predictor.manifest
        assert manifest.compiled is not None  # noqa: S101  # for the type checker
        assert job.folder is not None  # noqa: S101  # for the type checker
        given, numbers = job.settings, account.numbers()
        log = {
            "prediction_log_omit": given.prediction_log_omit,
            "prediction_log_hash": given.prediction_log_hash,
            "prediction_log_secret": given.prediction_log_secret,
        }
        output = job.staging.output
        return cls(
            key=secrets.token_hex(8),
            options=job.options,
            log=log if job.options.log else {},
            sources=tuple(job.sources),
            layouts=tuple(job.layouts),
            units=tuple(units),
            done={unit.place: tuple(numbers[unit.place]) for unit in units},
            plan=json.dumps(job.plan()),
            output=output if is_uri(output) else os.path.abspath(output),  # noqa: PTH100  # a text
            manifest=manifest.model_dump_json(),
            scorer=(job.folder / manifest.compiled.file).read_bytes(),
        )


_jobs: dict[str, Job] = {}  # the last one: a process is used for one task after the other


def work(payload: Payload, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Do the units whose places the column `id` of `batches` names; yield the names of the parts
    that they became, each when it is written. A part is written whole or not at all, under a name
    and with bytes that every attempt at it shares. Raises BatchError where this process cannot make
    those bytes, or where its run is not any more."""
    job = _job(payload)
    plan = json.loads(payload.plan)
    for asked in batches:
        for number in asked.column("id").to_pylist():
            place, groups = payload.units[number]
            for piece in job.slices(place, payload.done[place], groups):
                # a task may outlive its run, where the network parts them
                if job.staging.plan() != plan:
                    raise BatchError(
                        f"{job.staging.aside} is not that of this run: it has ended, or this "
                        "machine does not see the driver's files; name a place that all of them see"
                    )
                name, _ = job.make_part(place, piece)
                yield pa.record_batch({"name": pa.array([name], pa.string())})


def _job(payload: Payload) -> Job:
    """Return the job, made once a process."""
    if payload.key not in _jobs:
        _jobs.clear()
        _jobs[payload.key] = _made(payload)
    return _jobs[payload.key]


def _made(payload: Payload) -> Job:
    plan = json.loads(payload.plan)
    here = versions()
    # Spark itself compares Python's; its last number does not change what is written
    for name in sorted(here.keys() - {"python"}):
        if here[name] != plan["versions"][name]:
            raise BatchError(
                f"an executor has {name} {here[name]} and the driver {plan['versions'][name]}: "
                "parts would differ; give both the same environment"
            )
    pa.set_cpu_count(1)  # Spark gives a task one core
    manifest = Manifest.model_validate_json(payload.manifest)
    assert manifest.compiled is not None  # noqa: S101  # for the type checker
    model = _model(payload.options.model)
    scorer = read_compiled(manifest.compiled.kind, payload.scorer, model)
    predictor = Predictor(model, Artifact(manifest, scorer))
    return Job(
        payload.options,
        BatchSettings(**payload.log),
        payload.sources,
        Staging(payload.output),
        TableScorer(predictor, payload.options.interval),
        plan["model"],
        layouts=payload.layouts,
    )


def _model(name: str) -> Model:
    if Path(batch.__path__[0]).parent.suffix == ".zip":
        # its files are in the zip; the folder is the driver's, or another one of this name
        os.environ.pop("MODEL_CODE", None)
    if name not in (found := discover()):
        raise BatchError(
            f"an executor has no model '{name}': make the zip of --py-files where MODEL_CODE names "
            "the folder with its file (make spark-bundle)"
        )
    return found[name]
