"""The refused requests of a window: how many, for which fields, whether more than before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import sqlalchemy as sa

from monitoring.blocks import HOUR_US
from monitoring.drift import rate_differs
from monitoring.refusals import overlapping
from monitoring.store import Store
from monitoring.tables import REFUSALS

_MUCH: Final = 0.01  # of the requests
_CHANCE: Final = 0.01
_WINDOWS: Final = 8  # before one, with which it is compared


@dataclass(frozen=True)
class Refused:
    """The refused requests of a window, beside what was answered."""

    requests: int
    rows: int  # predictions
    by: Sequence[tuple[str, str, int]]  # field, reason, records; most first
    before: tuple[int, int] | None  # requests and predictions of the windows before; None: unknown

    @property
    def share(self) -> float:
        """Refused requests, of these and the predictions."""
        return self.requests / (self.requests + self.rows)

    @property
    def is_more(self) -> bool:
        """Whether more than 1 % are refused, and more than before beyond chance."""
        if self.share <= _MUCH:
            return False
        if self.before is None:
            return True
        requests, rows = self.before
        if self.share - _MUCH <= requests / (requests + rows):
            return False
        return (
            rate_differs(requests, requests + rows, self.requests, self.requests + self.rows)
            < _CHANCE
        )

    @property
    def sentence(self) -> str:
        """Say it, with what is refused most."""
        words = f"{self.share:.1%} of the requests were refused"
        if self.before is not None:
            requests, rows = self.before
            words += f", were {requests / (requests + rows):.1%}"
        return words + (f", most for {self.by[0][0]} ({self.by[0][1]})" if self.by else "")

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        by = [{"field": f, "reason": r, "records": n} for f, r, n in self.by]
        return {"requests": self.requests, "share": self.share, "by": by}


def refused(store: Store, model: str, first: int, end: int) -> Refused | None:
    """Return the refused requests of the hours from `first` to before `end`, next to those of the
    eight windows before, as far back as refusals are known; None where there are none."""
    whys = _whys(store, model, first, end)
    if not whys:
        return None
    by: Counter[tuple[str, str]] = Counter()
    for why, times in whys.items():
        for field, reason, records in map(str.split, why.split(", ") if why else ()):
            by[field, reason] += int(records) * times
    begun = store.asked(sa.select(sa.func.min(REFUSALS.c.first)).where(REFUSALS.c.model == model))
    since = max(int(begun[0][0]), first - _WINDOWS * (end - first))
    before = None
    if since < first and (rows := sum(store.rows(model, since, first).values())):
        before = sum(_whys(store, model, since, first).values()), rows
    rows = sum(store.rows(model, first, end).values())
    most = sorted(by.items(), key=lambda one: (-one[1], one[0]))
    return Refused(sum(whys.values()), rows, [(*names, records) for names, records in most], before)


def _whys(store: Store, model: str, first: int, end: int) -> Counter[str]:
    """Return how many requests were refused for what."""
    found: Counter[str] = Counter()
    for [content] in store.asked(overlapping(model, first, end)):
        table = pq.ParquetFile(pa.BufferReader(content)).read()
        time = table.column("time")
        inside = pc.and_(pc.greater_equal(time, first * HOUR_US), pc.less(time, end * HOUR_US))
        for one in table.filter(inside).column("why").value_counts().to_pylist():
            found[one["values"]] += one["counts"]
    return found
