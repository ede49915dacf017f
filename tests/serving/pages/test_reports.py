"""What the monitoring last said, on a model's card and on the home page."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from serving.app import create_app
from serving.settings import Settings

REPORT: dict[str, Any] = {
    "model": "ride",
    "state": "warning",
    "since": "2026-11-26 14:00",
    "window": {"until": "2026-11-27 12:00"},
    "findings": [{"sentence": "trips are <b>longer</b>"}],
    "comparisons": [
        {"field": "trip_distance", "question": "drift", "psi": 0.03, "threshold": 0.02},
        {"field": "PULocationID", "question": "drift", "psi": 0.5, "threshold": 0.02},
        {"field": "trip_distance", "question": "missing", "psi": None},
    ],
}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(params=["folder", "address"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    (tmp_path / "ride.json").write_text(json.dumps(REPORT))
    if request.param == "folder":
        yield str(tmp_path)
        return
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


def pages(models_dir: Path, where: str) -> tuple[str, str]:
    given = {"MODELS": "ride", "MODELS_DIR": str(models_dir), "MONITORING_URL": where}
    client = create_app(Settings.from_env(given)).test_client()
    html = {"Accept": "text/html"}
    return client.get("/", headers=html).text, client.get("/models/ride/card", headers=html).text


@pytest.mark.slow
def test_the_last_report_is_shown(models_dir: Path, where: str) -> None:
    """Its state and since when; on the card its sentences, as text, and a bar a field."""
    home, card = pages(models_dir, where)
    assert "Monitoring: warning since 2026-11-26 14:00 UTC." in home
    assert "is <strong>warning</strong> since 2026-11-26 14:00 UTC; its window ends 2026-11" in card
    assert "trips are &lt;b&gt;longer" in card
    assert card.index(">PULocationID<") < card.index(">trip_distance<")
    assert 'width="120.0"' in card  # at the most twice what chance reaches
    assert 'width="90.0"' in card


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '"a"', json.dumps({**REPORT, "state": "<i>"}),
     json.dumps({**REPORT, "comparisons": [{"question": "drift", "threshold": "a", "psi": 1}]})],
    ids=["empty", "array", "nothing", "text", "state", "number"],
)  # fmt: skip
def test_what_is_no_report_is_not_shown(models_dir: Path, tmp_path: Path, content: str) -> None:
    """The pages are there all the same; likewise without a monitor at the address."""
    (tmp_path / "ride.json").write_text(content)
    for where in (str(tmp_path), "http://127.0.0.1:9"):
        home, card = pages(models_dir, where)
        assert "Monitoring:" not in home
        assert "Is it still good" not in card
        assert "How good it is" in card
