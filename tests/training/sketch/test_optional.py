"""Fields that training saw missing may be null: the vectorizer then gets nothing for them, and the
answer is the estimator's own for that."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_extraction import DictVectorizer

from scoring.models import discover
from scoring.predictor import Predictor
from tests.training.sketch.tables import tips
from training import adopt, new

COLUMNS = ["fare", "Vendor Name", "from_zone", "to_zone", "night", "tip"]


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for model files that nobody else sees."""
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv("MODEL_CODE", str(tmp_path / "mine"))
    return tmp_path / "mine"


@pytest.fixture
def holed(tmp_path: Path) -> Path:
    """A table of which each column but one lacks some values."""
    table = tips()[COLUMNS].astype({"night": object, "from_zone": object})
    for place, column in enumerate(COLUMNS[:-1]):
        if column != "to_zone":
            table.loc[table.index % 10 == place, column] = None
    table.to_csv(tmp_path / "holed.csv", index=False)
    return tmp_path / "holed.csv"


def pair_of(folder: Path, model: Any) -> tuple[Any, Any]:
    found: tuple[Any, Any] = pickle.loads((folder / model.artifact_file).read_bytes())
    return found


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["linear", "forest", "boosting", "xgboost"])
def test_a_table_with_holes_makes_fields_that_may_be_null(
    mine: Path, tmp_path: Path, holed: Path, capsys: pytest.CaptureFixture[str], estimator: str
) -> None:
    """Of every kind; null is nothing to the pair, whose own answer it is, compiled or not."""
    words = ["--data", str(holed), "--target", "tip", "--estimator", estimator]
    new.main(["holed", *words, "--output", str(tmp_path / "models")])
    said = capsys.readouterr().out
    assert "Vendor Name: one of 2 categories, or null, missing in 10.0% of the rows" in said
    assert "dropped" not in said
    model = discover()["holed"]
    assert model.nullable == {"fare", "Vendor_Name", "from_zone", "night"}
    predictor = Predictor.from_folder(tmp_path / "models" / "holed", model)
    dv, fitted = pair_of(tmp_path / "models" / "holed", model)
    for name in model.nullable:
        record = {**model.example, name: None}
        features = dict(model.features(predictor.reader.one(dict(record))))
        assert name not in features
        [answer] = predictor.one(record).answers
        assert answer["tip"] == pytest.approx(fitted.predict(dv.transform([features]))[0], rel=1e-5)
    bare = {**model.example, **dict.fromkeys(model.nullable)}
    [answer] = predictor.one(bare).answers
    to_zone = {"to_zone": model.example["to_zone"]}
    assert answer["tip"] == pytest.approx(fitted.predict(dv.transform([to_zone]))[0], rel=1e-5)


@pytest.mark.slow
def test_a_notebook_whose_table_had_holes(mine: Path, tmp_path: Path, holed: Path) -> None:
    """Joined fields too: where one of both is missing, the notebook had no such feature."""
    table = pd.read_csv(holed)
    rows = [made(row) for row in table.to_dict("records")]
    dv = DictVectorizer()
    fitted = RandomForestRegressor(5, random_state=1).fit(dv.fit_transform(rows), table["tip"])
    (tmp_path / "notebook.pkl").write_bytes(pickle.dumps((dv, fitted)))
    words = ["--data", str(holed), "--target", "tip", "--output", str(tmp_path / "models")]
    adopt.main(["tipped", str(tmp_path / "notebook.pkl"), *words])
    model = discover()["tipped"]
    assert model.nullable == {"fare", "Vendor_Name", "from_zone"}
    predictor = Predictor.from_folder(tmp_path / "models" / "tipped", model)
    assert predictor.manifest.metrics["test"]["rows"] == len(table)
    records = [
        {name: None if pd.isna(row[column]) else row[column] for name, column in FIELDS.items()}
        for row in table.astype({"from_zone": object}).to_dict("records")
    ]
    for record in records:
        if record["from_zone"] is not None:
            record["from_zone"] = int(record["from_zone"])
    expected = fitted.predict(dv.transform(rows))
    assert predictor.many(records).scores == pytest.approx(expected.tolist())


FIELDS = {"fare": "fare", "Vendor_Name": "Vendor Name", "from_zone": "from_zone",
          "to_zone": "to_zone"}  # fmt: skip


def made(row: dict[Any, Any]) -> dict[str, Any]:
    """Return what a notebook makes of a row of the table, without what is missing."""
    zones = None if pd.isna(row["from_zone"]) else f"{int(row['from_zone'])}_{row['to_zone']}"
    found = {"fare": row["fare"], "vendor": row["Vendor Name"], "FROM_TO": zones}
    found["vendor_name"] = found.pop("vendor")
    return {name: value for name, value in found.items() if value is not None and value == value}


@pytest.mark.slow
def test_nothing_missing_is_nothing_optional(
    mine: Path, tmp_path: Path, without_plots: None
) -> None:
    """A column without holes stays a field that must be there."""
    tips()[COLUMNS].to_csv(tmp_path / "whole.csv", index=False)
    words = ["--data", str(tmp_path / "whole.csv"), "--target", "tip"]
    new.main(["whole", *words, "--output", str(tmp_path / "models")])
    assert discover()["whole"].nullable == set()
