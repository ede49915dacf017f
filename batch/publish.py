"""From a ledger to the published output: parts in order, or one file of them, and `run.json`."""

from __future__ import annotations

import gzip
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from batch import report
from batch.errors import BatchError
from batch.inputs.text import end_of_record
from batch.job import Account, Job
from batch.outputs.table import encode, joined
from scoring.process.atomic_files import replacing


def publish(job: Job, account: Account, inputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Publish everything and return what `run.json` holds."""
    done = dict(sorted(account.done.items()))
    written = [name for name, entry in done.items() if entry["scored"]]
    rejected = [name for name, entry in done.items() if entry["rejected"]]
    if not written and not job.staging.single:
        written = [_nothing(job)]
    digest = hashlib.sha256()
    for name in written:
        digest.update(f"{name} {done[name]['sha256'] if name in done else ''}\n".encode())
    predictor = job.scorer.predictor
    run = {
        "model": {
            **job.reference,
            "version": predictor.version,
            "estimator": predictor.manifest.estimator,
            "vectorised": job.scorer.vectorised,
        },
        "inputs": list(inputs),
        "options": job.options.asked(),
        "asked": job.plan(),
        "engine": dict(job.engine),
        "totals": report.totals(list(done.values()), job.shape.bounds),
        "output": {
            "format": job.format,
            "digest": digest.hexdigest(),
            "parts": [
                {"name": job.staging.file_name(name), **_brief(done[name])}
                for name in written
                if name in done
            ],
        },
        "seconds": round(account.seconds, 3),
        "resumed_parts": account.resumed,
        "finished": report.now(),
        **report.environment(),
    }
    if job.options.log:
        _write_log(job, job.options.log, list(done))
    job.staging.publish(written, run, merge=lambda names: _merge(job, names), kept=rejected)
    return run


def _brief(entry: Mapping[str, Any]) -> dict[str, Any]:
    names = ("input", "first", "rows", "scored", "bytes", "sha256")
    return {name: entry[name] for name in names}


def _nothing(job: Job) -> str:
    """Write a part without rows, so that the output has its columns; return its name."""
    job.staging.write_file("part-none", _empty(job))
    return "part-none"


def _empty(job: Job) -> bytes:
    layout = job.layouts[0]
    kept = {n: pa.array([], layout.schema.field(c).type) for n, c in layout.kept.items()}
    made = {name: pa.array([], kind) for name, kind in job.scorer.answer_types.items()}
    made |= {
        "model_version": pa.array([], pa.string()),
        "unseen": pa.array([], pa.list_(pa.string())),
        "beyond": pa.array([], pa.list_(pa.string())),
    }
    shape = job.shape
    table = joined(kept, made)
    return encode(
        table, shape.format, compressed=shape.compressed, header=True, metadata=shape.metadata
    )


def _merge(job: Job, names: Sequence[str]) -> None:
    """Write the one file of the output from the parts `names`."""
    with job.staging.writing_file() as file:
        if not names:
            data = _empty(job)
            file.write(gzip.compress(data, mtime=0) if job.compressed else data)
        elif job.format == "parquet":
            _merge_parquet(job, names, file)
        else:
            packed: Any = nullcontext(file)
            if job.compressed:
                packed = gzip.GzipFile("", "wb", 1, file, mtime=0)
            with packed as sink:
                for place, name in enumerate(names):
                    for piece in _body(job, name, header=place == 0):
                        sink.write(piece)


def _body(job: Job, name: str, *, header: bool) -> Iterator[bytes]:
    for place, piece in enumerate(job.staging.storage.pieces(name)):
        skip = end_of_record(piece) if job.format == "csv" and place == 0 and not header else 0
        yield piece[skip:]


def _merge_parquet(job: Job, names: Sequence[str], file: BinaryIO) -> None:
    writer: Any = None
    for name in names:
        data = job.staging.storage.read(name)
        if data is None:
            raise BatchError(f"{name} is not there any more; start again with --restart")
        table = pq.read_table(io.BytesIO(data))
        if writer is None:
            writer = pq.ParquetWriter(file, table.schema)
        try:
            writer.write_table(
                table.cast(writer.schema) if table.schema != writer.schema else table
            )
        except (pa.ArrowException, ValueError) as error:
            raise BatchError(
                f"the inputs' columns are of different types, which one file cannot hold "
                f"({error}); name a folder"
            ) from error
    writer.close()


def _write_log(job: Job, path: Path, parts: Sequence[str]) -> None:
    """Write the prediction log of all parts, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        for name in job.staging.logs(parts):
            for piece in job.staging.storage.pieces(name):
                file.write(piece)
