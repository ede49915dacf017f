"""Columns are scored as records are: answers, unseen categories and refusals, to the bit."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv as pac
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field, model_validator
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from batch.columns import score
from batch.columns.answers import Answers
from batch.columns.score import TableScorer
from batch.columns.scores import Scored, column_scorer
from scoring.models import Answer, Model
from scoring.predictor import Predictor
from scoring.record import Record, Spelling
from tests.batch.support import CHURN, RIDE, by_columns, one_by_one
from tests.support import DATA_DIR, needs_real_data, records, write_artifact, write_pair

_MODELS: dict[str, Model] = {"ride": RIDE, "churn": CHURN}


@pytest.fixture(scope="session")
def scorers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TableScorer]:
    """A table scorer of each model, each kind of compiled form, and of a model without one."""
    folder = tmp_path_factory.mktemp("scorers")
    chosen: dict[str, tuple[Model, Any]] = {
        "ride": (RIDE, None),
        "churn": (CHURN, None),
        "ride-forest": (RIDE, RandomForestRegressor(20, random_state=1)),
        "churn-forest": (CHURN, RandomForestClassifier(20, random_state=1)),
        "ride-large-trees": (RIDE, RandomForestRegressor(3, min_samples_leaf=1, random_state=2)),
        "ride-scaled": (
            RIDE,
            make_pipeline(MaxAbsScaler(), RandomForestRegressor(3, random_state=1)),
        ),
    }
    made = {}
    for name, (model, estimator) in chosen.items():
        write_artifact(model, folder / name, estimator)
        made[name] = TableScorer(Predictor.from_folder(folder / name / model.name, model))
    return made


KINDS = ["ride", "churn", "ride-forest", "churn-forest", "ride-large-trees", "ride-scaled"]


def same(scorer: TableScorer, values: list[dict[str, Any]], **types: pa.DataType) -> None:
    """Assert that columns of `values` are scored as the values are, one by one."""
    names = list(scorer.model.record.model_fields)
    columns = {n: pa.array([value[n] for value in values], types.get(n)) for n in names}
    got = by_columns(scorer, columns, len(values))
    assert got == one_by_one(scorer.predictor, values)


@pytest.mark.parametrize("kind", KINDS)
def test_valid_rows_get_the_answers_of_requests(scorers: dict[str, TableScorer], kind: str) -> None:
    """Each kind of scorer, many rows, categories that training saw and others."""
    values = records(scorers[kind].model, 400)
    same(scorers[kind], values)
    same(scorers[kind], values[::-1])  # what was learned about combinations is used again


def test_what_has_a_compiled_form_is_scored_by_columns(scorers: dict[str, TableScorer]) -> None:
    """Only a model without one goes through scikit-learn."""
    assert {name for name, made in scorers.items() if not made.vectorised} == {"ride-scaled"}


NUMBERS = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True), st.floats(0, 100), st.none(), st.just(-0.0)
)
ZONES = st.one_of(st.integers(-5, 300), st.none(), st.integers(-(2**63), 2**63 - 1))
RIDES = st.lists(
    st.fixed_dictionaries({"PULocationID": ZONES, "DOLocationID": ZONES, "trip_distance": NUMBERS}),
    min_size=1,
    max_size=30,
)
QUIET = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@QUIET
@given(values=RIDES)
def test_any_ride_is_answered_or_refused_alike(
    scorers: dict[str, TableScorer], values: list[dict[str, Any]]
) -> None:
    """Whatever the numbers are; refusals have the same words."""
    for kind in ("ride", "ride-forest", "ride-scaled"):
        same(scorers[kind], values, PULocationID=pa.int64(), DOLocationID=pa.int64(),
             trip_distance=pa.float64())  # fmt: skip


WORDS = st.sampled_from(["yes", "No", " NO ", "no phone service", "month-to-month", "", "DSL", "x"])
CELLS = {
    "seniorcitizen": st.one_of(st.integers(-1, 2), st.none()),
    "tenure": st.integers(-1, 1300),
    "monthlycharges": st.floats(-1, 10_001),
    "totalcharges": st.one_of(st.none(), st.floats(0, 1e7)),
}
CUSTOMERS = st.lists(
    st.fixed_dictionaries(
        {
            name: CELLS.get(name, st.one_of(st.just(example), WORDS, st.none()))
            for name, example in CHURN.example.items()
        }
    ),
    min_size=1,
    max_size=20,
)


@QUIET
@given(values=CUSTOMERS)
def test_any_customer_is_answered_or_refused_alike(
    scorers: dict[str, TableScorer], values: list[dict[str, Any]]
) -> None:
    """Spellings, missing cells, and choices that there are not."""
    for kind in ("churn", "churn-forest"):
        same(scorers[kind], values, totalcharges=pa.float64(), seniorcitizen=pa.int64())


@QUIET
@given(scores=st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=20))
@pytest.mark.parametrize("name", list(_MODELS))
def test_answers_of_any_score_are_those_of_the_function(name: str, scores: list[float]) -> None:
    """The recorded paths through `answer` give what calling it gives."""
    model = _MODELS[name]
    answers = Answers(model, 0.5)
    assert answers.traced
    expected = [model.answer(score, 0.5) for score in scores]
    got = answers.of(np.array(scores, dtype=np.float64))
    for column, values in got.items():
        assert repr(values.to_pylist()) == repr([answer[column] for answer in expected])


def _curious(score: float, _threshold: float) -> Answer:
    return {"duration": float(round(score, 1))}


def _false_twin(score: float, _threshold: float) -> Answer:
    return {"duration": 1.0 if isinstance(score, float) else 2.0}


@pytest.mark.parametrize("answer", [_curious, _false_twin])
def test_an_answer_that_has_no_columnar_form_is_called_for_each_row(answer: Any) -> None:
    """Rounding is no plain arithmetic; a function may also ask what kind of thing it was given."""
    answers = Answers(dataclasses.replace(RIDE, answer=answer), 0.5)
    assert not answers.traced
    scores = np.array([1.23, 4.56])
    expected = [answer(score, 0.5)["duration"] for score in scores.tolist()]
    assert answers.of(scores)["duration"].to_pylist() == expected


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        pytest.param([10.0, 74.5, float("nan"), None], pa.float64(), id="decimals"),
        pytest.param([10, 300, None, 7], pa.int16(), id="short"),
        pytest.param([10, 2**64 - 1, None, 7], pa.uint64(), id="unsigned"),
        pytest.param(["10", "x", None, ""], pa.string(), id="texts"),
        pytest.param([True, False, None, True], pa.bool_(), id="truths"),
        pytest.param([[1], [], None, [2]], pa.list_(pa.int64()), id="lists"),
    ],
)
def test_a_column_of_any_type_is_judged_as_its_values_are(
    scorers: dict[str, TableScorer], column: list[Any], kind: pa.DataType
) -> None:
    """A zone as a decimal, as a text, as anything."""
    values = [{**RIDE.example, "PULocationID": value} for value in column]
    for name in ("ride", "ride-scaled"):
        same(scorers[name], values, PULocationID=kind)


class Parcel(Record):
    """A record with every kind of field that a rule may or may not be derived from."""

    size: Annotated[Literal["small", "large"], Spelling]
    speed: Literal[1, 2]
    fragile: bool
    code: str = Field(pattern="^[A-Z]{2}$")
    weight: float = Field(gt=0, le=50)
    floor: int = 0
    distance: float


class Wrapped(Parcel):
    """One whose fields depend on each other."""

    @model_validator(mode="after")
    def _small_is_light(self) -> Wrapped:
        if self.size == "small" and self.weight > 10:
            raise ValueError("a small parcel weighs 10 kg at most")
        return self


def _parcel_features(parcel: Parcel) -> dict[str, Any]:
    made: dict[str, Any] = {
        "lane": f"{parcel.size}-{parcel.speed}",
        "code": parcel.code,
        "heavy": parcel.weight * 2,
        "distance": parcel.distance,
        "floor": parcel.floor + int(parcel.fragile),
    }
    return made


EXAMPLE = {"size": "small", "speed": 1, "fragile": False, "code": "AB", "weight": 2.5, "floor": 1,
           "distance": 3.0}  # fmt: skip


def _parcels(record: type[Record], features: Any = _parcel_features) -> Model:
    return dataclasses.replace(
        RIDE, record=record, features=features, example=EXAMPLE, name="parcel"
    )


def _parcel_values() -> list[dict[str, Any]]:
    values = []
    for place in range(60):
        value: dict[str, Any] = {
            "size": ["Small", "large", "LARGE ", "huge"][place % 4],
            "speed": 1 + place % 3,
            "fragile": place % 2 == 0,
            "code": ["AB", "CD", "ef", "XY"][place // 3 % 4],
            "weight": place * 1.5 - 1.5,
            "floor": place % 5,
            "distance": place * 0.37,
        }
        values.append(value)
    return values


def _scorer_of(model: Model, folder: Path) -> TableScorer:
    values = [{**EXAMPLE, "weight": 1.0 + n, "distance": n} for n in (1.0, 2.0, 5.0, 7.5)]
    rows = [model.features(model.record.model_validate(value)) for value in values]
    vectorizer = DictVectorizer()
    pair = vectorizer, LinearRegression().fit(vectorizer.fit_transform(rows), [1.0, 2.0, 3.0, 9.0])
    write_pair(folder, model, pair, golden=[EXAMPLE], threshold=0.5)
    return TableScorer(Predictor.from_folder(folder / model.name, model))


@pytest.mark.parametrize("record", [Parcel, Wrapped])
def test_a_record_of_every_kind_of_field(tmp_path: Path, record: type[Record]) -> None:
    """Where fields depend on each other nothing is decided field by field."""
    scorer = _scorer_of(_parcels(record), tmp_path)
    assert scorer.vectorised is (record is Parcel)
    same(scorer, _parcel_values())
    same(scorer, [{**value, "weight": -0.0} for value in _parcel_values()])


def test_a_field_without_a_column_has_its_default(tmp_path: Path) -> None:
    """As in a request that leaves it out."""
    scorer = _scorer_of(_parcels(Parcel), tmp_path)
    values = [{k: v for k, v in value.items() if k != "floor"} for value in _parcel_values()]
    columns = {n: pa.array([v[n] for v in values]) for n in EXAMPLE if n != "floor"}
    assert by_columns(scorer, columns, 60) == one_by_one(scorer.predictor, values)


def _moody(parcel: Parcel) -> dict[str, Any]:
    made = _parcel_features(parcel)
    if parcel.size == "large":
        made["extra"] = "surprise"
    if parcel.speed == 2:
        made["distance"] = parcel.weight
    return made


def test_rows_with_other_features_than_the_example_go_one_by_one(tmp_path: Path) -> None:
    """A model's `features` may give more for some records, or hand on another field."""
    scorer = _scorer_of(_parcels(Parcel, _moody), tmp_path)
    assert scorer.vectorised
    same(scorer, _parcel_values())


def test_a_model_that_gives_no_finite_number_ends_the_run(scorers: dict[str, TableScorer]) -> None:
    """As a request would: its weights are broken."""
    scorer = scorers["ride"]
    broken = TableScorer(scorer.predictor)

    class Broken:
        def score(self, features: Any) -> Any:
            rows = len(next(iter(features.values())).values)
            return Scored(np.full(rows, np.inf), {})

    broken._scorer = Broken()
    with pytest.raises(ArithmeticError, match="gave no finite number"):
        same(broken, records(RIDE, 3))


def test_a_scorer_that_is_not_equal_is_refused(
    scorers: dict[str, TableScorer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The golden records are scored by columns before anything else is."""

    class Off:
        def __init__(self, of: Any) -> None:
            self.real: Any = column_scorer(of)

        def score(self, features: Any) -> Any:
            scores, unseen = self.real.score(features)
            return Scored(np.nextafter(scores, np.inf), unseen)

    monkeypatch.setattr(score, "column_scorer", Off)
    with pytest.raises(ArithmeticError, match="not scored as records"):
        TableScorer(scorers["ride"].predictor)


MONTHS = [f"green/green_tripdata_{m}.parquet" for m in ("2021-01", "2021-02", "2021-03", "2022-01",
          "2023-01", "2023-02", "2023-03")]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("month", [pytest.param(m, marks=needs_real_data(m)) for m in MONTHS])
def test_a_real_month(scorers: dict[str, TableScorer], month: str) -> None:
    """Every ride of it, by the linear model and by trees."""
    table = pq.read_table(DATA_DIR / month)
    columns = {n: table[n].combine_chunks() for n in RIDE.record.model_fields}
    values = table.select(list(columns)).to_pylist()
    for kind in ("ride", "ride-forest"):
        got = by_columns(scorers[kind], columns, len(values))
        assert got == one_by_one(scorers[kind].predictor, values)
        assert got["refused"]
        assert any(got["unseen"])


@pytest.mark.slow
@needs_real_data("telco_customer_churn.csv")
def test_the_real_customers(scorers: dict[str, TableScorer]) -> None:
    """Every one of them, spelt as published."""
    table = pac.read_csv(DATA_DIR / "telco_customer_churn.csv")
    table = table.rename_columns([name.lower() for name in table.column_names])
    values = table.select(list(CHURN.example)).to_pylist()
    columns = {name: table[name].combine_chunks() for name in CHURN.example}
    charges = [float(v["totalcharges"]) if v["totalcharges"].strip() else None for v in values]
    columns["totalcharges"] = pa.array(charges)
    values = [{**v, "totalcharges": c} for v, c in zip(values, charges, strict=True)]
    for kind in ("churn", "churn-forest"):
        got = by_columns(scorers[kind], columns, len(values))
        assert got == one_by_one(scorers[kind].predictor, values)


def test_a_forest_over_many_rows(tmp_path: Path) -> None:
    """More rows than are walked at a time give what each gives alone."""
    write_artifact(RIDE, tmp_path, RandomForestRegressor(30, random_state=3))
    scorer = TableScorer(Predictor.from_folder(tmp_path / "ride", RIDE))
    same(scorer, records(RIDE, 3000))
