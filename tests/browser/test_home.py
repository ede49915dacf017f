"""The home page in a browser: forms that predict, errors in their place, zones by name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.browser.conftest import WIDTHS, OpenPage
from tests.support import Server, installed, serving

pytestmark = pytest.mark.slow

REFUSED = "422 (Unprocessable Entity)"  # Chromium reports each answer above 399 in its console


def ask(site: Server, model: str, record: dict[str, Any]) -> Any:
    return requests.post(f"{site.url}/predict/{model}", json=record, timeout=30).json()


def answer(page: Page, model: str) -> Any:
    return page.locator(f"#{model}-answer .headline")


def predict(page: Page, model: str) -> None:
    page.locator(f"#{model}-form").get_by_role("button", name="Predict").click()


def test_a_ride_is_predicted_without_a_reload(open_page: OpenPage, site: Server) -> None:
    """Zones by number, a distance, a click: the answer and what moved it, on the same page."""
    page = open_page("/")
    page.evaluate("window.untouched = true")
    page.get_by_role("combobox", name="Pickup zone").fill("132")
    page.get_by_role("combobox", name="Drop-off zone").fill("7")
    page.get_by_label("Distance").fill("3.5")
    predict(page, "ride")
    record = {"PULocationID": 132, "DOLocationID": 7, "trip_distance": 3.5}
    minutes = ask(site, "ride", record)["duration"]
    expect(answer(page, "ride")).to_have_text(f"{minutes:.0f} minutes")
    expect(page.locator("#ride-answer .moved")).to_contain_text("Distance: 3.5")
    expect(page.locator("#ride-json")).to_contain_text(f'"duration":{minutes}')
    assert page.evaluate("window.untouched") is True


def test_a_customer_is_predicted_from_choices(open_page: OpenPage, site: Server) -> None:
    """Other choices and numbers give the API's probability for them, in log-odds parts."""
    page = open_page("/")
    page.get_by_label("Contract").select_option("two_year")
    page.get_by_label("Senior citizen").select_option("1")
    page.get_by_label("Tenure").fill("48")
    page.get_by_label("Monthly charges").fill("99.5")
    page.get_by_label("Total charges").fill("0.5")
    predict(page, "churn")
    example = requests.get(f"{site.url}/models/churn", timeout=30).json()["example"]
    changed = {"contract": "two_year", "seniorcitizen": 1, "tenure": 48}
    charges = {"monthlycharges": 99.5, "totalcharges": 0.5}
    got = ask(site, "churn", example | changed | charges)
    expect(page.locator("#churn-json")).to_contain_text(str(got["churn_probability"]))
    expect(page.locator("#churn-answer .verdict").first).to_contain_text(
        "churn: yes" if got["churn"] else "churn: no"
    )
    expect(page.locator("#churn-answer .moved caption")).to_have_text("What moved it, in log-odds")


def test_a_wrong_value_shows_its_error_beside_the_field(open_page: OpenPage) -> None:
    """The field is marked, described by the API's message and gets the focus; mending clears it."""
    page = open_page("/", expect=REFUSED)
    distance = page.get_by_label("Distance")
    distance.fill("400")
    predict(page, "ride")
    error = page.locator("#ride-trip_distance-error")
    expect(error).to_have_text("expected a number from 0 to 100, got 400")
    expect(distance).to_have_attribute("aria-invalid", "true")
    expect(distance).to_be_focused()
    assert "ride-trip_distance-error" in (distance.get_attribute("aria-describedby") or "")
    boxes = [box for box in (distance.bounding_box(), error.bounding_box()) if box]
    assert 0 < boxes[1]["y"] - boxes[0]["y"] < 150
    distance.fill("4")
    distance.press("Enter")
    expect(error).to_be_empty()
    expect(answer(page, "ride")).to_contain_text("minutes")
    assert distance.get_attribute("aria-invalid") is None


def test_zones_are_found_by_name(open_page: OpenPage, site: Server) -> None:
    """Typing "JFK" and "Astoria" offers zones; keyboard and mouse both choose one."""
    page = open_page("/")
    pickup, dropoff = (
        page.get_by_role("combobox", name="Pickup zone"),
        page.get_by_role("combobox", name="Drop-off zone"),
    )
    pickup.click()
    pickup.press_sequentially("JFK")
    expect(page.locator(".combo").get_by_role("option")).to_have_text(["132 JFK Airport, Queens"])
    expect(pickup).to_have_attribute("aria-expanded", "true")
    pickup.press("ArrowDown")
    chosen = pickup.get_attribute("aria-activedescendant")
    expect(page.locator(f"#{chosen}")).to_have_attribute("aria-selected", "true")
    pickup.press("Enter")
    expect(pickup).to_have_value("132 JFK Airport, Queens")
    expect(pickup).to_have_attribute("aria-expanded", "false")
    dropoff.click()
    dropoff.press_sequentially("astoria")
    expect(page.locator(".combo").get_by_role("option")).to_have_text(
        ["7 Astoria, Queens", "8 Astoria Park, Queens", "179 Old Astoria, Queens"]
    )
    page.get_by_role("option", name="8 Astoria Park").click()
    expect(dropoff).to_have_value("8 Astoria Park, Queens")
    predict(page, "ride")
    record = {"PULocationID": 132, "DOLocationID": 8, "trip_distance": 2.5}
    minutes = ask(site, "ride", record)["duration"]
    expect(page.locator("#ride-json")).to_contain_text(str(minutes))


def test_the_list_of_zones_closes_and_turns_around(open_page: OpenPage) -> None:
    """Escape closes it and keeps the text; up from the beginning is the end; leaving closes."""
    page = open_page("/")
    pickup = page.get_by_role("combobox", name="Pickup zone")
    pickup.click()
    pickup.press_sequentially("airport")
    pickup.press("ArrowUp")
    last = page.locator(".combo").get_by_role("option").last
    expect(last).to_have_attribute("aria-selected", "true")
    pickup.press("Escape")
    expect(page.get_by_role("listbox")).to_have_count(0)
    expect(pickup).to_have_value("airport")
    pickup.press("ArrowDown")
    expect(page.get_by_role("listbox")).to_have_count(1)
    pickup.press("Tab")
    expect(page.get_by_role("listbox")).to_have_count(0)
    pickup.fill("no such zone")
    expect(page.locator(".combo").get_by_role("option")).to_have_count(0)


def test_the_example_comes_back(open_page: OpenPage) -> None:
    """Back to the example: the button fills the form anew and answers it."""
    page = open_page("/")
    before = answer(page, "ride").text_content()
    page.get_by_label("Distance").fill("1")
    predict(page, "ride")
    expect(answer(page, "ride")).not_to_have_text(before)
    page.locator("#ride-form").get_by_role("button", name="Back to the example").click()
    expect(answer(page, "ride")).to_have_text(before)
    expect(page.locator("#ride-curl")).to_contain_text('"trip_distance": 2.5}')


def test_the_snippets_do_what_the_form_does(
    open_page: OpenPage, site: Server, tmp_path: Path
) -> None:
    """Both hold what was predicted last, and run as they are they print the API's answer."""
    page = open_page("/")
    page.get_by_role("combobox", name="Pickup zone").fill("LaGuardia")
    page.get_by_label("Distance").fill("12.5")
    predict(page, "ride")
    expect(page.locator("#ride-curl")).to_contain_text('"PULocationID": 138')
    record = {"PULocationID": 138, "DOLocationID": 75, "trip_distance": 12.5}
    expected = str(ask(site, "ride", record)["duration"])
    command = page.locator("#ride-curl").inner_text()
    program = tmp_path / "program.py"
    program.write_text(page.locator("#ride-requests").inner_text())
    ran = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=60)
    assert expected in ran.stdout, ran.stderr
    installed("curl")
    ran = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, timeout=60, check=True
    )
    assert expected in ran.stdout


@WIDTHS
def test_a_snippet_is_copied_by_keyboard(open_page: OpenPage, width: int) -> None:
    """The button puts the text into the clipboard and says so."""
    size = {"width": width, "height": 900}
    page = open_page("/", permissions=["clipboard-read", "clipboard-write"], viewport=size)
    button = page.locator("#ride .copy").first
    button.press("Enter")
    expect(button).to_have_text("Copied")
    text = page.evaluate("navigator.clipboard.readText()")
    assert text == page.locator("#ride-curl").inner_text()


def test_it_predicts_without_javascript(open_page: OpenPage) -> None:
    """The same form, sent by the browser itself, comes back with the answer or the errors."""
    page = open_page("/", java_script_enabled=False, expect=REFUSED)
    page.get_by_label("Distance").fill("400")
    predict(page, "ride")
    expect(page.locator("#ride-trip_distance-error")).to_contain_text("expected a number")
    page.get_by_label("Distance").fill("4")
    predict(page, "ride")
    expect(answer(page, "ride")).to_contain_text("minutes")


def test_a_service_that_went_away_is_said_in_words(
    open_page: OpenPage, models_dir: Path, tmp_path: Path
) -> None:
    """No answer is no silence: the page says that the service could not be reached."""
    with serving(models_dir, tmp_path / "log", WORKERS="1", KEEP_ALIVE="0") as server:
        page = open_page("/", url=server.url, expect="ERR_CONNECTION_REFUSED")
        expect(answer(page, "ride")).to_contain_text("minutes")
    predict(page, "ride")
    expect(answer(page, "ride")).to_have_text("No answer")
    expect(page.locator("#ride-answer")).to_contain_text("could not be reached")
