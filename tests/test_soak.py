"""A short soak: what `make soak` does for ten minutes, for ten seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak import Sample, growth, soak


@pytest.mark.long
@pytest.mark.slow
def test_a_service_that_is_disturbed_loses_nothing_and_counts_right(tmp_path: Path) -> None:
    """Workers stop and reload, versions swap, services are exchanged behind nginx, hostile requests
    come in between: every answer is the right one, and the counters add up to what was seen."""
    seen = soak(10, tmp_path, each_s=5)
    assert seen.wrong == []
    assert seen.differences() == {}
    assert seen.answers.total() > 500
    assert seen.events["exchange"] >= 1


def samples(service: int, *largest: float) -> list[Sample]:
    """Return samples of a service whose larger worker had these megabytes."""
    return [Sample(service, float(n), (9.0, size)) for n, size in enumerate(largest)]


def test_memory_that_levels_off_is_told_from_memory_that_grows() -> None:
    """A tenth and a megabyte within a life; a worker that is leaving does not count."""
    flat = samples(0, *[12.0] * 5, *[15.0] * 5, *[16.0] * 5)
    leaving = [Sample(0, 99.0, (9.0, 12.0, 30.0))] * 20
    assert growth([*flat, *leaving, *samples(1, 10, 20, 30)]) == []
    grows = samples(2, *[12.0] * 5, *[15.0] * 5, *[18.0] * 5)
    assert growth([*flat, *grows]) == ["service 2 grew from 15.0 to 18.0 MB a worker"]
