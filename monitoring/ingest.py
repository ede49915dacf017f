"""Turn log files into profiles by hour, each prediction once.

A file is known by the digest of what was read of it. One that has grown since goes on where it was
left, and lines that another file held already (a copy cut elsewhere) are found by their ids.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitoring import parquet_logs, reading, refusals, truths
from monitoring.blocks import Block
from monitoring.entries import Hour
from monitoring.errors import MonitoringError, UsageError
from monitoring.hours import in_order, profiles, scales_of
from monitoring.kept import Keeper, ids_of, keys, keys_of
from monitoring.reading import Bad, Told
from monitoring.store import Store
from monitoring.writing import Writing
from scoring.models import Model
from scoring.profiles.fields import FieldKind, field_kinds
from scoring.profiles.profile import Profile, add

_CHUNK: Final = 4 * 1024 * 1024
_SKEW_US: Final = 300_000_000  # a clock may be ahead by so much
LOGS: Final = ("*.jsonl", "*.jsonl.gz", "*.parquet")


@dataclass
class Taken:
    """What came of some files."""

    files: int = 0
    topics: int = 0
    known: int = 0  # of which nothing was new
    rows: int = 0
    again: int = 0  # predictions that another file held already
    other: Counter[str] = field(default_factory=Counter)  # of models that are not known here
    bad: Bad = field(default_factory=Counter)
    truths: int = 0  # what came true, by feedback
    refused: int = 0  # requests
    gone: int = 0  # messages that a topic had deleted before they were read
    unfinished: int = 0  # files whose last line has no end

    def said(self) -> str:
        """Return it as a line for people."""
        of = [f"{self.files} files"] if self.files or not self.topics else []
        of += [f"{self.topics} topics"] if self.topics else []
        parts = [f"{self.rows} predictions of {' and '.join(of)}"]
        if self.known:
            parts.append(f"{self.known} files were known already")
        if self.truths:
            parts.append(f"{self.truths} truths")
        if self.refused:
            parts.append(f"{self.refused} refused requests")
        if self.again:
            parts.append(f"{self.again} predictions were known already")
        parts += [f"{n} of the model '{name}', which is not known here, left out"
                  for name, n in self.other.items()]  # fmt: skip
        parts += [f"{n} lines left out: {why}" for why, n in self.bad.most_common()]
        if self.gone:
            parts.append(f"{self.gone} messages were deleted before they were read")
        if self.unfinished:
            parts.append(
                f"{self.unfinished} last lines have no end yet: they are read once they have one"
            )
        return "; ".join(parts)


class Ingest:
    """Reads files into a store."""

    def __init__(
        self, store: Store, models: Mapping[str, Model], keeper: Keeper, ids: Sequence[str] = ()
    ) -> None:
        """`ids` are columns of Parquet files that are kept as ids."""
        self._ids = list(ids)
        self._store = store
        self._kinds = {name: field_kinds(model) for name, model in models.items()}
        self._fields = {name: list(kinds) for name, kinds in self._kinds.items()}
        self._keeper = keeper
        self._scales: dict[tuple[str, str], dict[str, int]] = {}

    def take(self, paths: Iterable[Path], model: str | None = None) -> Taken:
        """Read these files; `model` is that of Parquet files that do not say it. Raises
        MonitoringError for one that cannot be read; what came before it stays."""
        taken = Taken()
        for path in paths:
            try:
                self._file(path, model, taken)
            except OSError as error:
                raise MonitoringError(f"{path} cannot be read: {error.strerror or error}") from None
            except (pa.ArrowException, ValueError, KeyError) as error:
                raise MonitoringError(f"{path} is no prediction log: {error}") from None
        return taken

    def _file(self, path: Path, model: str | None, taken: Taken) -> None:
        taken.files += 1
        text = path.suffix == ".jsonl"
        end = _end_of_lines(path) if text else path.stat().st_size
        offset, digest = _place(path, end, self._store.prefixes(), text=text)
        taken.unfinished += int(text and end < path.stat().st_size)
        before = taken.rows, sum(taken.bad.values())
        with self._store.writing() as writing:
            if offset == end or writing.knows(digest):
                taken.known += 1
                return
            told = Told()
            blocks = (
                parquet_logs.parquet(path, model, self._fields, self._ids)
                if path.suffix == ".parquet"
                else reading.json_lines(path, offset, end if text else 1 << 62, taken.bad, told)
            )
            self.count(writing, digest, blocks, told, taken)
            bad = sum(taken.bad.values()) - before[1]
            writing.add_file(digest, end, path.name, taken.rows - before[0], bad)

    def count(
        self, writing: Writing, digest: str, blocks: Iterator[Block], told: Told, taken: Taken,
        *, once: bool = False,
    ) -> None:  # fmt: skip
        """Keep what `blocks` hold, and what they add to `told`, as of the file with this digest;
        `once` says that a request id never comes again for another prediction."""
        writing.add_hours(digest, self._hours(writing, blocks, taken, once))
        for table in told.truths:
            taken.truths += truths.keep(writing, digest, table, self._keeper)
        refused = [one for one in told.refusals if one.model in self._kinds]
        others = Counter(one.model for one in told.refusals if one.model not in self._kinds)
        taken.other.update(others)
        taken.refused += refusals.keep(writing, digest, refused)

    def _hours(
        self, writing: Writing, blocks: Iterator[Block], taken: Taken, once: bool
    ) -> list[Hour]:
        found: dict[tuple[str, str, str, int], Profile] = {}
        newest = writing.newest_predictions()
        now_us = time.time_ns() // 1000 + _SKEW_US
        for read in blocks:
            if read.model not in self._kinds:
                taken.other[read.model] += len(read)
                continue
            block = self._new(writing, in_order(read), newest, taken, once)
            if not len(block):
                continue
            kinds = self._kinds[block.model]
            scales = self._scales_of(writing, block, kinds)
            for hour, profile in profiles(block, kinds, scales, now_us).items():
                key = (block.model, block.version, block.digest, hour)
                found[key] = add([found[key], profile]) if key in found else profile
            if self._keeper.ids != "none":
                span = int(block.hours[0]), int(block.hours[-1])
                kept = self._keeper.kept(block, kinds)
                writing.add_predictions(block.model, kept, *span, len(block))
            taken.rows += len(block)
        return [Hour(version, digest, hour, profile)
                for (_, version, digest, hour), profile in found.items()]  # fmt: skip

    def _new(self, writing: Writing, block: Block, newest: int, taken: Taken, once: bool) -> Block:
        """Return what no file before this one held."""
        first, last = int(block.hours[0]) - once, int(block.hours[-1])
        there = writing.predictions(block.model, first, last, newest)
        if not there:
            return block
        named = self._keeper.named(block.request_id)
        own = named if once else keys(named, block.index, pa.array(block.time))
        known = np.zeros(len(block), bool)
        for others in ids_of(there) if once else keys_of(there):
            known |= pc.is_in(own, value_set=others).to_numpy(zero_copy_only=False)
        taken.again += int(known.sum())
        return block.taken(np.flatnonzero(~known)) if known.any() else block

    def _scales_of(
        self, writing: Writing, block: Block, kinds: Mapping[str, FieldKind]
    ) -> dict[str, int]:
        """Return the scales of the version's training, else those of the model's last hour, else
        those that suit the first predictions."""
        key = (block.model, block.digest)
        if key not in self._scales:
            found = writing.scales(*key)
            self._scales[key] = scales_of(block, kinds) if found is None else found
        return self._scales[key]


def find(words: Iterable[str], patterns: Sequence[str] = LOGS) -> list[Path]:
    """Return the files that these words name: files, and folders with such of these
    patterns. Raises UsageError for a word that names none."""
    found: list[Path] = []
    for word in words:
        path = Path(word)
        if path.is_dir():
            inside = {one for pattern in patterns for one in path.rglob(pattern)}
            some = sorted(one for one in inside if not _is_apart(one.relative_to(path)))
        else:
            some = [path] if path.is_file() else []
        if not some:
            raise UsageError(f"{word}: there is no file {', '.join(patterns)} of that name")
        found += some
    return found


def _is_apart(path: Path) -> bool:
    """Tell whether it is a hidden file, or a batch's rejected rows."""
    return any(part[0] in "._" or part == "rejected" for part in path.parts)


def _end_of_lines(path: Path) -> int:
    """Return where the last whole line ends."""
    end = path.stat().st_size
    with path.open("rb") as file:
        while end:
            start = max(0, end - _CHUNK)
            file.seek(start)
            cut = file.read(end - start).rfind(b"\n")
            if cut >= 0:
                return start + cut + 1
            end = start
    return 0


def _place(path: Path, end: int, known: Mapping[int, set[str]], *, text: bool) -> tuple[int, str]:
    """Return how much of the file was read before, and the digest of it up to `end`."""
    digest = hashlib.sha256()
    offset = at = 0
    lengths = sorted(length for length in known if length < end) if text else []
    with path.open("rb") as file:
        for stop in (*lengths, end):
            while at < stop and (data := file.read(min(_CHUNK, stop - at))):
                digest.update(data)
                at += len(data)
            if digest.hexdigest() in known.get(stop, ()):
                offset = stop
    return offset, digest.hexdigest()
