"""PMML: what the file says of its fields, and what readers other than its judge make of it."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.programs import skip_or_fail
from tests.training.export.exported import MODELS, form_of, predictor_of
from training.export.form import ExportError, Form
from training.export.judges import NotJudged
from training.export.pmml_fields import text_of
from training.export.pmml_file import pmml_files
from training.export.pmml_judge import run_judge
from training.export.trials import trials

SPACE = {"p": "http://www.dmg.org/PMML-4_4"}


def document(form: Form) -> ET.Element:
    return ET.fromstring(pmml_files(form)["model.pmml"])


def test_the_dictionary_has_the_records_limits() -> None:
    """Intervals and values, so that another engine refuses what the service refuses."""
    root = document(form_of("shop", "linear"))
    assert root.get("version") == "4.4"
    fields = {one.get("name"): one for one in root.findall("p:DataDictionary/p:DataField", SPACE)}
    [pieces] = fields["pieces"].findall("p:Interval", SPACE)
    assert pieces.attrib == {"closure": "openOpen", "leftMargin": "0", "rightMargin": "100"}
    [price] = fields["price"].findall("p:Interval", SPACE)
    assert price.attrib == {"closure": "closedClosed", "leftMargin": "0.0"}
    colours = [one.get("value") for one in fields["colour"].findall("p:Value", SPACE)]
    assert colours == ["dark blue", "red"]
    assert "waiter" not in fields
    schema = {one.get("name"): one.attrib for one in root.findall("*/p:MiningSchema/*", SPACE)}
    assert schema["price"]["missingValueTreatment"] == "returnInvalid"
    assert "missingValueTreatment" not in schema["weight"]
    assert {one["invalidValueTreatment"] for name, one in schema.items() if name in fields
            and one.get("usageType") != "target"} == {"returnInvalid"}  # fmt: skip


@pytest.mark.parametrize("name", ["ride", "flowers"])
def test_the_file_holds_records_to_verify_it_with(name: str) -> None:
    """The golden ones first, with the service's score, or its probability of each class."""
    form = form_of(name, "linear")
    checks = document(form).find("*/p:ModelVerification", SPACE)
    assert checks is not None
    columns = {
        one.get("field"): one.get("column")
        for one in checks.findall("p:VerificationFields/*", SPACE)
    }
    rows = checks.findall("p:InlineTable/p:row", SPACE)
    assert len(rows) == int(checks.get("recordCount", 0)) == 20
    cells = {cell.tag.partition("}")[2]: cell.text for cell in rows[0]}
    [score] = predictor_of(name, "linear").one(MODELS[name].example).scores
    said = [
        float(cells[str(column)] or "nan")
        for field, column in columns.items()
        if str(field).startswith(("score", "probability("))
    ]
    assert max(said) == pytest.approx(float(score), rel=1e-12)
    assert len(said) == max(1, len(form.classes))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "reader", "tolerance"),
    [
        ("sample", "linear_model.PMMLLogisticRegression", 1e-9),
        ("boosting", "ensemble.PMMLGradientBoostingClassifier", 1e-6),
    ],
)
@pytest.mark.usefixtures("one_thread")
def test_sklearn_pmml_model_scores_as_the_service(
    kind: str, reader: str, tolerance: float, tmp_path: Path
) -> None:
    """A reader that takes fields as they are, and numbers as those of 32 bits: customers, whose
    features are the fields."""
    form = form_of("churn", kind)
    (tmp_path / "model.pmml").write_bytes(pmml_files(form)["model.pmml"])
    records = [
        {name: float(np.float32(x)) if type(x) is float else x for name, x in record.items()}
        for record in trials(form, 400)
    ]
    if kind != "boosting":  # whose made-up charges make nearly every customer a certain one
        usual = ({"tenure": n % 70, "totalcharges": n + 0.5} for n in range(len(records)))
        records = [one | more for one, more in zip(records, usual, strict=True)]
    module, _, name = reader.rpartition(".")
    script = tmp_path / "read.py"
    script.write_text(
        f"""
import json
import pandas
from sklearn_pmml_model.{module} import {name}

model = {name}("model.pmml")
records = pandas.DataFrame(json.load(open("records.json")))
positive = [*model.classes_].index("1")
json.dump(model.predict_proba(records)[:, positive].tolist(), open("scored.json", "w"))
"""
    )
    (tmp_path / "records.json").write_text(json.dumps(records))
    try:
        run_judge(script, tmp_path)
    except NotJudged as reason:
        skip_or_fail(str(reason))
    scored = json.loads((tmp_path / "scored.json").read_text())
    wanted = predictor_of("churn", kind).many(records).scores
    assert len({*np.round(wanted, 6)}) > 10
    np.testing.assert_allclose(scored, wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("text", ["a\0b", "\x1b", "\ufffe", "\ud800"], ids=ascii)
def test_what_xml_does_not_hold_is_refused(text: str) -> None:
    """By the text itself; anything else goes out and comes back."""
    with pytest.raises(ExportError, match="has a character that XML does not hold"):
        text_of(text)
    assert text_of("tab\t \U0001f600") == "tab\t \U0001f600"


@pytest.mark.slow
def test_a_script_that_fails_is_quoted(tmp_path: Path) -> None:
    """With its own words."""
    script = tmp_path / "bad.py"
    script.write_text("raise SystemExit('a reason')")
    try:
        with pytest.raises(ExportError, match="bad.py fails: a reason"):
            run_judge(script, tmp_path)
    except NotJudged as reason:
        skip_or_fail(str(reason))


def test_without_the_judges_the_way_to_them_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A make target."""
    monkeypatch.setattr("sys.prefix", str(tmp_path / "venv"))
    with pytest.raises(NotJudged, match="pypmml is not installed: make pmml-judges"):
        run_judge(tmp_path / "x.py", tmp_path)


def test_a_tree_that_is_too_deep_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the depth, and the parameter that would do."""
    monkeypatch.setattr("training.export.pmml_trees._DEEPEST", 2)
    form: Any = form_of("ride", "forest")
    with pytest.raises(ExportError, match="deeper than 2 nodes, which PMML does not nest"):
        pmml_files(form)
