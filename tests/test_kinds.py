"""Each kind of field through each door: trained by train.py's own way, predicted by JSON, the fast
path, forms, CSV, JSON lines, V2 and batch, with the answer that scikit-learn gives itself."""

from __future__ import annotations

import csv
import html
import io
import json
import pickle
import re
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batch.columns.score import TableScorer
from batch.inputs.csv_block import CsvParser
from batch.inputs.json_block import JsonParser
from batch.inputs.rows import Rows
from scoring.cells import cell, kinds
from scoring.engine import Predictors
from scoring.field_kinds import check_record
from scoring.predictor import Predictor
from scoring.values.strict_json import encode
from serving.app import App, create_app
from serving.http.reply import reply
from serving.pages import forms
from serving.protocols.v2 import metadata
from serving.settings import Settings
from tests.kinds import EVERYTHING, REFUSED, VALUES, Everything, table
from tests.support import ROOT, wait_for
from tests.support.schemas import check_openapi, json_schema
from tests.training.support import silent
from training.run import train

EXAMPLE: Final = dict(EVERYTHING.example)
CASES: Final = [{**EXAMPLE, name: value} for name, values in VALUES.items() for value in values] + [
    {**EXAMPLE, **dict.fromkeys(sorted(EVERYTHING.nullable))}
]
NAMES: Final = [f"{name}-{value}" for name, values in VALUES.items() for value in values] + ["bare"]
STRANGE: Final[list[Any]] = [[], {}, {"a": 1}]
HEADERS: Final = {"Content-Type": "application/json"}


@pytest.fixture(scope="module", params=["linear", "forest", "boosting", "xgboost"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train the model on a CSV, and return the folder of its artifact."""
    folder = tmp_path_factory.mktemp(request.param)
    table().to_csv(folder / "rows.csv", index=False)
    few = {"forest": {"n_estimators": 5}, "boosting": {"max_iter": 5}}.get(request.param, {})
    options = silent(
        EVERYTHING, folder / "rows.csv", folder, estimator=request.param, parameters=few, force=True
    )
    train(options)
    return folder / "everything"


@pytest.fixture(scope="module")
def predictor(folder: Path) -> Predictor:
    return Predictor.from_folder(folder, EVERYTHING)


@pytest.fixture(scope="module")
def app(predictor: Predictor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    log = tmp_path_factory.mktemp("log") / "predictions.jsonl"
    made = create_app(Settings(prediction_log=log), Predictors({"everything": predictor}))
    yield made
    made.services.observer.stop()


@pytest.fixture(scope="module")
def expected(folder: Path) -> list[float]:
    """What the pair itself gives, in two lines of scikit-learn, for each of CASES."""
    vectorizer, estimator = pickle.loads((folder / EVERYTHING.artifact_file).read_bytes())
    rows = []
    for values in CASES:
        made = EVERYTHING.features.made(Everything.model_validate(values))  # type: ignore[attr-defined]  # as its author wrote it
        plain = {n: v.value if isinstance(v, Enum) else v for n, v in made.items()}
        rows.append({name: value for name, value in plain.items() if value is not None})
    found: list[float] = estimator.predict(vectorizer.transform(rows)).tolist()
    return found


def csv_of(cases: list[dict[str, Any]]) -> bytes:
    """Return records as CSV, with a line of names."""
    lines = [list(EXAMPLE), *([cell(case[name]) for name in EXAMPLE] for case in cases)]
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n").writerows(lines)
    return file.getvalue().encode()


def of_json(app: App, _: Predictor) -> list[Any]:
    client = app.test_client()
    return [client.post("/predict/everything", json=case).get_json() for case in CASES]


def of_the_fast_path(app: App, predictor: Predictor) -> list[Any]:
    limits = app.services.settings.limits
    made = [reply(predictor, encode(case), limits=limits) for case in CASES]
    return [json.loads(answer.body) for answer in made]


def of_an_array(app: App, _: Predictor) -> list[Any]:
    found = app.test_client().post("/predict/everything", json=CASES).get_json()["predictions"]
    return list(found)


def of_csv(app: App, _: Predictor) -> list[Any]:
    text = csv_of(CASES)
    sent = app.test_client().post("/invocations", data=text, content_type="text/csv")
    return list(sent.get_json()["predictions"])


def of_json_lines(app: App, _: Predictor) -> list[Any]:
    text = b"".join(map(encode, CASES))
    kind = "application/jsonlines"
    sent = app.test_client().post("/invocations", data=text, content_type=kind)
    return list(sent.get_json()["predictions"])


def of_v2(app: App, _: Predictor) -> list[Any]:
    inputs = [
        described | {"shape": [len(CASES)], "data": [case[described["name"]] for case in CASES]}
        for described in metadata(EVERYTHING, [])["inputs"]
    ]
    sent = app.test_client().post("/v2/models/everything/infer", json={"inputs": inputs})
    found = {output["name"]: output["data"] for output in sent.get_json()["outputs"]}
    for told in ("unseen", "beyond"):
        found[told] = list(map(json.loads, found[told]))
    rows = [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]
    return [{k: v for k, v in row.items() if v != []} for row in rows]


def of_the_form(app: App, _: Predictor) -> list[Any]:
    client, found = app.test_client(), []
    for case in CASES:
        typed = forms.texts(EVERYTHING, case)
        page = client.post("/models/everything/try", data=typed).text
        [shown] = re.findall(r'<code id="everything-json" data-live>(.*?)</code>', page, re.DOTALL)
        found.append(json.loads(html.unescape(shown)))
    return found


def _scored(predictor: Predictor, rows: Rows) -> list[Any]:
    columns = {name: rows.batch.column(name) for name in EXAMPLE}
    got = TableScorer(predictor).score(columns, rows.batch.num_rows, rows.read_row)
    assert got.rejected == [] or got.rejected == ()
    found = {name: column.to_pylist() for name, column in got.answers.items()}
    found |= {"unseen": got.unseen.to_pylist(), "beyond": got.beyond.to_pylist()}
    made = [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]
    return [{k: v for k, v in row.items() if v != []} for row in made]


def of_batch_csv(_: App, predictor: Predictor) -> list[Any]:
    lines = csv_of(CASES).partition(b"\n")[2]
    fields = kinds(EVERYTHING.record)
    return _scored(predictor, CsvParser(list(EXAMPLE), fields, (), ",", "a.csv")(lines, 2))


def of_batch_json(_: App, predictor: Predictor) -> list[Any]:
    parser = JsonParser(kinds(EVERYTHING.record), {}, "a.jsonl")
    return _scored(predictor, parser(b"".join(map(encode, CASES)), 1))


def of_batch_parquet(_: App, predictor: Predictor) -> list[Any]:
    """As Arrow has them: dates as dates, times as timestamps, texts as dictionaries or not."""
    columns = {}
    for name in EXAMPLE:
        values = [case[name] for case in CASES]
        if name in ("day", "maybe_day"):
            column = pa.array(pd.to_datetime(pd.Series(values)).dt.date, pa.date32())
        elif name == "colour":
            column = pa.array(values).dictionary_encode()
        else:
            column = pa.array(values)
        columns[name] = column
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    batch = pq.read_table(file).combine_chunks().to_batches()[0]
    return _scored(predictor, Rows(batch, lambda places: places))


DOORS: Final[list[Callable[[App, Predictor], list[Any]]]] = [
    of_json, of_the_fast_path, of_an_array, of_csv, of_json_lines, of_v2, of_the_form,
    of_batch_csv, of_batch_json, of_batch_parquet,
]  # fmt: skip


def test_each_kind_is_tried() -> None:
    """Every field has values, and the record is one that a model file may have."""
    check_record(Everything)
    assert list(VALUES) == list(Everything.model_fields) == list(EXAMPLE)


@pytest.mark.slow
@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_each_kind_through_each_door(
    app: App, predictor: Predictor, expected: list[float], door: Callable[..., list[Any]]
) -> None:
    """The estimator's own answer, whichever way a record comes; None is nothing to it."""
    reference = [predictor.one(case).answers[0] for case in CASES]
    got = door(app, predictor)
    for name, score, same, answer in zip(NAMES, expected, reference, got, strict=True):
        answer.pop("model_version", None)
        assert answer == same, name
        assert answer["amount"] == pytest.approx(score, rel=1e-5), name
        assert answer["verdict"] == ("much" if answer["amount"] > 40 else "little")


@pytest.mark.slow
@pytest.mark.parametrize("name", REFUSED)
def test_each_kind_refuses_what_it_is_not(app: App, name: str) -> None:
    """By JSON, with the same words by V2 and CSV."""
    value, words = REFUSED[name]
    client, wrong = app.test_client(), {**EXAMPLE, name: value}
    refused = client.post("/predict/everything", json=wrong)
    assert refused.get_json()["errors"] == [{"field": name, "problem": words}]
    by_csv = client.post("/invocations", data=csv_of([wrong]), content_type="text/csv").get_json()
    assert by_csv["errors"] == [{"field": f"[0].{name}", "problem": words}]


@pytest.mark.slow
def test_nothing_else_is_taken(app: App) -> None:
    """Neither NaN, nor true for 1, nor a number for a text, a date or a truth value."""
    client = app.test_client()
    for name in EXAMPLE:
        for strange in STRANGE:
            sent = client.post("/predict", json={**EXAMPLE, name: strange})
            assert sent.status_code == 422, name
        if "bool" not in name and name != "loud":
            assert client.post("/predict", json={**EXAMPLE, name: True}).status_code == 422, name
        if name not in EVERYTHING.nullable:
            assert client.post("/predict", json={**EXAMPLE, name: None}).status_code == 422, name
        if isinstance(EXAMPLE[name], str | bool):
            assert client.post("/predict", json={**EXAMPLE, name: 1}).status_code == 422, name
        nan = json.dumps({**EXAMPLE, name: float("nan")})
        assert client.post("/predict", data=nan, headers=HEADERS).status_code == 400, name


@pytest.mark.slow
def test_the_documents_describe_each_kind(app: App) -> None:
    """OpenAPI is valid and holds the example; pages, catalogue and V2's metadata are there."""
    client = app.test_client()
    document = client.get("/openapi.json").get_json()
    check_openapi(document)
    schema = {**document["components"]["schemas"]["EverythingRecord"], **document}
    for case in CASES:
        json_schema(schema).validate(case)
    assert "cannot be shown" not in client.get("/", headers={"Accept": "text/html"}).text
    assert client.get("/models/everything/card").status_code == 200
    assert client.get("/models").get_json()["models"][0]["example"] == EXAMPLE
    assert client.get("/v2/models/everything").status_code == 200
    assert client.get("/metrics").status_code == 200


@pytest.mark.slow
def test_each_kind_is_explained(app: App) -> None:
    """What moved the prediction is JSON, whatever the record holds."""
    client = app.test_client()
    for case in CASES:
        answer = client.post("/predict/everything?explain=true", json=case)
        assert answer.status_code == 200
        assert answer.get_json()["explanation"]["contributions"]


@pytest.mark.slow
def test_each_kind_is_in_the_prediction_log(app: App) -> None:
    """As JSON has it, so that a line's features are a record."""
    schema = json.loads((ROOT / "docs" / "prediction-log.schema.json").read_text())
    log = app.services.settings.prediction_log
    assert log is not None
    headers = {"X-Request-ID": "of-the-log"}
    sent = app.test_client().post("/predict/everything", json=CASES, headers=headers).get_json()

    def lines() -> list[Any]:
        every = map(json.loads, log.read_bytes().splitlines() if log.exists() else [])
        found = [line for line in every if line["request_id"] == "of-the-log"]
        return found if len(found) == len(CASES) else []

    found = wait_for(lines, "the lines of the log")
    for line in found:
        json_schema(schema).validate(line)
    again = [line["features"] for line in found]
    client = app.test_client()
    assert client.post("/predict/everything", json=again).get_json() == sent
