"""The pipeline's page: axe's rules, from a file, on a telephone and at a desk."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from pipeline.page import page as made
from pipeline.records import FINISHED, Runs
from pipeline.shared.store import Event
from tests.browser.test_accessibility import faults

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with a run of each end."""
    folder = tmp_path_factory.mktemp("page")
    runs = Runs(folder, "ride")
    runs.make()
    for state in (*FINISHED, "failed", "killed"):
        inputs = [{"file": f"a/long/way/to/{'trips-' * 20}2021-01.parquet", "sha256": "f" * 64}]
        record = runs.begin("plan", f"new data <b>{state}</b>", inputs, "code")
        step = {"name": "check", "state": "done", "reused": True, "said": "400 rows", "folder": ""}
        record["steps"].append(step)
        runs.end(record, state, f"it was {state}")
    event = Event(1, "clock", "by the clock: 30 5 * * *", "2026-11-27T05:30:00Z", "waits", "")
    written = folder / "ride.html"
    written.write_text(made("ride", ["ride: 3 serves"], [event], runs.all()), encoding="utf-8")
    return written


@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_serious_in_the_runs(browser: Browser, place: Path, width: int) -> None:
    """It asks for nothing else; what a record says is text."""
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url))
    page.goto(place.as_uri())
    assert page.get_by_text("new data <b>refused</b>").is_visible()
    assert page.get_by_role("heading", name="rolled back").is_visible()
    assert page.get_by_role("table", name="What asked for a run").is_visible()
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert asked == [place.as_uri()]
    context.close()
