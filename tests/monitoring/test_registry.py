"""Reports on a version that a real MLflow server names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scoring.artifact.manifest import MANIFEST
from tests.monitoring.support import lines, rides, write
from tests.monitoring.test_report import until
from tests.scoring.registry.conftest import Shop, mlflow_url, shop

__all__ = ["mlflow_url", "shop"]  # fixtures

pytestmark = [pytest.mark.slow, pytest.mark.long]  # starts MLflow


def test_an_alias_is_asked_for_its_version(
    monitoring: Callable[..., Any],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """By `report` and by `watch`, and again once it stands for another; a version of which nothing
    is known is one line."""
    versions: Shop = request.getfixturevalue("shop")
    for name, value in versions.settings(tmp_path / "cache").items():
        monkeypatch.setenv(name, value)
    numbers, rows = [], (200, 100)
    for place, many in enumerate(rows):
        folder = versions.artifact()
        numbers.append(versions.register(folder))
        digest = json.loads((folder / MANIFEST).read_text())["sha256"]
        made = lines(rides(many), first=place * 1000, version=numbers[-1], digest=digest)
        monitoring("profile", write(Path(f"{place}.jsonl"), made))
    which = f"models:/ride-duration@{versions.alias}"
    words = ("--until", until(1), "--against", "previous", "--model", which)
    for number, many in zip(numbers, rows, strict=True):
        versions.promote(number)
        assert f"{many} predictions of version {number} from" in monitoring(
            "report", "ride", *words).out  # fmt: skip
        assert monitoring("watch", "ride", *words, "--once", "--reports", "out").status == 0
        assert json.loads(Path("out/ride.json").read_text())["window"]["only"] == number
    versions.promote(versions.register())
    told = monitoring("report", "ride", *words)
    assert (told.status, "of which the store has no predictions; it has" in told.err) == (1, True)
