"""The registry is followed, against a real MLflow server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.scoring.registry.conftest import Shop, mlflow_url, shop
from tests.scoring.registry.rides import RIDES
from tests.streaming.redis_server import RedisServer
from tests.streaming.support import until, working
from tests.support import wait_for

__all__ = ["mlflow_url", "shop"]  # fixtures

pytestmark = pytest.mark.slow


def test_the_alias_moves_and_the_next_batch_is_answered_by_the_new_version(
    redis: RedisServer, stream: str, shop: Shop, models_dir: Path, tmp_path: Path
) -> None:
    """Each prediction names the version that made it, and is that version's answer."""
    first, second = shop.register(), shop.register()
    shop.promote(first)
    settings = shop.settings(tmp_path / "cache", LOG_FORMAT="text")
    settings.pop("MODELS")
    settings.pop("MODEL_ALIAS")
    which = f"models:/ride-duration@{shop.alias}"
    every = [which, "--source", redis.url(stream), "--sink", redis.url(f"{stream}-out")]

    def fed() -> list[dict[str, object]]:
        """Feed both rides, and return the answers so far."""
        before = len(redis.values(f"{stream}-out"))
        for ride in RIDES:
            redis.client.xadd(stream, {"value": json.dumps(ride)})
        found = until(lambda: redis.values(f"{stream}-out"), before + 2, "predictions")
        return [json.loads(value)["answer"] for value in found]

    with working(tmp_path, models_dir, *every, **settings):
        assert {one["model_version"] for one in fed()} == {first}
        shop.promote(second)
        wait_for(lambda: fed()[-1]["model_version"] == second, "the second version", 180)
        answers = fed()
    made_by = [str(one["model_version"]) for one in answers]
    assert made_by == sorted(made_by, key=int)
    for place, one in enumerate(answers):
        expected = shop.answers[str(one["model_version"])][place % 2]
        assert one["duration"] == expected
