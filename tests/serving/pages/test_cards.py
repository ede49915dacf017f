"""Model cards, and what pages make of manifests of every kind."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from markupsafe import escape
from matplotlib.figure import Figure
from sklearn.ensemble import RandomForestRegressor

from scoring.artifact.manifest import Dataset
from scoring.models import Model, discover
from serving.app import create_app
from serving.settings import Settings
from tests.furnished import furnish
from tests.third_model import HOSTILE, TIPS, app_of
from training.fit.estimators import make

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.slow
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
    assert plot[1] == "Error by distance"
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


@pytest.mark.slow
def test_the_card_orders_weights_by_what_they_do(tmp_path: Path) -> None:
    """By weight times spread where the manifest has it: a large weight of a rare pair comes behind.
    Zones are named."""
    model = discover()["ride"]
    furnish(model, tmp_path)
    client = create_app(Settings(models_dir=tmp_path, models=("ride",))).test_client()
    weights = client.get("/models/ride/weights.json").get_json()["features"]
    pair = next(name for name, value in weights.items() if "=" in name and value)
    spread = {pair: 1e-9, "trip_distance": 4.0, "gone": 9.0}
    furnish(model, tmp_path, spread=spread)
    client = create_app(Settings(models_dir=tmp_path, models=("ride",))).test_client()
    html = client.get("/models/ride/card").text
    shown = html[html.index('id="features"') :]
    assert "The 2 of " in shown
    assert shown.index("<code>trip_distance</code>") < shown.index(f"<code>{pair}</code>")
    assert re.search(rf" to [A-Z][^<]* \(<code>{pair}</code>\)", shown)
    assert "gone" not in shown


@pytest.mark.slow
def test_one_wrong_clock_does_not_stretch_the_period(tmp_path: Path) -> None:
    """The days of nearly all rows come first, the ends behind them; alike ends are told once."""
    days: dict[str, Any] = {"first": date(2009, 1, 1), "last": date(2021, 1, 31)}
    usual: dict[str, Any] = {"usual_first": date(2021, 1, 2), "usual_last": date(2021, 1, 31)}
    told: dict[str, Any] = {"name": "x", "rows": 9, "sha256": "ab" * 32}
    alike: dict[str, Any] = {"first": usual["usual_first"], "last": usual["usual_last"]}
    data = {"training": Dataset(**told, **days, **usual), "test": Dataset(**told, **alike, **usual)}
    furnish(discover()["ride"], tmp_path, data=data)
    client = create_app(Settings(models_dir=tmp_path, models=("ride",))).test_client()
    for page in (client.get("/models/ride/card"), client.get("/", headers=HTML)):
        assert (
            "2 January 2021 to 31 January 2021 (98 of 100 rows; the ends are 1 January 2009 and "
            "31 January 2021)" in page.text
        )
    assert "<td>2 January 2021 to 31 January 2021</td>" in client.get("/models/ride/card").text


def test_what_training_left_out_stands_beside_the_metrics(client: FlaskClient) -> None:
    """A share of the real rows has no error that anybody knows: 17 of 12,980."""
    for path in ("/", "/models/ride/card"):
        page = client.get(path, headers=HTML).text
        assert "0.1\u00a0% of the real rows are in no metric: training left them out" in page
    assert "(the meter was left running)" in page


@pytest.mark.slow
def test_what_the_page_says_as_a_table_is_no_plot_again(tmp_path: Path) -> None:
    """The confusion matrix is a table; plots have one name each."""

    def draw(folder: Path) -> None:
        for name in ("confusion_matrix", "roc", "precision_recall"):
            Figure(figsize=(1, 1)).savefig(folder / f"{name}.png")

    furnish(discover()["churn"], tmp_path, draw=draw)
    client = create_app(Settings(models_dir=tmp_path, models=("churn",))).test_client()
    html = client.get("/models/churn/card").text
    names = re.findall(r'alt="Plot from training: ([^"]*)"', html)
    assert names == ["Precision and recall", "ROC"]
    assert "ROC AUC" in html


@pytest.mark.parametrize(
    "file", ["manifest.json", "lin_reg.bin", "..%2fmanifest.json", "nothing.png", "../churn/x.png"]
)
def test_only_plots_are_served_from_a_models_folder(client: FlaskClient, file: str) -> None:
    """Neither the pair nor a path out of the folder: only what was found as a picture at load."""
    assert client.get(f"/models/ride/plots/{file}").status_code == 404


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_forest_shows_importances_and_an_inexact_explanation(tmp_path: Path) -> None:
    """Where the model is not linear, both pages say so."""
    model = discover()["ride"]
    furnish(model, tmp_path, RandomForestRegressor(n_estimators=3, random_state=1))
    client = create_app(Settings(models_dir=tmp_path, models=("ride",))).test_client()
    assert "An importance says how much" in client.get("/models/ride/card").text
    home = client.get("/", headers=HTML).text
    assert "RandomForestRegressor is not linear" in home
    assert "instead of" in home


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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
