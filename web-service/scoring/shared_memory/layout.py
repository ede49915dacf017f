"""Which number of a row is which series: slots are given out once, before the store is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

Labels = tuple[str, ...]

OTHER: Final = "_other"  # the label's value for everything that was not declared


class Gauge:
    """One number that says how a process is now."""

    def __init__(self, name: str, text: str, slot: int) -> None:
        self.name = name
        self.text = text
        self.slot = slot


class Counters:
    """A family of counters: a slot for every set of labels that can ever occur."""

    def __init__(self, name: str, text: str, labels: Labels) -> None:
        self.name = name
        self.text = text
        self.labels = labels
        self.slots: dict[Labels, int] = {}
        self.shown: set[Labels] = set()  # also while it is zero


class Histograms:
    """A family of histograms, each with upper bounds of its own."""

    def __init__(self, name: str, text: str, labels: Labels) -> None:
        self.name = name
        self.text = text
        self.labels = labels
        self.members: dict[Labels, Histogram] = {}


class Histogram:
    """A slot for each bucket, one for what lies beyond all bounds, then one for the sum.

    `bounds` are inclusive upper bounds in ascending order, as Prometheus has them.
    """

    def __init__(self, bounds: Sequence[float], first: int) -> None:
        self.bounds = [float(bound) for bound in bounds]
        self.names = [*map(str, self.bounds), "+Inf"]
        self.first = first
        self.total = first + len(self.bounds) + 1


class Layout:
    """Hands out slots, numbered from 0, and room for the document on the board."""

    def __init__(self) -> None:
        self.gauges: list[Gauge] = []
        self.counters: list[Counters] = []
        self.histograms: list[Histograms] = []
        self.per_process: list[int] = []  # slots that are zero again in a new process
        self.width = 0
        self.document_bytes = 0

    def slots(self, count: int) -> int:
        """Return the first of `count` consecutive slots, which the caller collects itself."""
        first = self.width
        self.width += count
        return first

    def process_slots(self, count: int) -> int:
        """Return the first of `count` slots that say how a process is now."""
        first = self.slots(count)
        self.per_process += range(first, first + count)
        return first

    def document(self, size: int) -> None:
        """Reserve `size` bytes for a part of the board's document."""
        self.document_bytes += size

    def gauge(self, name: str, text: str) -> int:
        """Return the slot of a gauge, which is shown as the sum over all living processes."""
        gauge = Gauge(name, text, self.process_slots(1))
        self.gauges.append(gauge)
        return gauge.slot

    def counter(
        self,
        name: str,
        text: str,
        labels: Labels = (),
        sets: Iterable[Labels] = ((),),
        shown: Iterable[Labels] = (),
    ) -> Mapping[Labels, int]:
        """Return the slots of a counter by each of `sets`, the values of its labels.

        Those in `shown` are exposed from the start; others once they are not zero.
        """
        family = Counters(name, text, labels)
        family.slots = {values: self.slots(1) for values in dict.fromkeys(sets)}
        family.shown = set(shown)
        self.counters.append(family)
        return family.slots

    def histogram(
        self, name: str, text: str, labels: Labels, bounds: Mapping[Labels, Sequence[float]]
    ) -> Mapping[Labels, Histogram]:
        """Return a histogram by each key of `bounds`, the values of its labels."""
        family = Histograms(name, text, labels)
        for values, upper in bounds.items():
            family.members[values] = Histogram(upper, self.slots(len(upper) + 2))
        self.histograms.append(family)
        return family.members
