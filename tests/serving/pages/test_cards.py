"""Model cards, and what pages make of manifests of every kind."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from markupsafe import escape
from sklearn.ensemble import RandomForestRegressor

from scoring.models import Model, discover
from serving.app import create_app
from serving.settings import Settings
from tests.furnished import furnish
from tests.third_model import HOSTILE, TIPS, app_of
from training.fit.estimators import make

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_the_card_tells_the_whole_story(client: FlaskClient, model: Model) -> None:
    """Intended use, limits, data and period, segments, plots, profile, weights."""
    page = client.get(f"/models/{model.name}/card", headers=HTML)
    assert page.status_code == 200
    for text in (model.intended_use, *model.limits, "the meter was left running", "fitted by hand"):
        assert str(escape(text)) in page.text
    assert "1 January 2021 to 31 January 2021" in page.text
    segment = "1,086" if model.task == "classification" else "trip_distance 0-1"
    assert segment in page.text
    assert "Most frequent" in page.text
    [plot] = re.findall(r'<img src="([^"]*)" alt="Plot from training: ([^"]*)"', page.text)
    assert plot[1] == "error by distance"
    picture = client.get(plot[0])
    assert (picture.status_code, picture.mimetype) == (200, "image/png")
    assert picture.data.startswith(b"\x89PNG")


def test_the_card_shows_the_largest_weights_and_all_as_json(
    client: FlaskClient, model: Model
) -> None:
    """Twenty at most on the page, by size; every one of them in the document."""
    document = client.get(f"/models/{model.name}/weights.json").get_json()
    assert document["kind"] == "weight"
    sizes = [abs(value) for value in document["features"].values()]
    assert sizes == sorted(sizes, reverse=True)
    html = client.get(f"/models/{model.name}/card", headers=HTML).text
    shown = html[html.index('id="features"') :]
    assert shown.count('<tr><th scope="row">') == min(20, len(sizes))
    explained = client.post(f"/predict/{model.name}?explain=true", json=dict(model.example))
    assert document["intercept"] == explained.get_json()["explanation"]["base"]


@pytest.mark.parametrize(
    "file", ["manifest.json", "lin_reg.bin", "..%2fmanifest.json", "nothing.png", "../churn/x.png"]
)
def test_only_plots_are_served_from_a_models_folder(client: FlaskClient, file: str) -> None:
    """Neither the pair nor a path out of the folder: only what was found as a picture at load."""
    assert client.get(f"/models/ride/plots/{file}").status_code == 404


def test_a_false_picture_is_left_out(tmp_path: Path) -> None:
    """A .png that is no PNG, or is too large, is not served, and the model serves all the same."""
    model = discover()["ride"]
    furnish(model, tmp_path)
    (tmp_path / "ride" / "page.png").write_bytes(b"<html>")
    (tmp_path / "ride" / "huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(1024 * 1024))
    (tmp_path / "ride" / "folder.png").mkdir()
    client = create_app(Settings(models_dir=tmp_path, models=("ride",))).test_client()
    for name in ("page", "huge", "folder"):
        assert client.get(f"/models/ride/plots/{name}.png").status_code == 404
    assert client.get("/models/ride/plots/error_by_distance.png").status_code == 200


def test_a_forest_shows_importances_and_an_inexact_explanation(tmp_path: Path) -> None:
    """Where the model is not linear, both pages say so."""
    model = discover()["ride"]
    furnish(model, tmp_path, RandomForestRegressor(n_estimators=3, random_state=1))
    client = create_app(Settings(models_dir=tmp_path, models=("ride",))).test_client()
    assert "An importance says how much" in client.get("/models/ride/card").text
    home = client.get("/", headers=HTML).text
    assert "RandomForestRegressor is not linear" in home
    assert "instead of" in home


def test_an_estimator_without_either_says_so(tmp_path: Path) -> None:
    """No weights, no importances, no profile: each is said in words."""
    model = discover()["ride"]
    furnish(model, tmp_path, _dense_boosting(), profile={}, data={}, metrics={}, baseline={})
    client = create_app(Settings(models_dir=tmp_path, models=("ride",))).test_client()
    card = client.get("/models/ride/card").text
    assert "has neither weights nor importances" in card
    assert "Its manifest holds no metrics" in card
    assert "does not say what it was trained on" in card
    assert "not available for HistGradientBoostingRegressor" in client.get("/", headers=HTML).text
    assert client.get("/models/ride/weights.json").get_json()["kind"] == "none"


def _dense_boosting() -> Any:
    return make("regression", "boosting", {"max_iter": 2}, 1)


def test_what_a_manifest_says_is_text_never_markup(tmp_path: Path) -> None:
    """A hostile manifest and a careless model file end up escaped on every page."""
    facts = {
        "data": {"training": {"name": HOSTILE, "rows": 1, "sha256": "ab" * 32}},
        "notes": [HOSTILE],
        "dropped": {HOSTILE: 1},
        "metrics": {"test": {"rows": 1, HOSTILE: 0.5, "bands": [{"band": HOSTILE, HOSTILE: 1}]}},
        "profile": {HOSTILE: {"most_frequent": [[HOSTILE, 1]]}},
    }
    client = app_of(TIPS, tmp_path, **facts).test_client()
    for page in (
        client.get("/", headers=HTML),
        client.get("/models/tips/card"),
        client.post("/models/tips/try", data={"waiter": HOSTILE, "party": HOSTILE}),
    ):
        assert HOSTILE not in page.text
        assert "&lt;script&gt;" in page.text


@pytest.mark.parametrize(
    "facts",
    [
        {"metrics": {"test": {"rows": 1, "bands": [1, 2], "confusion_matrix": [[1], 2]}}},
        {"metrics": {"test": {"rows": 1, "rmse": None, "bands": "x", "confusion_matrix": 3}}},
        {"profile": {"party": {"most_frequent": [[1]], "min": "x"}, "total": {"quantiles": {}}}},
        {"metrics": {"cross_validation": {"mean": 1.0}}},
    ],
    ids=["odd lists", "odd values", "odd profile", "no held-out data"],
)
def test_an_odd_manifest_breaks_no_page(tmp_path: Path, facts: dict[str, Any]) -> None:
    """What has not the expected shape is left out; the rest is shown."""
    client = app_of(TIPS, tmp_path, **facts).test_client()
    assert client.get("/", headers=HTML).status_code == 200
    assert client.get("/models/tips/card").status_code == 200


def test_a_third_model_has_a_form_and_a_card(tmp_path: Path) -> None:
    """Its booleans and texts become fields, and what is typed becomes JSON of their types."""
    client = app_of(TIPS, tmp_path).test_client()
    typed = {"party": "3", "card": "false", "waiter": "Ann", "total": "80"}
    page = client.post("/models/tips/try", data=typed)
    record = {"party": 3, "card": False, "waiter": "Ann", "total": 80.0}
    tip = client.post("/predict/tips", json=record).get_json()["tip"]
    assert page.status_code == 200
    assert f"{tip:.1f} US dollars" in page.text
    assert '<option value="false" selected>no</option>' in page.text
    assert "Its author has not said what it is for" in client.get("/models/tips/card").text
    wrong = client.post("/models/tips/try", data=typed | {"card": "perhaps"})
    assert "expected true or false" in wrong.text
