"""The image with a worker on a stream (STREAM=1), over a Redis of this machine."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from scoring.models import discover
from tests.streaming.redis_server import redis_server
from tests.streaming.support import ride
from tests.support import clean_tree, free_port, wait_for, write_artifact
from tests.support.containers import started

pytestmark = [pytest.mark.slow, pytest.mark.container]


def test_the_worker_predicts_and_stops_in_time(build: Callable[..., str], tmp_path: Path) -> None:
    """`docker run IMAGE stream ...`, without a root file system that can be written and without any
    capability; at `docker stop` it ends with status 0."""
    (tmp_path / "context").mkdir()
    context = clean_tree(tmp_path / "context")
    write_artifact(discover()["ride"], context / "models")
    image = build(context, "--build-arg", "STREAM=1", "--build-arg", "SKLEARN=0",
                  "--build-arg", "MODELS=ride")  # fmt: skip
    folder = tmp_path / "redis"
    folder.mkdir()
    with redis_server(folder) as redis:
        for number in range(50):
            redis.client.xadd("rides", {"value": ride(number) if number else b"{"})
        words = ("stream", "ride", "--source", redis.url("rides"), "--sink", redis.url("out"),
                 "--dead-letters", redis.url("dead"))  # fmt: skip
        options = ("--network", "host", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL",
                   "-e", f"PORT={free_port()}", "-e", "HOST=127.0.0.1")  # fmt: skip
        with started(image, *options, command=words) as worker:

            def all_there() -> bool:
                if not worker.state()["Running"]:
                    pytest.fail(f"the container ended: {worker.logs()}")
                return len(redis.values("out")) == 49 and len(redis.values("dead")) == 1

            wait_for(all_there, "the outcomes", 60)
            subprocess.run(["docker", "stop", worker.id], check=True, capture_output=True)
            assert worker.state()["ExitCode"] == 0
        assert json.loads(redis.values("dead")[0])["reason"] == "not_json"
