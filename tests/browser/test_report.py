"""A monitoring report's page: axe's rules, without a server, on a telephone and at a desk."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import orjson
import pytest
from playwright.sync_api import Browser

from monitoring.cli import main
from tests.browser.test_accessibility import faults
from tests.monitoring.support import BEGIN, lines, rides, write

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of a model that got worse, with all that a page can show."""
    folder = tmp_path_factory.mktemp("report")
    store = ["--store", str(folder / "m.db")]
    random = np.random.default_rng(1)
    for day in range(3):
        made = lines(
            rides(1500, seed=day, factor=1 + day), BEGIN + timedelta(day), first=day * 10_000,
            version=str(day),
        )  # fmt: skip
        main(["profile", *store, str(write(folder / f"{day}.jsonl", made))])
        off = [(1 + 3 * day) * (9 if one["features"]["PULocationID"] == 41 else 1) for one in made]
        truth = [
            {"request_id": one["request_id"], "actual": one["score"] + o * float(e)}
            for one, o, e in zip(made, off, random.normal(size=len(made)), strict=True)
        ]
        (folder / f"t{day}.jsonl").write_bytes(b"\n".join(map(orjson.dumps, truth)))
        main(["labels", *store, str(folder / f"t{day}.jsonl"), "--key", "request_id"])
    page = folder / "report.html"
    words = ["report", "ride", *store, "--until", "2026-11-05", "--against", "previous"]
    assert main([*words, "--html", str(page)]) == 20
    return page


@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_serious_in_a_report(browser: Browser, report: Path, width: int) -> None:
    """It is read from a file, asks for nothing else, and is small."""
    assert len(report.read_bytes()) < 300_000
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url))
    page.goto(report.as_uri())
    for words in ("How good it was", "Window by window", "More off than all others"):
        assert page.get_by_role("heading", name=words).is_visible()
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert asked == [report.as_uri()]
    context.close()
