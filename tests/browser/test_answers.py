"""What stands beside an answer, by keyboard alone, on a desk's and on a telephone's screen."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.test_accessibility import faults

pytestmark = pytest.mark.slow

WIDTHS = pytest.mark.parametrize("width", [1280, 390])
REFUSED = "422 (Unprocessable Entity)"


def typed(page: Page, name: str, text: str) -> None:
    """Fill a field and send the form, both by keyboard."""
    field = page.locator(f"#ride-{name}")
    field.focus()
    page.keyboard.press("Control+A")
    page.keyboard.type(text)
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")


@WIDTHS
def test_zones_are_told_by_name(open_page: OpenPage, output: Path, width: int) -> None:
    """A part of a name becomes the whole one; the pair is explained and warned of by name; a zone
    that there is not has the nearest beside it."""
    page = open_page("/", expect=REFUSED, viewport={"width": width, "height": 900})
    answer = page.locator("#ride-answer")
    typed(page, "PULocationID", "times sq")
    expect(page.locator("#ride-PULocationID")).to_have_value(
        "230 Times Sq/Theatre District, Manhattan"
    )
    expect(answer.locator(".unseen")).to_contain_text("Times Sq/Theatre District to ")
    expect(answer.locator(".moved")).to_contain_text("PU_DO=230_")
    typed(page, "PULocationID", "Astoriaa")
    expect(page.locator("#ride-PULocationID-error")).to_contain_text(
        "nearest are 7 Astoria, Queens"
    )
    expect(page.locator("#ride-PULocationID")).to_be_focused()
    page.screenshot(path=output / f"names-{width}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@WIDTHS
def test_an_answer_says_how_sure_it_is_and_has_a_link(open_page: OpenPage, width: int) -> None:
    """The typical error stands below the answer; beyond training that is said instead. Another tab
    with the link shows the same."""
    page = open_page("/", viewport={"width": width, "height": 900})
    answer = page.locator("#ride-answer")
    typed(page, "trip_distance", "0.5")
    expect(answer).to_contain_text("Typically off by 3 minutes (Distance 0 to 1")
    typed(page, "trip_distance", "40")
    expect(answer.locator(".headline .tag")).to_have_text("beyond training")
    headline = answer.locator(".headline").inner_text()
    link = answer.get_by_role("link", name="Link to this prediction")
    link.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/models/ride?**trip_distance=40")
    expect(page.locator("#ride-answer .headline")).to_have_text(headline)
    expect(page.locator("#ride-trip_distance")).to_have_value("40")


@WIDTHS
def test_one_field_is_varied_with_the_keyboard(
    open_page: OpenPage, output: Path, width: int
) -> None:
    """The slider's steps are the API's answers, each said in words; the curve has a name; a step
    is taken over into the form. axe finds nothing serious."""
    page = open_page("/", viewport={"width": width, "height": 900})
    for model, field, last in (("ride", "trip_distance", "9.5"), ("churn", "contract", "two year")):
        what_if = page.locator(f"#{model} details.whatif")
        what_if.locator("summary").focus()
        page.keyboard.press("Enter")
        what_if.get_by_label("Field to vary").select_option(field)
        slider = what_if.get_by_label("Its value")
        told = what_if.locator(".told")
        expect(told).to_contain_text(": ")
        slider.focus()
        page.keyboard.press("End")
        expect(told).to_contain_text(f" {last}: ")
        assert slider.get_attribute("aria-valuetext") == told.inner_text()
        assert what_if.get_by_role("img").locator("title").inner_html().count(" to ") >= 2
        page.keyboard.press("Home")
        expect(told).not_to_contain_text(f" {last}: ")
        page.keyboard.press("End")
        what_if.get_by_role("button", name="Predict with this value").press("Enter")
        sent = {"trip_distance": "9.5", "contract": '"two_year"'}[field]
        expect(page.locator(f"#{model}-record")).to_contain_text(f'"{field}": {sent}')
    page.screenshot(path=output / f"what-if-{width}.png", full_page=True)
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@WIDTHS
def test_a_file_of_records_is_answered(
    open_page: OpenPage, output: Path, tmp_path: Path, width: int
) -> None:
    """A CSV is chosen: its first rows with answers and problems, and all of them to download. One
    that is too large is told the batch command."""
    rides = tmp_path / "rides.csv"
    rows = ["74,75,2.5", "74,x,2.5", *["1,1,4"] * 28]
    rides.write_text("\n".join(["PULocationID,DOLocationID,trip_distance", *rows]))
    page = open_page("/", viewport={"width": width, "height": 900})
    part = page.locator("#ride details.file")
    part.locator("summary").focus()
    page.keyboard.press("Enter")
    part.locator("input").set_input_files(rides)
    expect(part.locator(".rows")).to_contain_text("29 of 30 rows are answered; 1 have a problem.")
    expect(part.locator("tbody tr")).to_have_count(20)
    expect(part.locator("tr.refused")).to_contain_text("expected a whole number from 1 to 265")
    link = part.get_by_role("link", name="Download all rows as CSV")
    link.focus()
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "rides-answers.csv"
    assert len(Path(download.value.path()).read_text().splitlines()) == 31
    page.screenshot(path=output / f"file-{width}.png", full_page=True)
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    large = tmp_path / "large.csv"
    large.write_text("x" * 1_100_000)
    part.locator("input").set_input_files(large)
    expect(part.locator(".rows pre")).to_have_text("python -m batch ride FILE --output scored/")


@WIDTHS
def test_enter_brings_the_answer_into_view(open_page: OpenPage, width: int) -> None:
    """On a telephone the answer lies below the fields: after Enter it is on the screen."""
    page = open_page("/", viewport={"width": width, "height": 500})
    page.locator("#ride-PULocationID").scroll_into_view_if_needed()
    typed(page, "trip_distance", "3")
    expect(page.locator("#ride-answer .moved")).to_contain_text("Distance: 3")
    expect(page.locator("#ride-answer .headline")).to_be_in_viewport()


def test_a_wide_table_has_an_edge_where_it_scrolls(open_page: OpenPage) -> None:
    """On a telephone the table of the card is wider than the screen: its edge is darker, and the
    keyboard scrolls it."""
    page = open_page("/models/ride/card", viewport={"width": 390, "height": 900})
    table = page.get_by_role("group", name="Fields of the training data")
    assert table.evaluate("part => part.scrollWidth > part.clientWidth")
    assert table.evaluate("part => getComputedStyle(part).backgroundImage").count("gradient") == 4
    table.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("part => part.scrollLeft > 0", arg=table.element_handle())


def test_paper_has_what_can_be_read_on_paper(open_page: OpenPage, output: Path) -> None:
    """Printed, buttons and what only a screen can do are left out, and the ground is white."""
    page = open_page("/", color_scheme="dark")
    page.emulate_media(media="print")
    expect(page.locator("#ride-form .actions")).to_be_hidden()
    expect(page.locator("#ride details.file")).to_be_hidden()
    expect(page.locator("#ride-answer .headline")).to_be_visible()
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(255, 255, 255)"
    (output / "home-print.pdf").write_bytes(page.pdf())


@WIDTHS
def test_today_shows_what_was_counted(open_page: OpenPage, output: Path, width: int) -> None:
    """Reached from every page by its head; the form's own record is not counted, a curve's are."""
    page = open_page("/", viewport={"width": width, "height": 900})
    page.locator("#ride details.whatif summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#ride .told")).to_contain_text("minutes")
    page.get_by_role("link", name="Today").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Requests for predictions")).to_be_visible()
    expect(page.get_by_role("table", name="By status")).to_contain_text("200")
    expect(page.get_by_role("table", name="Records answered, by version").first).to_be_visible()
    page.screenshot(path=output / f"today-{width}.png", full_page=True)
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
