"""`python -m training.new`: from a table alone to a model that serves."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scoring.models import discover
from scoring.predictor import Predictor
from serving.app import create_app
from serving.settings import Settings
from tests.training.sketch.tables import tips, write_tips
from training.errors import TrainingError
from training.new import main
from training.sketch.columns import ceiling_of, field_of, floor_of
from training.sketch.model_file import Field, Sketch, text_of
from training.sketch.names import identifier
from training.sketch.table import left_out, sketch_of_table

pytestmark = pytest.mark.usefixtures("without_plots")


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for model files that nobody else sees."""
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv("MODEL_CODE", str(tmp_path / "mine"))
    return tmp_path / "mine"


@pytest.mark.slow
def test_a_table_becomes_a_model_that_serves(
    mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One command: the file, the artifact, and every guess in a line."""
    words = ["--data", str(write_tips(tmp_path)), "--target", "tip"]
    main(["gratuity", *words, "--output", str(tmp_path / "models")])
    said = capsys.readouterr().out
    for line in (
        "tip: a regression",
        "trip_id: left out, it looks like an id: each row has another",
        "Vendor Name: one of 2 categories",
        "night: true or false",
        "currency: left out, it has one value only",
        "comment: left out, it looks like an id: each row has another",
        "tip_cents: left out, it is the target's twin",
        f"wrote {mine / 'gratuity.py'}: look it through",
    ):
        assert line in said.splitlines()
    settings = Settings(models_dir=tmp_path / "models", models=("gratuity",))
    client = create_app(settings).test_client()
    ride = {"fare": 20.0, "Vendor_Name": "CMT", "passengers": 1, "from_zone": 1, "to_zone": 2,
            "night": False, "generous": "Yes"}  # fmt: skip
    answer = client.post("/predict", json=ride).get_json()
    assert answer["tip"] == pytest.approx(7, abs=0.6)
    assert client.get("/", headers={"Accept": "text/html"}).status_code == 200
    assert "Vendor_Name" in client.get("/openapi.json").text
    told = client.post("/predict", json={**ride, "Vendor_Name": "cmt"}).get_json()
    assert told["errors"][0]["field"] == "Vendor_Name"


@pytest.mark.slow
def test_two_words_are_two_classes(mine: Path, tmp_path: Path) -> None:
    """Yes and no; the probability is that of yes."""
    table = tips().drop(columns=["tip", "tip_cents"])
    table.to_csv(tmp_path / "t.csv", index=False)
    main(["generous", "--data", str(tmp_path / "t.csv"), "--target", "generous",
          "--output", str(tmp_path / "models")])  # fmt: skip
    model = discover()["generous"]
    predictor = Predictor.from_folder(tmp_path / "models" / "generous", model)
    small, large = ({**model.example, "fare": fare} for fare in (4.0, 58.0))
    assert predictor.one(small).answers[0]["generous"] is False
    assert predictor.one(large).answers[0]["generous_probability"] > 0.9


@pytest.mark.slow
def test_three_words_are_classes(mine: Path, tmp_path: Path, without_plots: None) -> None:
    """The likeliest and the probability of each; what names the class itself is left out."""
    table = tips().drop(columns=["tip_cents", "generous"])
    size = np.where(table["fare"] < 20, "small", np.where(table["fare"] < 40, "middle", "large"))
    table["size"] = size
    table["size_code"] = pd.Series(size).map({"small": 7, "middle": 3, "large": 9})
    table.to_csv(tmp_path / "t.csv", index=False)
    main(["sizes", "--data", str(tmp_path / "t.csv"), "--target", "size",
          "--output", str(tmp_path / "models")])  # fmt: skip
    model = discover()["sizes"]
    assert model.classes == ("large", "middle", "small")
    assert "size_code" not in model.record.model_fields
    predictor = Predictor.from_folder(tmp_path / "models" / "sizes", model)
    for fare, wanted in ((4.0, "small"), (58.0, "large")):
        [answer] = predictor.one({**model.example, "fare": fare, "tip": fare / 5}).answers
        assert answer["size"] == wanted
        assert answer["probabilities"][wanted] > 0.5


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (lambda table: np.log(table["tip"] + 1), "it is the target's twin"),
        (lambda table: -(table["tip"] ** 3), "it is the target's twin"),
        (lambda table: (table.index + 7000.0).where(table.index > 0), "it looks like an id"),
        (lambda table: table["fare"].rank() // 2, ""),
    ],
    ids=["a logarithm", "a power", "an id with a gap", "an honest column"],
)
def test_a_curve_of_the_target_and_an_id_with_gaps_are_left_out(column: Any, reason: str) -> None:
    """Nobody has the one when they ask, and the other says nothing."""
    table = tips()
    found = left_out(pd.Series(column(table), name="trip_id"), table["tip"])
    assert found.startswith(reason)
    assert bool(found) == bool(reason)


def test_too_many_words_are_no_classes() -> None:
    """Free text is nothing to predict."""
    with pytest.raises(TrainingError, match="holds 400 different texts; numbers are expected, or"):
        sketch_of_table("x", tips(), "comment", "x")


@pytest.mark.slow
def test_a_model_that_cannot_be_trained_leaves_no_file(mine: Path, tmp_path: Path) -> None:
    """Here one that is no better than the mean: its exit status is that of a limit."""
    table = tips()[["passengers"]]
    table["tip"] = np.random.default_rng(3).normal(size=len(table))
    table.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(SystemExit) as caught:
        main(["gratuity", "--data", str(tmp_path / "t.csv"), "--target", "tip"])
    assert caught.value.code == 3
    assert list(mine.glob("*.py")) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ride", "--target", "tip"], "there is a model 'ride' already: python train.py ride"),
        (["gratuity", "--target", "tipp"], r"there is 'tip': was 'tipp' meant"),
        (
            ["gratuity", "--target", "Vendor Name"],
            "holds 'cmt', 'vts'; numbers are expected, or two",
        ),
        (["gratuity", "--target", "currency"], "column currency holds 'usd'; numbers are expected"),
    ],
    ids=["a known model", "no such column", "other words", "one word"],
)
def test_what_cannot_be_predicted_is_refused(
    mine: Path, tmp_path: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was seen, and what is expected; no file is left."""
    with pytest.raises(SystemExit, match=said):
        main([*words, "--data", str(write_tips(tmp_path))])
    assert list(mine.glob("*.py")) == []


@pytest.mark.parametrize("name", ["Tip", "my-tip", "1st", "träge"])
def test_a_name_that_no_model_may_have_is_refused(name: str, mine: Path, tmp_path: Path) -> None:
    """As a wrong use: exit status 2."""
    with pytest.raises(SystemExit) as caught:
        main([name, "--data", "t.csv", "--target", "tip"])
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("fare", "fare"),
        ("Annual Income ($)", "Annual_Income"),
        ("2nd", "x_2nd"),
        ("class", "class_"),
        ("copy", "copy_"),
        ("model_year", "model_year_"),
        ("_private", "private"),
        ("m²", "m2"),
        ("größe", "größe"),
        ("$", "field"),
        ("ﬁeld", "field"),
    ],
)
def test_a_field_has_a_name_that_python_takes(column: str, name: str) -> None:
    """And that pydantic leaves free."""
    assert identifier(column) == name
    assert name.isidentifier()


@pytest.mark.parametrize(
    ("value", "limit"),
    [(72, 200), (5, 10), (0.03, 0.05), (59.94, 100), (1e6, 2e6), (0, 0), (-3, 0)],
)
def test_limits_are_round_numbers_beyond_what_was_seen(value: float, limit: float) -> None:
    """At least a half further."""
    assert ceiling_of(value) == limit
    assert floor_of(-value) == -limit


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2, None], "integer"),
        ([1.5, 2.0], "number"),
        ([True, False], "flag"),
        (["a", "b"], "category"),
        ([f"word {n}" for n in range(60)], "text"),
    ],
)
def test_a_column_has_a_kind(values: list[Any], kind: str) -> None:
    """By what it holds; a missing value is told."""
    field = field_of(pd.Series(values, name="x"))
    assert field.kind == kind
    assert ("missing in 33.3% of the rows" in field.description) == (None in values)


def test_a_table_that_is_too_small_is_refused() -> None:
    """Nothing is guessed from a handful of rows."""
    with pytest.raises(TrainingError, match="x has 10 rows; at least 20 are expected"):
        sketch_of_table("x", tips(10), "tip", "x")


def test_what_a_file_says_of_itself_is_no_code() -> None:
    """Names and categories with quotes, line ends and backslashes stay texts in the model file."""
    evil = 'x"""\nimport os\nos.abort()\n"""\\'
    field = Field(identifier(evil), evil, "category", evil, (evil, "y"), description=evil)
    sketch = Sketch("tip", "regression", evil, [field], {evil: f"record.{field.name}"}, evil)
    tree = ast.parse(text_of(sketch))
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
    assert imported == []
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert calls == {"Field", "Model"}
