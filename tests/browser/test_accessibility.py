"""The pages for everybody: axe's rules, both colour schemes, a telephone and a desk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage

pytestmark = pytest.mark.slow

PAGES = {
    "home": "/",
    "ride-card": "/models/ride/card",
    "churn-card": "/models/churn/card",
    "today": "/today",
    "api": "/docs",
}


def faults(page: Page) -> list[str]:
    """Return axe's serious and critical findings, each with the element."""
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {node['html'][:120]}"
        for rule in found
        if rule["impact"] in {"serious", "critical"}
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("width", [390, pytest.param(1280, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_serious_and_nothing_overflows(
    open_page: OpenPage, output: Path, name: str, width: int
) -> None:
    """Light and dark, as the reader's system is: no serious or critical fault, no sideways
    scrolling; the pictures are kept."""
    page = open_page(PAGES[name], viewport={"width": width, "height": 900}, color_scheme="light")
    page.wait_for_load_state("networkidle")
    if name == "api":
        expect(page.locator('[data-path="/predict/ride"]')).to_be_visible()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=output / f"{name}-{width}-{scheme}.png", full_page=True)
        assert faults(page) == []
        if name == "api":
            dark = page.evaluate("document.documentElement.classList.contains('dark-mode')")
            assert dark == (scheme == "dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_axe_finds_nothing_serious_in_errors_and_the_open_list(open_page: OpenPage) -> None:
    """A form with errors, and the list of zones while it is open, are readable too."""
    page = open_page("/", expect="422 (Unprocessable Entity)")
    page.get_by_label("Distance").fill("-1")
    page.locator("#ride-form").get_by_role("button", name="Predict").click()
    expect(page.locator("#ride-trip_distance-error")).to_contain_text("expected")
    page.get_by_role("combobox", name="Pickup zone").click()
    page.keyboard.type("air")
    page.keyboard.press("ArrowDown")
    first = page.locator(".combo").get_by_role("option").first
    expect(first).to_have_attribute("aria-selected", "true")
    assert faults(page) == []


def test_axe_would_notice_a_fault(open_page: OpenPage) -> None:
    """The check is awake: a field that loses its label is found."""
    page = open_page("/")
    page.evaluate("document.querySelector('label[for=ride-trip_distance]').remove()")
    assert any(fault.startswith("label: ") for fault in faults(page))
