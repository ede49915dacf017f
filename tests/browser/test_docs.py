"""The interactive API page in a browser: nothing from elsewhere, and it really asks the API."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import WIDTHS, OpenPage

pytestmark = pytest.mark.slow


@WIDTHS
def test_the_api_page_works_offline_and_predicts_by_keyboard(
    open_page: OpenPage, width: int
) -> None:
    """Every model's operation is there, and "Execute" shows the answer of the real service. That no
    request left the machine is what `open_page` watches."""
    page = open_page("/docs", viewport={"width": width, "height": 900})
    for path in ("/predict", "/predict/ride", "/predict/churn", "/models"):
        expect(page.locator(f'[data-path="{path}"]')).to_be_visible()
    ride = page.locator("#operations-predictions-predict_ride")
    ride.locator(".opblock-summary-control").press("Enter")
    expect(ride.locator("textarea")).to_have_value(re.compile("trip_distance"))
    ride.get_by_role("button", name="Execute").press("Enter")
    shown = ride.locator(".live-responses-table .response-col_description pre").first
    expect(shown).to_contain_text("model_version")
    assert json.loads(shown.inner_text())["duration"] >= 0
    expect(ride.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
