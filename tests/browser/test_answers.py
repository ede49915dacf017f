"""What stands beside an answer, by keyboard alone, on a desk's and on a telephone's screen."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import WIDTHS, OpenPage
from tests.browser.test_accessibility import faults

pytestmark = pytest.mark.slow

REFUSED = "422 (Unprocessable Entity)"


def ask(page: Page, distance: float) -> Any:
    """Return the API's answer with an interval to a ride from JFK."""
    record = {"PULocationID": 132, "DOLocationID": 75, "trip_distance": distance}
    url = page.url.partition("#")[0].rstrip("/") + "/predict/ride?interval=0.9"
    return page.request.post(url, data=record).json()


def typed(page: Page, name: str, text: str) -> None:
    """Fill a field and send the form, both by keyboard."""
    field = page.locator(f"#ride-{name}")
    field.focus()
    page.keyboard.press("Control+A")
    page.keyboard.type(text)
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")


@WIDTHS
def test_a_ride_is_asked_for_by_keyboard(open_page: OpenPage, output: Path, width: int) -> None:
    """From the first stop on: zones by name, the answer in view with how sure it is, what is beyond
    training, a zone that there is not with the nearest; and a link that shows the same."""
    page = open_page("/", expect=REFUSED, viewport={"width": width, "height": 500})
    answer = page.locator("#ride-answer")
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
    expect(answer.locator(".moved")).to_contain_text("Distance: 5.0")
    expect(answer.locator(".headline")).to_be_in_viewport()
    expect(answer.locator(".unseen")).to_contain_text("JFK Airport to East Harlem South")
    low, high = (f"{ask(page, 5.0)[f'duration_{end}']:.0f}" for end in ("low", "high"))
    expect(answer.locator(".sure")).to_have_text(
        f"{low} to {high} minutes in 9 of 10 predictions (by 500 rows of the test data)"
    )
    typed(page, "PULocationID", "times sq")
    zone = page.locator("#ride-PULocationID")
    expect(zone).to_have_value("230 Times Sq/Theatre District, Manhattan")
    expect(answer.locator(".moved")).to_contain_text("PU_DO=230_75")
    page.screenshot(path=output / f"names-{width}.png", full_page=True)
    typed(page, "PULocationID", "Astoriaa")
    expect(page.locator("#ride-PULocationID-error")).to_contain_text(
        "nearest are 7 Astoria, Queens"
    )
    expect(zone).to_be_focused()
    typed(page, "PULocationID", "132")
    typed(page, "trip_distance", "40")
    expect(answer.locator(".headline .tag")).to_have_text("beyond training")
    expect(answer.locator(".sure")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    headline = answer.locator(".headline").inner_text()
    answer.get_by_role("link", name="Link to this prediction").press("Enter")
    page.wait_for_url("**/models/ride?**trip_distance=40")
    expect(page.locator("#ride-answer .headline")).to_have_text(headline)
    expect(page.locator("#ride-trip_distance")).to_have_value("40")


@WIDTHS
def test_a_field_is_varied_and_a_file_answered_by_keyboard(
    open_page: OpenPage, output: Path, tmp_path: Path, width: int
) -> None:
    """A number, a zone and a choice: the slider's steps are the API's answers, each said in words,
    the curve has a name, a step is taken over into the form. Of a file the first rows are shown
    and all can be had; one that is too large is told the batch command. The example's probability
    says how often it came true."""
    page = open_page("/", viewport={"width": width, "height": 900})
    expect(page.locator("#churn-answer .sure")).to_contain_text(
        re.compile(r"150 rows of the test data were given \d+ to \d+\s%; it came true for")
    )
    zones = page.locator('#ride-vary option[value="PULocationID"]')
    zone = json.loads(zones.get_attribute("data-labels") or "")[-1]
    for model, field, last, sent in (
        ("ride", "trip_distance", "9.5", "9.5"),
        ("ride", "PULocationID", zone, zone.partition(" ")[0]),
        ("churn", "contract", "two year", '"two_year"'),
    ):
        what_if = page.locator(f"#{model} details.whatif")
        if what_if.get_attribute("open") is None:
            what_if.locator("summary").press("Enter")
        what_if.get_by_label("Field to vary").select_option(field)
        slider = what_if.get_by_label("Its value")
        told = what_if.locator(".told")
        title = page.locator(f'label[for="{model}-{field}"]').inner_text().split("\n")[0].strip()
        expect(told).to_contain_text(f"{title} ")
        slider.press("End")
        expect(told).to_contain_text(f"{title} {last}: ")
        assert slider.get_attribute("aria-valuetext") == told.inner_text()
        assert ": from " in what_if.get_by_role("img").locator("title").inner_html()
        slider.press("Home")
        expect(told).not_to_contain_text(f" {last}: ")
        slider.press("End")
        what_if.get_by_role("button", name="Predict with this value").press("Enter")
        expect(page.locator(f"#{model}-record")).to_contain_text(f'"{field}": {sent}')
    expect(page.locator("#ride-PULocationID")).to_have_value(zone)

    rides = tmp_path / "rides.csv"
    rows = ["74,75,2.5", "74,x,2.5", *["1,1,4"] * 28]
    rides.write_text("\n".join(["PULocationID,DOLocationID,trip_distance", *rows]))
    part = page.locator("#ride details.file")
    dropped = page.evaluate_handle(
        """text => {
          const held = new DataTransfer();
          held.items.add(new File([text], "one.csv", { type: "text/csv" }));
          return held;
        }""",
        "PULocationID,DOLocationID,trip_distance\n74,75,2.5\n",
    )
    part.dispatch_event("drop", {"dataTransfer": dropped})
    expect(part.locator(".rows")).to_contain_text("1 of 1 rows are answered.")
    expect(part.locator("tbody tr")).to_be_visible()  # by a mouse also where the part was closed
    part.locator("summary").press("Enter")
    expect(part.locator("tbody tr")).to_be_hidden()
    part.locator("summary").press("Enter")
    part.locator("input").set_input_files(rides)
    expect(part.locator(".rows")).to_contain_text("29 of 30 rows are answered; 1 have a problem.")
    expect(part.locator("tbody tr")).to_have_count(20)
    expect(part.locator("tr.refused")).to_contain_text("expected a whole number from 1 to 265")
    with page.expect_download() as download:
        part.get_by_role("link", name="Download all rows as CSV").press("Enter")
    assert download.value.suggested_filename == "rides-answers.csv"
    assert len(Path(download.value.path()).read_text().splitlines()) == 31
    page.screenshot(path=output / f"what-if-{width}.png", full_page=True)
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    large = tmp_path / "large.csv"
    large.write_text("x" * 1_100_000)
    part.locator("input").set_input_files(large)
    expect(part.locator(".rows pre")).to_have_text("python -m batch ride FILE --output scored/")


@WIDTHS
def test_the_other_pages_are_reached_and_read_by_keyboard(
    open_page: OpenPage, output: Path, width: int
) -> None:
    """From the API's page back by our head; the card's wide tables scroll and show an edge, its
    numbers are honest, its versions are told; and what was counted, a curve's records too."""
    page = open_page("/docs", viewport={"width": width, "height": 900})
    expect(page.locator('[data-path="/predict/ride"]')).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Prediction service")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Predictions over HTTP")).to_be_visible()
    what_if = page.locator("#ride details.whatif summary")
    expect(what_if).to_be_visible()  # it is shown by a script
    what_if.press("Enter")
    expect(page.locator("#ride .told")).to_contain_text("minutes")

    page.get_by_role("link", name="Model card: Duration").press("Enter")
    metrics = page.get_by_role("group", name="Metrics of Duration")
    expect(metrics).to_contain_text("0.1\N{NO-BREAK SPACE}% of the real rows are in no metric")
    names = metrics.locator("tbody th").evaluate_all("all => all.map(one => one.firstChild.data)")
    assert names == list(dict.fromkeys(names))
    weights = page.get_by_role("group", name="Features and their numbers")
    expect(weights.locator("thead")).to_contain_text("Effect")
    expect(page.get_by_role("group", name="Versions before")).to_contain_text("Ridge")
    table = page.get_by_role("group", name="Fields of the training data")
    assert table.evaluate("part => getComputedStyle(part).backgroundImage").count("gradient") == 4
    wider = table.evaluate("part => part.scrollWidth > part.clientWidth")
    assert wider or width > 390
    if wider:
        table.press("ArrowRight")
        page.wait_for_function("part => part.scrollLeft > 0", arg=table.element_handle())

    page.get_by_role("link", name="Today").press("Enter")
    expect(page.get_by_role("heading", name="Requests for predictions")).to_be_visible()
    expect(page.get_by_role("table", name="By status")).to_contain_text("200")
    expect(page.get_by_role("table", name="Records answered, by version").first).to_be_visible()
    page.screenshot(path=output / f"today-{width}.png", full_page=True)


@WIDTHS
def test_paper_has_what_can_be_read_on_paper(open_page: OpenPage, output: Path, width: int) -> None:
    """Printed, buttons and what only a screen can do are left out, and the ground is white."""
    page = open_page("/", viewport={"width": width, "height": 900}, color_scheme="dark")
    page.emulate_media(media="print")
    expect(page.locator("#ride-form .actions")).to_be_hidden()
    expect(page.locator("#ride details.file")).to_be_hidden()
    expect(page.locator("#ride-answer .headline")).to_be_visible()
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(255, 255, 255)"
    (output / f"home-print-{width}.pdf").write_bytes(page.pdf())
