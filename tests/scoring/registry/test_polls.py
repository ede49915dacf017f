"""What the registry sees of one service: the numbers that docs/scaling.md multiplies."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.scoring.registry.scripted import Bench, Registry, send
from tests.support import ROOT

GUIDE = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[Bench]:
    """A poller over a registry that hands its artifacts out itself, as MLflow's server does."""
    registry = Registry()
    bench = Bench(registry, tmp_path, validate=lambda *_: "0" * 64)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        path = urlsplit(handler.path).path
        name = path.rpartition("/")[2]
        folder = tmp_path / f"version-{registry.alias}" / "ride"
        if "/mlflow-artifacts/" not in path:
            registry.answer(handler)
        elif name == "artifacts":
            files = [
                {"path": file.name, "is_dir": False, "file_size": file.stat().st_size}
                for file in folder.iterdir()
            ]
            send(handler, 200, {"files": files})
        else:
            body = (folder / name).read_bytes()
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

    registry.instead = answer
    yield bench
    registry.close()


@pytest.mark.slow
def test_a_poll_is_one_request_and_a_new_version_few(
    proxied: Bench,
) -> None:
    """One question a model where nothing has changed; where something has, the place, the list,
    each file and who moved the alias besides."""
    for number in ("1", "2"):
        folder = proxied.add(number)
        proxied.registry.locations[number] = f"mlflow-artifacts:/version-{number}"
        files = [file.name for file in folder.iterdir()]
    proxied.follow("1")
    proxied.registry.asked.clear()
    for _ in range(3):
        proxied.follow("1")
    assert proxied.registry.asked == ["alias"] * 3
    proxied.registry.asked.clear()
    proxied.follow("2")
    asked = proxied.registry.asked
    assert sorted(asked) == sorted(["alias", "get", "get-download-uri", "artifacts", *files])
    assert f"**{len(asked)}** requests for a new version" in GUIDE
    assert "**1** request per model" in GUIDE
