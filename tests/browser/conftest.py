"""A real browser, Debian's Chromium without a window, before a real gunicorn.

Every page that a test opens is watched: a message in its console, an error in its script or a
request to anywhere but our server fails the test when it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from playwright.sync_api import expect as expected
from sklearn.linear_model import Ridge

from scoring.models import discover
from tests.furnished import furnish
from tests.support import ROOT, Server, installed, serving, write_artifact
from tests.support.artifacts import calibration

OUTPUT = ROOT / "test-output"

# no sandbox in a container of CI; the others keep Chromium from calling home
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

OpenPage = Callable[..., Page]
WIDTHS = pytest.mark.parametrize("width", [1280, 390])

_PATIENCE_MS = 20_000  # of a machine that is busy with other tests
expected.set_options(timeout=_PATIENCE_MS)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gunicorn whose models have all that a page can show."""
    folder = tmp_path_factory.mktemp("site")
    ride, churn = discover()["ride"], discover()["churn"]
    write_artifact(ride, folder, Ridge())  # the version before
    furnish(ride, folder, calibration=calibration(ride), spread={"trip_distance": 4.0})
    furnish(churn, folder)
    with serving(folder, tmp_path_factory.mktemp("log") / "log", WORKERS="1") as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = installed("chromium", "chromium-browser", "google-chrome")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=list(_ARGUMENTS))
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Browser, site: Server) -> Iterator[OpenPage]:
    """Open a path of the site in a fresh context with the settings given, and watch it."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def opened(path: str, *, url: str = site.url, expect: str = "", **settings: Any) -> Page:
        context = browser.new_context(**settings)
        contexts.append(context)
        page = context.new_page()
        context.set_default_timeout(_PATIENCE_MS)

        def console(message: Any) -> None:
            # "verbose" are hints, also of Swagger UI's dialog
            if message.type != "verbose" and not (expect and expect in message.text):
                wrong.append(f"console {message.type}: {message.text}")

        def request(sent: Any) -> None:
            if not sent.url.startswith((f"{url}/", f"blob:{url}/", "data:")):
                wrong.append(f"request to {sent.url}")

        page.on("console", console)
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("request", request)
        page.goto(url + path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture(scope="session")
def output() -> Path:
    """Where screenshots are kept; git ignores it."""
    OUTPUT.mkdir(exist_ok=True)
    return OUTPUT
