"""The pages for everybody: axe's rules, both colour schemes, a telephone and a desk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage

pytestmark = pytest.mark.slow

PAGES = {"home": "/", "ride-card": "/models/ride/card", "churn-card": "/models/churn/card"}


def faults(page: Page) -> list[str]:
    """Return axe's serious and critical findings, each with the element."""
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {node['html'][:120]}"
        for rule in found
        if rule["impact"] in {"serious", "critical"}
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [
        ("home", 390, "light"),
        ("home", 390, "dark"),
        ("home", 1280, "light"),
        ("home", 1280, "dark"),
        ("ride-card", 390, "dark"),
        ("ride-card", 1280, "light"),
        ("churn-card", 390, "light"),
        ("churn-card", 1280, "dark"),
    ],
)
def test_axe_finds_nothing_serious_and_nothing_overflows(
    open_page: OpenPage, output: Path, name: str, width: int, scheme: str
) -> None:
    """No serious or critical fault, no sideways scrolling; the screenshot is kept."""
    page = open_page(PAGES[name], viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=output / f"{name}-{width}-{scheme}.png", full_page=True)
    assert faults(page) == []
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_the_api_page(open_page: OpenPage, scheme: str) -> None:
    """Swagger UI as we set it up passes as well."""
    page = open_page("/docs", color_scheme=scheme)
    expect(page.locator('[data-path="/predict/ride"]')).to_be_visible()
    assert faults(page) == []


def test_the_keyboard_alone_is_enough(open_page: OpenPage) -> None:
    """The first stop skips to the content; a form is filled and sent without a mouse."""
    page = open_page("/")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("combobox", name="Pickup zone")).to_be_focused()
    page.keyboard.type("JFK")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("5")
    page.keyboard.press("Enter")
    expect(page.locator("#ride-json")).to_contain_text('"unseen":["PU_DO=132_75"]')
    expect(page.locator("#ride-answer")).to_contain_text("Distance: 5.0")
