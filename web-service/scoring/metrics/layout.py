"""Which number of a row is which series: places are given out once, before the store is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

Labels = tuple[str, ...]


class Gauge:
    """One number that says how a process is now."""

    def __init__(self, name: str, text: str, place: int) -> None:
        self.name = name
        self.text = text
        self.place = place


class Counters:
    """A family of counters: a place for every set of labels that can ever be."""

    def __init__(self, name: str, text: str, labels: Labels) -> None:
        self.name = name
        self.text = text
        self.labels = labels
        self.places: dict[Labels, int] = {}
        self.shown: set[Labels] = set()  # also while it is zero


class Histograms:
    """A family of histograms, each with upper bounds of its own."""

    def __init__(self, name: str, text: str, labels: Labels) -> None:
        self.name = name
        self.text = text
        self.labels = labels
        self.members: dict[Labels, Histogram] = {}


class Histogram:
    """A count a bucket, that of what lies beyond all bounds, then the sum. `bounds` are inclusive,
    as Prometheus has them."""

    def __init__(self, bounds: Sequence[float], first: int) -> None:
        self.bounds = [float(bound) for bound in bounds]
        self.names = [*map(str, self.bounds), "+Inf"]
        self.first = first
        self.total = first + len(self.bounds) + 1


class Layout:
    """Gives out places: gauges first, as the store wants them, then everything else."""

    def __init__(self, gauges: Iterable[tuple[str, str]]) -> None:
        self.gauges: Final = [Gauge(name, text, at) for at, (name, text) in enumerate(gauges)]
        self.counters: list[Counters] = []
        self.histograms: list[Histograms] = []
        self.width = len(self.gauges)

    def more(self, count: int) -> int:
        """Gives the first of `count` places."""
        first = self.width
        self.width += count
        return first

    def counter(
        self,
        name: str,
        text: str,
        labels: Labels = (),
        sets: Iterable[Labels] = ((),),
        shown: Iterable[Labels] = (),
    ) -> Mapping[Labels, int]:
        """Gives the places of a counter for each of `sets`, the values of its labels; `shown` are
        those that are told of while they are zero."""
        family = Counters(name, text, labels)
        family.places = {values: self.more(1) for values in dict.fromkeys(sets)}
        family.shown = set(shown)
        self.counters.append(family)
        return family.places

    def histogram(
        self, name: str, text: str, labels: Labels, bounds: Mapping[Labels, Sequence[float]]
    ) -> Mapping[Labels, Histogram]:
        """Gives a histogram for each key of `bounds`, the values of its labels."""
        family = Histograms(name, text, labels)
        for values, found in bounds.items():
            family.members[values] = Histogram(found, self.more(len(found) + 2))
        self.histograms.append(family)
        return family.members
