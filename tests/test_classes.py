"""A model of three classes through each door: trained by train.py's own way, compiled, predicted,
explained and measured, with the probabilities that scikit-learn gives itself."""

from __future__ import annotations

import html
import io
import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pytest

from batch.columns.answers import flattened
from batch.columns.score import TableScorer
from batch.outputs.table import encode as written
from monitoring.errors import UsageError
from monitoring.kept import Keeper
from monitoring.store import Store
from monitoring.truths import take
from scoring.artifact.manifest import Manifest
from scoring.engine import Predictors, answer_each
from scoring.predictor import Predictor
from scoring.values.shares import flat
from scoring.values.strict_json import encode
from serving.app import App, create_app
from serving.http.reply import reply
from serving.settings import Settings
from tests.flowers import CASES, FLOWERS, SPECIES, UNSEEN, Flower, table
from tests.support import ROOT, wait_for
from tests.support.schemas import check_openapi, json_schema
from tests.training.support import silent
from training.predictionlog import table as log_table
from training.run import train

SMALL: Final = {
    "forest": {"n_estimators": 5},
    "boosting": {"max_iter": 5},
    "xgboost": {"n_estimators": 5},
}


TRAINED: Final = [
    "logistic",
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("forest", "boosting", "xgboost")),
]


@pytest.fixture(scope="module", params=TRAINED)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train the model on a CSV, and return the folder of its artifact."""
    folder = tmp_path_factory.mktemp(request.param)
    table().to_csv(folder / "rows.csv", index=False)
    few = SMALL.get(request.param, {})
    options = silent(FLOWERS, folder / "rows.csv", folder, estimator=request.param, parameters=few)
    train(options)
    return folder / "flowers"


@pytest.fixture(scope="module")
def predictor(folder: Path) -> Predictor:
    return Predictor.from_folder(folder, FLOWERS)


@pytest.fixture(scope="module")
def app(predictor: Predictor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    log = tmp_path_factory.mktemp("log") / "predictions.jsonl"
    made = create_app(Settings(prediction_log=log), Predictors({"flowers": predictor}))
    yield made
    made.services.observer.stop()


@pytest.fixture(scope="module")
def expected(folder: Path) -> list[dict[str, float]]:
    """What the pair itself gives, in two lines of scikit-learn, for each of CASES."""
    vectorizer, estimator = pickle.loads((folder / FLOWERS.artifact_file).read_bytes())
    rows = [dict(FLOWERS.features(Flower.model_validate(case))) for case in CASES]
    shares = estimator.predict_proba(vectorizer.transform(rows))
    names = [SPECIES[n] if isinstance(n, int) else str(n) for n in estimator.classes_.tolist()]
    return [dict(zip(names, row, strict=True)) for row in shares.tolist()]


def of_json(app: App, _: Predictor) -> list[Any]:
    client = app.test_client()
    return [client.post("/predict/flowers", json=case).get_json() for case in CASES]


def of_the_fast_path(app: App, predictor: Predictor) -> list[Any]:
    limits = app.services.settings.limits
    made = [reply(predictor, encode(case), limits=limits) for case in CASES]
    return [json.loads(answer.body) for answer in made]


def of_an_array(app: App, _: Predictor) -> list[Any]:
    found = app.test_client().post("/predict/flowers", json=CASES).get_json()["predictions"]
    return list(found)


def of_csv(app: App, _: Predictor) -> list[Any]:
    lines = [",".join(CASES[0])]
    lines += [",".join("" if v is None else str(v) for v in case.values()) for case in CASES]
    sent = app.test_client().post("/invocations", data="\n".join(lines), content_type="text/csv")
    return list(sent.get_json()["predictions"])


def of_events(_: App, predictor: Predictor) -> list[Any]:
    return list(answer_each(predictor, [encode(case) for case in CASES], ids=["x"] * len(CASES)))


def of_v2(app: App, _: Predictor) -> list[Any]:
    kinds = {"petal_mm": "FP64", "sepal_mm": "FP64", "soil": "BYTES", "place": "BYTES"}
    inputs = [
        {"name": name, "datatype": kind, "shape": [len(CASES)], "data": [c[name] for c in CASES]}
        for name, kind in kinds.items()
    ]
    sent = app.test_client().post("/v2/models/flowers/infer", json={"inputs": inputs})
    found = {output["name"]: output["data"] for output in sent.get_json()["outputs"]}
    rows = [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]
    return [
        {
            "species": row["species"],
            "probabilities": {name: row[f"probabilities.{name}"] for name in SPECIES},
        }
        for row in rows
    ]


def of_batch(_: App, predictor: Predictor) -> list[Any]:
    columns = {name: pa.array([case[name] for case in CASES]) for name in CASES[0]}
    got = TableScorer(predictor).score(columns, len(CASES))
    assert list(got.rejected) == []
    found = {name: column.to_pylist() for name, column in got.answers.items()}
    return [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]


DOORS: Final[list[Callable[[App, Predictor], list[Any]]]] = [
    of_json, of_the_fast_path, of_an_array, of_csv, of_events, of_v2, of_batch,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_every_class_through_each_door(
    app: App,
    predictor: Predictor,
    expected: list[dict[str, float]],
    door: Callable[..., list[Any]],
) -> None:
    """The estimator's own probabilities, and the most likely class, whichever way a record
    comes."""
    for shares, answer in zip(expected, door(app, predictor), strict=True):
        found = answer["probabilities"]
        assert list(found) == list(SPECIES)
        assert found == pytest.approx(shares, rel=1e-5, abs=1e-7)
        assert sum(found.values()) == pytest.approx(1, abs=1e-6)
        assert answer["species"] == max(found, key=found.__getitem__)


def test_it_is_compiled(predictor: Predictor) -> None:
    """No door needs scikit-learn or XGBoost; what training never saw is named as ever."""
    compiled = predictor.manifest.compiled
    assert compiled is not None
    assert compiled.kind == "classes"
    [answer] = predictor.one(UNSEEN).answers
    assert answer["unseen"] == [f"where=moon_{UNSEEN['soil']}"]
    assert answer == predictor.many([UNSEEN]).answers[0]


def test_each_class_is_measured(predictor: Predictor) -> None:
    """Brier score against that of the classes' rates, and how well each of them is found."""
    manifest = predictor.manifest
    test = manifest.metrics["test"]
    assert 0 < test["brier"] < manifest.baseline["test"]["brier"]
    assert manifest.baseline["test"]["log_loss"] == pytest.approx(_log(3), abs=0.02)
    assert test["accuracy"] > 0.5
    assert [line["class"] for line in test["by_class"]] == list(SPECIES)
    assert sum(line["rows"] for line in test["by_class"]) == test["rows"]
    assert sum(map(sum, test["confusion_matrix"])) == test["rows"]
    right = sum(band["rows"] * band["actual"] for band in test["bands"])
    assert right == pytest.approx(test["accuracy"] * test["rows"])
    assert manifest.profile["species"]["distinct"] == 3
    assert Manifest.model_validate_json(manifest.content()) == manifest


def test_the_most_likely_class_is_explained(app: App, predictor: Predictor, folder: Path) -> None:
    """Exactly where the model is linear: as logarithms of probabilities, up to what all classes
    share; else by how far its probability falls."""
    client = app.test_client()
    for case in CASES[:6]:
        answer = client.post("/predict/flowers?explain=true", json=case).get_json()
        found, shares = answer["explanation"], answer["probabilities"]
        assert found["class"] == answer["species"]
        if predictor.manifest.estimator != "LogisticRegression":
            assert found["total"] == pytest.approx(shares[answer["species"]])
            assert not found["exact"]
            continue
        assert found["unit"] == "log-ratio"
        lines = found["contributions"]
        total = found["base"] + sum(line["contribution"] for line in lines)
        logs = {name: _log(share) for name, share in shares.items()}
        assert total == pytest.approx(found["total"])
        assert total == pytest.approx(logs[answer["species"]] - sum(logs.values()) / 3, abs=1e-6)


def _log(share: float) -> float:
    from math import log

    return log(share)


def test_truths_are_refused_by_name(tmp_path: Path) -> None:
    """A class among several is neither a number nor yes or no."""
    with pytest.raises(UsageError, match="'flowers' tells 3 classes apart: truths can be kept of"):
        take(Store(f"sqlite:///{tmp_path / 's.db'}"), [], FLOWERS, "request_id", None, Keeper())


def test_a_bare_number_is_the_class(app: App, predictor: Predictor) -> None:
    """`output: numbers` answers what a scikit-learn model's `predict` would."""
    sent = {"dataframe_records": CASES[:3], "params": {"output": "numbers"}}
    found = app.test_client().post("/invocations", json=sent).get_json()["predictions"]
    assert found == [answer["species"] for answer in predictor.many(CASES[:3]).answers]


@pytest.mark.slow
def test_the_documents_describe_the_classes(app: App) -> None:
    """OpenAPI is valid and the answers are of its schema; pages, catalogue, V2 and metrics name
    each class."""
    client = app.test_client()
    document = client.get("/openapi.json").get_json()
    check_openapi(document)
    answer = client.post("/predict/flowers", json=CASES[3]).get_json()
    schema = document["components"]["schemas"]["FlowersPrediction"]
    json_schema({**schema, **document}).validate(answer)
    assert schema["properties"]["species"]["enum"] == list(SPECIES)
    told = client.get("/models/flowers").get_json()
    assert (told["classes"], told["threshold"]) == (list(SPECIES), None)
    outputs = client.get("/v2/models/flowers").get_json()["outputs"]
    assert [o["name"] for o in outputs][:5] == [*flat(FLOWERS.some_answer()), "unseen"]
    page = html.unescape(client.get("/", headers={"Accept": "text/html"}).text)
    assert "setosa, " in page
    card = html.unescape(client.get("/models/flowers/card").text)
    for words in ("setosa, versicolor, iris virginica", "Predicted iris virginica", "Log loss"):
        assert words in card
    assert client.get("/models/flowers/weights.json").status_code == 200
    counted = client.get("/metrics").text
    assert 'model_class_total{class="setosa",model="flowers"}' in counted


@pytest.mark.slow
def test_a_line_of_the_log_holds_every_class(app: App, tmp_path: Path) -> None:
    """Its score is the probability of the most likely one; as a table each class is a column."""
    log = app.services.settings.prediction_log
    assert log is not None
    headers = {"X-Request-ID": "of-the-log"}
    sent = app.test_client().post("/predict/flowers", json=CASES, headers=headers).get_json()

    def lines() -> list[Any]:
        every = map(json.loads, log.read_bytes().splitlines() if log.exists() else [])
        found = [line for line in every if line["request_id"] == "of-the-log"]
        return found if len(found) == len(CASES) else []

    schema = json.loads((ROOT / "docs" / "prediction-log.schema.json").read_text())
    for line, answer in zip(wait_for(lines, "the log's lines"), sent["predictions"], strict=True):
        json_schema(schema).validate(line)
        assert line["result"] == answer
        assert line["score"] == max(answer["probabilities"].values())
    assert {f"probabilities.{name}" for name in SPECIES} <= {*log_table([log]).columns}


def test_a_table_has_a_column_for_each_class(predictor: Predictor) -> None:
    """In every format of batch; CSV holds no objects."""
    scorer = TableScorer(predictor)
    columns = {name: pa.array([case[name] for case in CASES]) for name in CASES[0]}
    made = flattened(scorer.score(columns, len(CASES)).answers)
    assert list(made) == list(scorer.answer_types) == list(flat(FLOWERS.some_answer()))
    data = written(pa.table(made), "csv", compressed=False, header=True, metadata={})
    head, first = io.BytesIO(data).read().decode().splitlines()[:2]
    assert "probabilities.iris virginica" in head
    assert len(first.split(",")) == 4
