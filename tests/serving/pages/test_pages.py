"""The pages for people, as a browser without JavaScript gets them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from scoring.models import Model, discover
from serving.app import create_app
from serving.pages.forms import record_of
from serving.settings import Settings

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def found(pattern: str, text: str, flags: int = 0) -> re.Match[str]:
    """Return the first match, which there has to be."""
    match = re.search(pattern, text, flags)
    assert match, pattern
    return match


def _typed(client: FlaskClient, model: Model) -> dict[str, str]:
    """What the form of a model holds, read from the page as a browser does."""
    html = client.get("/", headers=HTML).text
    form = found(rf'<form id="{model.name}-form".*?</form>', html, re.S).group()
    inputs = re.findall(r'<input [^>]*name="(\w+)"[^>]*value="([^"]*)"', form)
    inputs += re.findall(r'<input [^>]*name="(\w+)" type="number" value="([^"]*)"', form)
    chosen = re.findall(
        r'<select [^>]*name="(\w+)".*?<option value="([^"]*)" selected>.*?</select>', form, re.S
    )
    return dict(inputs + chosen)


@pytest.mark.slow
def test_curl_gets_a_short_text_and_a_browser_a_page(client: FlaskClient) -> None:
    """`curl /` names the routes in plain text; who asks for HTML gets HTML."""
    text = client.get("/", headers={"Accept": "*/*"})
    assert (text.status_code, text.mimetype) == (200, "text/plain")
    assert "/predict/ride" in text.text
    page = client.get("/", headers=HTML)
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert page.headers["Vary"] == text.headers["Vary"] == "Accept"


def test_the_page_is_light(client: FlaskClient) -> None:
    """Under 34 kB of HTML for two models, without the names of the zones."""
    html = client.get("/", headers=HTML).data
    most = 18_000 + 8_000 * len(discover())
    assert len(re.sub(rb"<datalist.*?</datalist>", b"", html, flags=re.S)) < most


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/", "/docs", "/models/ride/card", "/models/churn/card"])
def test_a_page_holds_nothing_inline_and_forbids_it(client: FlaskClient, path: str) -> None:
    """No inline script, style or handler, no address of another host, and a policy that says so."""
    page = client.get(path, headers=HTML)
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page.text)
    assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", page.text)


def test_the_example_is_filled_in_and_answered(client: FlaskClient, model: Model) -> None:
    """Each form holds the model's example, and beside it is what the API answers to it."""
    assert record_of(model, _typed(client, model)) == dict(model.example)
    answer = client.post(f"/predict/{model.name}", json=dict(model.example)).json
    html = client.get("/", headers=HTML).text
    shown = found(rf'id="{model.name}-json" data-live>(.*?)</code>', html, re.S).group(1)
    assert json.loads(shown.replace("&#34;", '"')) == answer


def test_a_form_is_answered_without_javascript(client: FlaskClient) -> None:
    """What is typed comes back in the fields, a part of a name as the whole one, with its
    prediction and what moved it."""
    typed = {"PULocationID": "JFK", "DOLocationID": "7 Astoria, Queens", "trip_distance": "3.5"}
    page = client.post("/models/ride/try", data=typed)
    record = {"PULocationID": 132, "DOLocationID": 7, "trip_distance": 3.5}
    minutes = client.post("/predict/ride", json=record).get_json()["duration"]
    assert page.status_code == 200
    assert f'<p class="headline">{minutes:.0f} minutes</p>' in page.text
    assert "Distance: 3.5" in page.text
    assert _value_of(page.text, "PULocationID") == "132 JFK Airport, Queens"


def _value_of(html: str, name: str) -> str:
    return found(rf'name="{name}"[^>]*value="([^"]*)"', html).group(1)


def test_errors_stand_beside_their_fields(client: FlaskClient) -> None:
    """A bad form is a 422 page: each bad field is marked, described by its error, and kept."""
    typed = {"PULocationID": "Atlantis", "DOLocationID": "", "trip_distance": "400"}
    page = client.post("/models/ride/try", data=typed)
    assert page.status_code == 422
    for name, error in {
        "PULocationID": "there is no &#39;Atlantis&#39; in the list; nearest are 91 Flatlands, "
        "Brooklyn; 90 Flatiron, Manhattan",
        "DOLocationID": "missing; expected a whole number from 1 to 265",
        "trip_distance": "expected a number from 0 to 100, got 400",
    }.items():
        element = found(rf'<input id="ride-{name}"[^>]*>', page.text).group()
        assert 'aria-invalid="true"' in element
        assert f"ride-{name}-error" in element
        assert re.search(rf'id="ride-{name}-error" data-live>{error}</p>', page.text)
    assert _value_of(page.text, "PULocationID") == "Atlantis"
    assert "3 fields to correct" in page.text


def test_a_choice_that_there_is_not_is_shown_and_refused(client: FlaskClient) -> None:
    """A select keeps what was sent, so that the page shows what it judges."""
    typed = _typed(client, discover()["churn"]) | {"contract": "weekly"}
    page = client.post("/models/churn/try", data=typed)
    assert page.status_code == 422
    assert '<option value="weekly" selected>weekly</option>' in page.text


def test_unseen_categories_are_pointed_out(client: FlaskClient) -> None:
    """The answer names the pair of zones that training never saw, by name and number."""
    typed = {"PULocationID": "100", "DOLocationID": "264", "trip_distance": "1"}
    page = client.post("/models/ride/try", data=typed)
    assert (
        "Training never saw Garment District to Unknown (<code>PU_DO=100_264</code>)" in page.text
    )


def test_a_name_that_several_zones_have_is_answered_with_them(client: FlaskClient) -> None:
    """Three zones hold "airport": the error names them."""
    typed = {"PULocationID": "airport", "DOLocationID": "park", "trip_distance": "1"}
    page = client.post("/models/ride/try", data=typed)
    assert "1 Newark Airport, EWR; 132 JFK Airport, Queens; 138 LaGuardia" in page.text
    assert re.search(r"&#39;park&#39; is in several names: [^<]* and \d+ more", page.text)


def test_a_number_beyond_training_says_so_beside_the_answer(client: FlaskClient) -> None:
    """A tag at the answer, the ends that training had, and no typical error, which it has not."""
    typed = {"PULocationID": "74", "DOLocationID": "75", "trip_distance": "40"}
    page = client.post("/models/ride/try", data=typed).text
    assert ' <span class="tag">beyond training</span></p>' in page
    assert "Training had Distance from 0 to 9.5 only (<code>trip_distance=40</code>)" in page
    assert "Typically off" not in found(r'id="ride-answer".*?</div>', page, re.S).group()


def test_a_prediction_has_a_link_that_shows_it_again(client: FlaskClient, model: Model) -> None:
    """The link beside an answer holds the record: a browser gets that model's page with it, a
    program the model's description."""
    html = client.get("/", headers=HTML).text
    link = found(rf'<a href="(/models/{model.name}\?[^"]+)">Link', html).group(1)
    link = link.replace("&amp;", "&")
    page = client.get(link, headers=HTML)
    assert page.status_code == 200
    assert re.findall(r'<form id="(\w+)-form"', page.text) == [model.name]
    shown = rf'id="{model.name}-json" data-live>(.*?)</code>'
    assert found(shown, page.text, re.S).group(1) == found(shown, html, re.S).group(1)
    assert client.get(link).get_json()["name"] == model.name
    assert client.get(f"/models/{model.name}", headers=HTML).mimetype == "application/json"


def test_a_link_that_is_no_record_shows_what_is_wrong(client: FlaskClient) -> None:
    """A link may be cut off in a mail: a 422 page with the errors beside the fields."""
    page = client.get("/models/ride?PULocationID=74&trip_distance=far", headers=HTML)
    assert (page.status_code, page.headers["Vary"]) == (422, "Accept")
    assert "2 fields to correct" in page.text


def test_a_form_of_no_model_is_a_404(client: FlaskClient) -> None:
    """As with every other route, the problem names the models that there are."""
    answer = client.post("/models/tips/try", data={})
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def test_the_page_says_what_is_served_and_how_well(client: FlaskClient, model: Model) -> None:
    """Version, data, days and the metrics of the test data next to the trivial model's."""
    html = client.get("/", headers=HTML).text
    version = client.get(f"/models/{model.name}").get_json()["version"]
    assert f"<code>{version}</code>" in html
    assert "4,321 rows of sample.parquet, 1 January 2021 to 31 January 2021" in html
    metric = "ROC AUC" if model.task == "classification" else "RMSE (minutes)"
    value = "0.861" if model.task == "classification" else "7.05"
    assert re.search(rf"{re.escape(metric)}<small>.*?</th><td>{value}</td><td>2.5</td>", html)


def test_assets_are_kept_for_good_under_the_address_of_their_content(client: FlaskClient) -> None:
    """A page names them by their digest; another digest is served, but not for keeping."""
    html = client.get("/", headers=HTML).text + client.get("/docs", headers=HTML).text
    addresses = set(re.findall(r'(?:src|href)="([^"#]*assets/[^"]*)"', html))
    assert {address.rpartition("/")[2] for address in addresses} == {
        *("head.css", "site.css", "key.js", "icon.svg"),
        *("home.js", "combobox.js", "whatif.js", "file.js"),
        *("docs.css", "docs.js", "swagger-ui.css", "swagger-ui-bundle.js"),
    }
    for address in addresses:
        with client.get(address) as answer:
            assert answer.status_code == 200
            assert "immutable" in answer.headers["Cache-Control"]
        folder, _, file = address.rpartition("/")
        with client.get(f"{folder[:-1]}x/{file}") as answer:
            assert answer.headers["Cache-Control"] == "no-cache"
        assert client.get(f"{folder}/settings.py").status_code == 404


@pytest.mark.parametrize("path", ["/docs", "/models/ride/card", "/models/ride/weights.json"])
def test_pages_off_leaves_a_text_and_the_api(models_dir: Path, path: str) -> None:
    """PAGES=off: `/` is a short text even for a browser, and programs notice nothing."""
    settings = Settings.from_env({"MODELS_DIR": str(models_dir), "PAGES": "off"})
    app = create_app(settings)
    client = app.test_client()
    assert client.get("/", headers=HTML).mimetype == "text/plain"
    assert client.get(path).status_code == 404
    assert client.get("/openapi.json").status_code == 200
    example = dict(discover()["ride"].example)
    assert client.post("/predict", json=example).status_code == 200


def test_the_pages_cost_the_prediction_path_nothing(app: Flask, models_dir: Path) -> None:
    """With the pages on, the same functions run around a prediction as with them off."""
    off = create_app(Settings(models_dir=models_dir, pages="off"))
    for name in ("before_request_funcs", "after_request_funcs", "teardown_request_funcs"):
        with_pages = {key: len(value) for key, value in getattr(app, name).items()}
        assert with_pages == {key: len(value) for key, value in getattr(off, name).items()}
