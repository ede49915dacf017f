"""What one task does: row groups of a Parquet file with a part's rows, or a whole text file."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

from batch.inputs import parquet
from batch.job import Account, Job

_OPENED_AT_ONCE: Final = 8


class Unit(NamedTuple):
    """Of the input at `place`, some row groups; None: all of it."""

    place: int
    groups: tuple[int, ...] | None


def units(job: Job, account: Account) -> list[Unit]:
    """Return what is left to do, in order. A text file is left until the run is published: only
    reading it tells how many slices it has."""
    places = [n for n, source in enumerate(job.sources) if source.format == "parquet"]
    with ThreadPoolExecutor(_OPENED_AT_ONCE) as pool:
        rows = pool.map(lambda place: parquet.rows_of_groups(job.sources[place]), places)
        counted = dict(zip(places, rows, strict=True))
    found: list[Unit] = []
    numbers = account.numbers()
    for place in range(len(job.sources)):
        if place in counted:
            done = set(numbers[place])
            groups = _groups(counted[place], done, begins=place == 0)
            found += [Unit(place, some) for some in groups]
        else:
            found.append(Unit(place, None))
    return found


def _groups(counts: list[int], done: set[int], *, begins: bool) -> Iterator[tuple[int, ...]]:
    """Yield row groups that have a part's rows together, or one that has more; without those all of
    whose slices are done."""
    waiting: list[int] = []
    rows = number = 0
    for group, count in enumerate(counts):
        sizes = parquet.cut(count, begins=begins and group == 0)
        slices = range(number, number + len(sizes))
        number = slices.stop
        if done.issuperset(slices):
            continue
        if waiting and rows + count > parquet.SLICE_ROWS:
            yield tuple(waiting)
            waiting, rows = [], 0
        waiting.append(group)
        rows += count
    if waiting:
        yield tuple(waiting)
