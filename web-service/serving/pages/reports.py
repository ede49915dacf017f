"""What `python -m monitoring watch` last said of a model, for its card and the home page.

It is asked for at MONITORING_URL, an address or a folder, at most once a minute a process. What
cannot be had, or has not the expected shape, is not shown: a page does not fail for it.
"""

from __future__ import annotations

import json
import logging
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

_KEPT_S: Final = 60.0
_TIMEOUT_S: Final = 1.0
_MOST_BYTES: Final = 4 * 1024 * 1024
_SHOWN: Final = 8  # bars
_WIDTH: Final = 120.0  # of a bar that is twice what chance reaches, or more

_log = logging.getLogger(__name__)


class Bar(NamedTuple):
    """A field's drift: PSI next to what chance alone reaches, as the width of a bar."""

    field: str
    times: str  # of what chance reaches
    width: float


class Report(NamedTuple):
    """The last report of a model."""

    state: str  # quiet, warning, alarm
    since: str  # UTC, empty where it is not known
    until: str
    sentences: Sequence[str]
    bars: Sequence[Bar]
    chance: float  # where on a bar chance ends


class Reports:
    """The last reports, from an address that begins with http, or from a folder."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._kept: dict[str, tuple[float, Report | None]] = {}

    def of(self, model: str) -> Report | None:
        """Return the last report of a model, None where there is none."""
        kept = self._kept.get(model)
        now = time.monotonic()
        if kept is None or now - kept[0] > _KEPT_S:
            kept = self._kept[model] = now, self._read(model)
        return kept[1]

    def _read(self, model: str) -> Report | None:
        try:
            return shown(json.loads(self._content(f"{model}.json")))
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            _log.info("there is no report of '%s' to show: %s", model, type(error).__name__)
            return None

    def _content(self, name: str) -> bytes:
        if not self._where.startswith("http"):
            with Path(self._where, name).open("rb") as file:
                return file.read(_MOST_BYTES)
        url = f"{self._where.rstrip('/')}/{name}"
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310  # checked: http
            content: bytes = answer.read(_MOST_BYTES)
            return content


def shown(found: Mapping[str, Any]) -> Report:
    """Return what is shown of a report; raises the errors of what has another shape."""
    bars = []
    for one in found["comparisons"]:
        if one["question"] == "drift" and one.get("threshold"):
            times = float(one["psi"]) / float(one["threshold"])
            width = _WIDTH * min(max(times, 0.0), 2.0) / 2
            bars.append(Bar(str(one["field"]), f"{times:.1f}", round(width, 1)))
    bars.sort(key=lambda bar: -bar.width)
    state = str(found["state"])
    if state not in ("quiet", "warning", "alarm"):
        raise ValueError(state)
    return Report(
        state,
        str(found.get("since") or ""),
        str(found["window"]["until"]),
        [str(one["sentence"]) for one in found["findings"]][:3],
        bars[:_SHOWN],
        _WIDTH / 2,
    )
