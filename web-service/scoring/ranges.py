"""Which numbers of a record lie beyond what training saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scoring.artifact.manifest import Manifest
from scoring.models import Model
from scoring.profiles.fields import field_kinds
from scoring.typed_records import column


class Ranges:
    """The least and largest value of each number of a record among the rows of the training; none
    where the manifest does not tell them. A whole number that is a name has no range."""

    def __init__(self, model: Model, manifest: Manifest) -> None:
        kinds = field_kinds(model)
        self.of: dict[str, tuple[float, float]] = {
            name: (float(found["min"]), float(found["max"]))
            for name, found in manifest.profile.items()
            if kinds.get(name) == "number" and {"min", "max"} <= found.keys()
        }
        self._each = tuple((name, *ends) for name, ends in self.of.items())

    def beyond(self, values: Mapping[str, Any]) -> Sequence[str]:
        """Return the fields of a valid record that lie beyond, each with its value:
        `trip_distance=40`."""
        for name, low, high in self._each:
            value = values[name]
            if value is not None and not low <= value <= high:
                return [
                    worded(field, values[field])
                    for field, least, most in self._each
                    if values[field] is not None and not least <= values[field] <= most
                ]
        return ()  # as nearly always: nothing is made

    def beyond_of(self, records: Sequence[Any]) -> dict[int, list[str]]:
        """Return the same of many records, by place; those of which nothing lies beyond are left
        out."""
        found: dict[int, list[str]] = {}
        for name, low, high in self._each:
            values = column(records, name)
            try:
                if not values or (low <= min(values) and max(values) <= high):
                    continue
            except TypeError:  # null among them
                pass
            for place, value in enumerate(values):
                if value is not None and not low <= value <= high:
                    found.setdefault(place, []).append(worded(name, value))
        return found


def worded(name: str, value: float) -> str:
    """Return a field and its value as an answer names it."""
    return f"{name}={value:.12g}"
