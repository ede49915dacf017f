"""A saved model without a model file: one is guessed, and it serves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression

from scoring.models import discover
from scoring.predictor import Predictor
from serving.app import create_app
from serving.settings import Settings
from tests.training.sketch.tables import features, tips, write_notebook, write_tips
from training.adopt import main
from training.adoption.unknown import NOT_MEASURED


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for model files that nobody else sees."""
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv("MODEL_CODE", str(tmp_path / "mine"))
    return tmp_path / "mine"


def adopt(folder: Path, *more: str) -> Predictor:
    main(["tipping", str(folder / "notebook.pkl"), "--output", str(folder / "models"), *more])
    return Predictor.from_folder(folder / "models" / "tipping", discover()["tipping"])


@pytest.mark.slow
def test_a_pickle_and_its_table_are_a_running_page(
    mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The answers are the notebook's, for rows as the table has them; each guess is said."""
    dv, estimator = write_notebook(tmp_path, RandomForestRegressor(5, random_state=1))
    predictor = adopt(tmp_path, "--data", str(write_tips(tmp_path)), "--target", "tip")
    said = capsys.readouterr().out.splitlines()
    for line in (
        "tipping: a regression of tip",
        "FROM_TO: from_zone and to_zone, joined by _",
        "vendor_name: one of 2 categories, in any spelling; the table has them in 100% of its rows",
        "passengers: a whole number, from 1 to 5 in the data",
    ):
        assert line in said
    assert list(predictor.model.record.model_fields) == [
        "from_zone", "to_zone", "Vendor_Name", "fare", "passengers",
    ]  # fmt: skip
    table = tips()
    rows = [
        {"from_zone": row["from_zone"], "to_zone": row["to_zone"], "fare": row["fare"],
         "Vendor_Name": row["Vendor Name"], "passengers": row["passengers"]}
        for row in table.head(50).to_dict("records")
    ]  # fmt: skip
    expected = estimator.predict(dv.transform(features(table.head(50))))
    assert predictor.many(rows).scores == pytest.approx(list(expected))
    metrics = predictor.manifest.metrics["test"]
    assert metrics["rows"] == 400
    assert metrics["rmse"] < predictor.manifest.baseline["test"]["rmse"]
    assert predictor.manifest.notes[1:] == ["measured on tips.csv, which it may have learned from"]
    settings = Settings(models_dir=tmp_path / "models", models=("tipping",))
    client = create_app(settings).test_client()
    assert client.get("/", headers={"Accept": "text/html"}).status_code == 200
    assert "from_zone" in client.get("/openapi.json").text
    answer = client.post("/predict?explain=true", json=rows[0]).get_json()
    assert answer["explanation"]["contributions"]


@pytest.mark.slow
def test_without_a_table_the_columns_tell(
    mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Joined numbers are two fields; the card says that nobody measured it."""
    dv, estimator = write_notebook(tmp_path, LinearRegression())
    predictor = adopt(tmp_path)
    assert "FROM_TO: two whole numbers joined by _: here FROM and TO" in capsys.readouterr().out
    row = {"FROM": 1, "TO": 2, "vendor_name": "cmt", "fare": 20.0, "passengers": 2.0}
    [expected] = estimator.predict(
        dv.transform([{"FROM_TO": "1_2", "vendor_name": "cmt", "fare": 20.0, "passengers": 2.0}])
    )
    assert predictor.one(row).scores == pytest.approx([expected])
    assert NOT_MEASURED in predictor.manifest.notes
    settings = Settings(models_dir=tmp_path / "models", models=("tipping",))
    page = create_app(settings).test_client().get("/models/tipping/card")
    assert NOT_MEASURED in page.text


@pytest.mark.slow
def test_a_classifier_answers_with_a_probability(mine: Path, tmp_path: Path) -> None:
    """And with whether it reaches the threshold."""
    write_notebook(tmp_path, LogisticRegression(max_iter=5000), "generous")
    data = ["--data", str(write_tips(tmp_path)), "--target", "generous"]
    predictor = adopt(tmp_path, *data, "--threshold", "0.3")
    assert predictor.manifest.metrics["test"]["auc"] > 0.9
    answer = predictor.one(dict(predictor.model.example)).answers[0]
    assert answer["generous"] is (answer["generous_probability"] >= 0.3)


def test_several_classes_are_answered_by_their_names(mine: Path, tmp_path: Path) -> None:
    """The likeliest, and the probability of each, as the notebook's own predict_proba has them."""
    share = np.where(tips()["fare"] < 20, "small", np.where(tips()["fare"] < 40, "middle", "large"))
    dv, estimator = write_notebook(tmp_path, RandomForestClassifier(3), share=share)
    predictor = adopt(tmp_path)
    assert predictor.model.classes == ("large", "middle", "small")
    [answer] = predictor.one(dict(predictor.model.example)).answers
    record = predictor.reader.one(dict(predictor.model.example))
    shares = estimator.predict_proba(dv.transform([predictor.model.features(record)]))[0]
    found = answer["probabilities"]
    assert [*found.values()] == pytest.approx(shares)
    assert answer["tipping"] == max(found, key=found.__getitem__)


def test_what_fails_leaves_no_model_file(mine: Path, tmp_path: Path) -> None:
    """Here a table without the target."""
    write_notebook(tmp_path, LinearRegression())
    with pytest.raises(SystemExit, match="columns are missing: tipp"):
        adopt(tmp_path, "--data", str(write_tips(tmp_path)), "--target", "tipp")
    assert list(mine.glob("*.py")) == []


@pytest.mark.slow
def test_it_is_trained_again_by_its_name(mine: Path, tmp_path: Path, without_plots: None) -> None:
    """train.py takes the same table: the columns that the fields were guessed from."""
    from training.run import Options, train

    write_notebook(tmp_path, LinearRegression())
    path = write_tips(tmp_path)
    before = adopt(tmp_path, "--data", str(path), "--target", "tip")
    manifest = train(Options(model=before.model, data=[path], output=tmp_path / "again"))
    assert manifest.feature_names == before.manifest.feature_names
