"""A run from its plan to its report. The plan is made and written before the first row is read; a
killed run's plan and ledger say what is left to do."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from batch import part
from batch.columns.score import TableScorer
from batch.errors import BatchError, StoppedError, TooManyRejectedError, UsageError
from batch.inputs import parquet, text
from batch.inputs.csv_block import CsvParser
from batch.inputs.files import Format, Source
from batch.inputs.json_block import JsonParser
from batch.inputs.rows import Slice
from batch.layout import FileLayout, check_csv, layouts
from batch.options import Options
from batch.outputs.staging import Staging
from batch.part import Shape
from batch.settings import BatchSettings
from batch.versions import versions
from batch.where import condition
from scoring.cells import kinds as kinds_of
from scoring.observers.buckets import of_output
from scoring.observers.log_lines import Lines

# how files are cut: an unfinished run that was cut otherwise is not gone on with. Raise `cut` where
# the same numbers mean other slices
LAYOUT: Final = {"cut": 3, "rows": parquet.SLICE_ROWS, "bytes": text.BLOCK_BYTES}

_log = logging.getLogger(__name__)


@dataclass
class Job:
    """Everything that a run's workers share."""

    options: Options
    settings: BatchSettings
    sources: Sequence[Source]
    staging: Staging
    scorer: TableScorer
    reference: Mapping[str, Any]  # the model, as the plan names it
    folder: Path | None = None  # the model's artifact, where this process can read it
    layouts: Sequence[FileLayout] = ()  # of each source; empty: to be found
    engine: Mapping[str, Any] = field(default_factory=lambda: {"name": "local"})

    def __post_init__(self) -> None:
        """Raise UsageError where files, model and options do not fit together."""
        made = list(self.scorer.answer_types)
        self.layouts = self.layouts or layouts(self.sources, self.scorer.model, self.options, made)
        self.format: Format = self.staging.format or self.options.format or self.sources[0].format
        if self.staging.format and self.options.format not in (None, self.staging.format):
            raise UsageError(f"--format {self.options.format} is for an output folder")
        if self.format == "csv":
            for source, layout in zip(self.sources, self.layouts, strict=True):
                check_csv(layout, source)
        if self.staging.single and len({tuple(layout.kept) for layout in self.layouts}) > 1:
            raise UsageError(
                "the inputs have other columns beside the fields than each other, which one file "
                "cannot hold: name those to keep with --keep, or an output folder"
            )
        compressed = self.sources[0].compressed and self.format != "parquet"
        self.compressed = self.staging.compressed if self.staging.single else compressed
        suffix = self.format + (".gz" if self.compressed and not self.staging.single else "")
        self.staging.shaped(suffix)

    @cached_property
    def shape(self) -> Shape:
        """How every part is made."""
        options, predictor = self.options, self.scorer.predictor
        log = None
        if options.log:
            given = self.settings
            omit, hashed = given.prediction_log_omit, given.prediction_log_hash
            log = Lines(omit, hashed, given.prediction_log_secret or "")
        return Shape(
            format=self.format,
            compressed=self.compressed and not self.staging.single,
            header=True,
            metadata={
                "model": predictor.model.name,
                "model_version": predictor.version,
                "model_sha256": predictor.manifest.sha256,
            },
            bounds=of_output(predictor.model, predictor.manifest.profile),
            condition=condition(options.where) if options.where else None,
            explain=options.explain,
            log=log,
        )

    @property
    def total_rows(self) -> int | None:
        """How many rows there are; None where only reading them tells."""
        if self.options.where or self.options.limit:
            return None
        rows = [layout.rows for layout in self.layouts]
        return None if None in rows else sum(row or 0 for row in rows)

    def plan(self) -> dict[str, Any]:
        """Return what the run does, as it is compared with an unfinished or a finished one."""
        return {**asked(self.options, self.sources), "model": dict(self.reference),
                "versions": versions()}  # fmt: skip

    def slices(
        self, place: int, done: Sequence[int] = (), groups: Sequence[int] | None = None
    ) -> Iterator[Slice]:
        """Yield the slices of the input at `place`, except those that are `done`; of row `groups`
        alone where these are given."""
        source, layout = self.sources[place], self.layouts[place]
        of_fields = kinds_of(self.scorer.model.record)
        kinds = {layout.fields[name]: of_fields[name] for name in layout.fields}
        if self.shape.condition and self.shape.condition.column not in layout.columns:
            columns = [*layout.columns, self.shape.condition.column]
        else:
            columns = layout.columns
        others = [name for name in columns if name not in kinds]
        if source.format == "parquet":
            where = self.shape.condition and self.shape.condition.expression(layout.file_schema)
            coded = [name for name, kind in kinds.items() if kind == "string"]
            yield from parquet.slices(
                source, columns, coded=coded, where=where, done=done, groups=groups,
                begins=place == 0,
            )  # fmt: skip
            return
        fields = {name: kind for name, kind in kinds.items() if name in layout.in_file}
        others = [name for name in others if name in layout.in_file]
        parser: CsvParser | JsonParser
        if source.format == "csv":
            names = [name for name in layout.schema.names if name in layout.in_file]
            parser = CsvParser(names, fields, others, self.options.separator, source.name)
        else:
            # what is written as it was read need not be understood
            plain = self.format == "jsonl" and layout.verbatim
            asked_of = self.shape.condition and self.shape.condition.column
            chosen = [name for name in others if not plain or name == asked_of]
            parser = JsonParser(
                fields, {n: layout.schema.field(n).type for n in chosen}, source.name
            )
        yield from text.slices(
            source,
            parser,
            columns=columns,
            encoding=self.options.encoding,
            header=source.format == "csv",
            done=done,
            begins=place == 0,
        )

    def make_part(
        self, place: int, piece: Slice, limit: int | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Score a slice and write its part; return its name and its line of the ledger."""
        name = name_of(place, piece.number)
        source, layout = self.sources[place].name, self.layouts[place]
        made = part.make(
            self.scorer, piece, layout, self.shape, source=source, name=name, limit=limit
        )
        entry = {**made.entry, "size": piece.size}
        return name, self.staging.write(name, made.data, made.extra, entry)


def asked(options: Options, sources: Sequence[Source]) -> dict[str, Any]:
    """Return what decides a run's output, beside the model's version."""
    inputs = [[source.name, source.size, source.modified] for source in sources]
    return {"inputs": inputs, "options": options.asked(), "layout": LAYOUT}


def name_of(place: int, number: int) -> str:
    """Return a part's name: of the input at `place`, the slice `number`."""
    return f"part-{place:05d}-{number:05d}"


class Account:
    """What is done, and whether the run may go on."""

    def __init__(self, job: Job, stop: threading.Event) -> None:
        self._job = job
        self._stop = stop
        self.done = job.staging.done()
        self.resumed = len(self.done)
        self._rejected = sum(entry["rejected"] for entry in self.done.values())
        self._total = job.total_rows
        self._began = time.monotonic()

    def numbers(self) -> defaultdict[int, list[int]]:
        """Return by the place of an input its slices that are done."""
        found: defaultdict[int, list[int]] = defaultdict(list)
        for name in self.done:
            _, place, number = name.split("-")
            found[int(place)].append(int(number))
        return found

    def add(self, name: str, entry: dict[str, Any]) -> None:
        """Count a part. Raises TooManyRejectedError where the run may not go on."""
        self.done[name] = entry
        self._rejected += entry["rejected"]
        self.check(self._total)

    def check(self, total: int | None) -> None:
        """Raise TooManyRejectedError for more rejected rows than the options allow of `total`
        (None: not known yet)."""
        options = self._job.options
        rejected = self._rejected
        where = f"see {self._job.staging.aside}/rejected"
        if options.strict and rejected:
            first = next(e for _, e in sorted(self.done.items()) if e["rejected"])
            raise TooManyRejectedError(
                f"a row of {first['input']} is not valid (--strict): "
                f"{', '.join(first['reasons'])}; {where}; nothing was published"
            )
        if total and rejected > options.max_rejected * total:
            raise TooManyRejectedError(
                f"{rejected:,} of {total:,} rows are not valid, more than --max-rejected "
                f"{options.max_rejected:g}; {where}; nothing was published"
            )

    def end(self) -> None:
        """Raise StoppedError after a signal."""
        if self._stop.is_set():
            raise StoppedError(
                f"stopped; {len(self.done)} parts are done and kept in {self._job.staging.aside}: "
                "the same command goes on with the others"
            )

    @property
    def seconds(self) -> float:
        """Since the run was started or resumed."""
        return time.monotonic() - self._began


def resumable(job_plan: Mapping[str, Any], found: Mapping[str, Any], aside: str) -> None:
    """Raise UsageError where an unfinished run is another one than asked for."""
    different = [key for key in job_plan if job_plan[key] != found.get(key)]
    if different:
        what = {"inputs": "other inputs", "options": "other options", "model": "another model",
                "versions": "other versions", "layout": "another version of batch"}  # fmt: skip
        names = ", ".join(what.get(key, key) for key in different)
        raise UsageError(
            f"{aside} holds an unfinished run with {names}: finish that one, or throw it away with "
            "--restart"
        )


def damaged(error: Exception) -> BatchError:
    """Return the error of a run that a store or a disk ended."""
    return BatchError(f"{error}; what is done is kept, the same command goes on")
