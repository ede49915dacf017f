"""A short soak: what `make soak` does for ten minutes, for ten seconds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.soak import differences, nginx_command, soak

pytestmark = pytest.mark.slow


def test_a_service_that_is_disturbed_loses_nothing_and_counts_right(tmp_path: Path) -> None:
    """Workers stop and reload, versions swap, services are exchanged behind nginx, hostile requests
    come in between: every answer is the right one, and the counters add up to what was seen."""
    if nginx_command() is None:
        reason = "nginx is not installed: apt-get install nginx-light"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    tmp_path.chmod(0o755)
    seen = soak(10, tmp_path, each_s=5)
    assert seen.wrong == []
    assert differences(seen) == {}
    assert sum(seen.answers.values()) > 500
    assert seen.events["exchange"] >= 1
    assert max(seen.memory_mb) < 1.5 * min(seen.memory_mb) + 20
