"""A service with API keys in a browser: asked once a tab, on both widths, by keyboard."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from scoring.models import discover
from tests.browser.conftest import WIDTHS, OpenPage
from tests.browser.test_accessibility import faults
from tests.furnished import furnish
from tests.support import Server, installed, serving

pytestmark = pytest.mark.slow

UNKNOWN = "401 (Unauthorized)"  # in the console, of each answer 401


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gunicorn that asks for a key."""
    folder = tmp_path_factory.mktemp("closed")
    for model in discover().values():
        furnish(model, folder)
    file = folder / "keys"
    keys = {"ops admin": b"one", "shop predict": b"two"}
    file.write_text(
        "".join(f"{who} sha256:{hashlib.sha256(key).hexdigest()}\n" for who, key in keys.items())
    )
    with serving(folder, folder / "log", WORKERS="1", API_KEYS_FILE=str(file)) as running:
        yield running


def test_what_is_sent_before_a_page_s_scripts_are_there_waits_for_them(
    open_page: OpenPage, closed: Server
) -> None:
    """The form alone would go without the key, and be refused."""
    page = open_page("/", url=closed.url, expect=UNKNOWN)
    held: list[Route] = []
    page.route("**/home*.js*", lambda route: held.append(route))
    page.keyboard.type("one")
    page.keyboard.press("Enter")
    distance = page.locator("#ride-trip_distance")
    distance.fill("0.5")
    distance.press("Enter")
    assert len(held) == 1
    held[0].continue_()
    expect(page.locator("#ride-answer")).to_contain_text("Distance: 0.5")


@WIDTHS
def test_a_key_is_asked_for_once(
    open_page: OpenPage, closed: Server, output: Path, width: int
) -> None:
    """A wrong key is told; with the right one the page comes, predicts, draws its curve, and so do
    all other pages of the tab. Nothing outlives the tab. A key of scope predict sees no numbers of
    others, which is said, and the models."""
    size = {"width": width, "height": 900}
    page = open_page("/", url=closed.url, expect=UNKNOWN, viewport=size)
    expect(page.get_by_label("API key", exact=True)).to_be_focused()
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("This key is not known here.")
    assert faults(page) == []
    page.screenshot(path=output / f"login-{width}.png")
    page.keyboard.press("Control+A")
    page.keyboard.type("one")
    page.keyboard.press("Enter")
    distance = page.locator("#ride-trip_distance")
    distance.fill("0.5")
    distance.press("Enter")
    expect(page.locator("#ride-answer")).to_contain_text("Distance: 0.5")
    page.locator("#ride details.whatif summary").click()
    expect(page.locator("#ride .told")).to_contain_text("minutes")
    page.get_by_role("link", name="Model card: Duration").click()
    expect(page.get_by_role("heading", name="How good it is")).to_be_visible()
    picture = page.locator("figure img").first
    picture.scroll_into_view_if_needed()
    page.wait_for_function("image => image.naturalWidth > 0", arg=picture.element_handle())
    assert page.context.cookies() == []
    assert page.evaluate("localStorage.length") == 0
    assert "one" not in page.url
    other = page.context.new_page()
    other.goto(f"{closed.url}/today")
    expect(other.get_by_label("API key", exact=True)).to_be_focused()
    other.keyboard.type("two")
    other.keyboard.press("Enter")
    expect(other.get_by_role("alert")).to_have_text(
        "This page is not for that key: this needs a key with the scope admin."
    )
    expect(other.locator(".tiles")).to_have_count(0)
    assert faults(other) == []
    other.get_by_role("link", name="To the models").press("Enter")
    expect(other.locator("#ride-answer .headline")).to_be_visible()


@WIDTHS
def test_the_copied_requests_send_the_key_from_the_environment(
    open_page: OpenPage, closed: Server, tmp_path: Path, width: int
) -> None:
    """Both run as they are where API_KEY is set."""
    installed("curl")
    size = {"width": width, "height": 900}
    page = open_page("/", url=closed.url, expect=UNKNOWN, viewport=size)
    page.get_by_label("API key", exact=True).fill("one")
    page.keyboard.press("Enter")
    command = page.locator("#ride-curl").inner_text()
    program = tmp_path / "program.py"
    program.write_text(page.locator("#ride-requests").inner_text())
    for line in (["sh", "-c", command], [sys.executable, str(program)]):
        ran = subprocess.run(
            line, capture_output=True, text=True, timeout=60, env={**os.environ, "API_KEY": "one"}
        )
        assert "duration" in ran.stdout, ran.stderr


@WIDTHS
def test_the_api_page_asks_with_the_key(open_page: OpenPage, closed: Server, width: int) -> None:
    """Swagger UI's document and its requests have the tab's key; it can log in with another."""
    size = {"width": width, "height": 900}
    page = open_page("/docs", url=closed.url, expect=UNKNOWN, viewport=size)
    page.get_by_label("API key", exact=True).fill("one")
    page.keyboard.press("Enter")
    ride = page.locator("#operations-predictions-predict_ride")
    ride.locator(".opblock-summary-control").press("Enter")
    expect(ride.locator("textarea")).to_have_value(re.compile("trip_distance"))
    ride.get_by_role("button", name="Execute").press("Enter")
    status = ride.locator(".live-responses-table .response-col_status").last
    expect(status).to_contain_text("200")
    page.get_by_role("button", name="Authorize").press("Enter")
    login = page.locator(".dialog-ux .auth-container").first
    login.locator("input").fill("nobody's")
    login.locator("input").press("Enter")
    login.get_by_role("button", name="Close").press("Enter")
    ride.get_by_role("button", name="Execute").press("Enter")
    expect(status).to_contain_text("401")
    expect(page.get_by_role("link", name="Prediction service")).to_be_visible()
