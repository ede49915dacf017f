"""Features in bulk: the same as for one request."""

from __future__ import annotations

import dataclasses
import functools
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix, issparse
from sklearn.feature_extraction import DictVectorizer

from scoring.models import Features, Model, discover
from scoring.record import Record, RecordReader
from tests.support import DATA_DIR, needs_real_data, records
from tests.third_model import TIPS
from training.data.checks import check
from training.data.tables import read
from training.fit import combinations
from training.fit.features import features, fit_transform, narrow, transform
from training.sources import source_of

REAL = {
    "ride": "green/green_tripdata_2021-01.parquet",
    "churn": "telco_customer_churn.csv",
}
LATER = "green/green_tripdata_2021-02.parquet"


def assert_same(found: Any, expected: Any) -> None:
    """Fail unless both matrices are the same, to each stored entry and their class."""
    assert type(found) is type(expected)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    if not issparse(expected):
        np.testing.assert_array_equal(found, expected)
        return
    for part in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(found, part), getattr(expected, part))


def assert_same_pair(frame: pd.DataFrame, later: pd.DataFrame, model: Model, **how: Any) -> None:
    """Fail unless a vectorizer fitted on `frame` by columns is the one that is fitted on one
    mapping a row, and both give the same matrices, of `later` rows too."""
    expected, found = DictVectorizer(**how), DictVectorizer(**how)
    x = expected.fit_transform(features(frame, model))
    assert_same(fit_transform(found, frame, model), x)
    assert vars(found) == vars(expected)
    loaded = pickle.loads(pickle.dumps(found))
    assert_same(transform(loaded, later, model), expected.transform(features(later, model)))


def checked(model: Model, paths: Any) -> pd.DataFrame:
    source = source_of(model)
    return check(read(model, source, paths), model, source).frame


@pytest.mark.slow
@pytest.mark.parametrize("sparse", [True, False], ids=["sparse", "dense"])
def test_the_samples_matrix_is_the_one_of_its_records(model: Model, sparse: bool) -> None:
    """Learned from the first half; the second has categories that were not in it."""
    if source_of(model).sample is None:
        pytest.skip(f"{model.name} has no bundled sample")
    frame = checked(model, [])[:600]
    assert_same_pair(frame[:300], frame[300:], model, sparse=sparse)


@needs_real_data(*REAL.values(), LATER)
@pytest.mark.slow
def test_a_real_months_matrix_is_the_one_of_its_records(model: Model) -> None:
    """Every row of it, and of the month after it where there is one."""
    if model.name not in REAL:
        pytest.skip(f"{model.name} has no published data")
    frame = checked(model, [DATA_DIR / REAL[model.name]])
    later = frame[::-1]
    if model.name == "ride":
        later = checked(model, [DATA_DIR / LATER])
    assert_same_pair(frame, later, model, sparse=source_of(model).sparse)


def tips(rows: int = 60) -> pd.DataFrame:
    """Bills of the third model."""
    numbers = np.arange(rows)
    bills = {"party": 1 + numbers % 7, "card": numbers % 3 == 0, "total": numbers * 0.5}
    return pd.DataFrame(bills).assign(waiter=[f"w{number % 4}" for number in numbers])


class Odd(Record):
    """What a fourth model may have."""

    zone: int
    miles: float
    word: str

    @functools.cached_property
    def far(self) -> bool:
        return self.miles > 5


def odd() -> pd.DataFrame:
    numbers = np.arange(80)
    words = [f"w{number % 5}" for number in numbers]
    return pd.DataFrame({"zone": numbers % 9, "miles": numbers * 0.25, "word": words})


ODD: dict[str, Callable[[Any], Any]] = {
    "all fields as they are": dict,
    "the record's own mapping": vars,
    "a text of all": lambda r: {"all": f"{r.zone}-{r.miles}-{r.word}"},
    "renamed": lambda r: {"a": r.word, "b": r.miles, "c": r.zone},
    "a number of a number": lambda r: {"square": r.miles * r.miles, "word": r.word},
    "now text, now number": lambda r: {"zone": r.word if r.zone % 2 else r.zone},
    "now one field, now another": lambda r: {"either": r.miles if r.zone > 3 else r.zone},
    "another order each": lambda r: dict(sorted(vars(r).items(), reverse=r.zone > 4)),
    "only where it is far": lambda r: {"word": r.word} | ({"far": 1.0} if r.far else {}),
    "a name that depends": lambda r: {f"zone{r.zone}": r.miles},
    "names that mix when sorted": lambda r: {"a": r.word, "a=w": r.miles, "a=w1z": 2},
    "asked for its class": lambda r: {"n": 1 if isinstance(r.zone, int) else 0, "m": r.miles},
    "compared with what cannot be noticed": lambda r: {"z": type(r.zone).__name__, "m": r.miles},
    "upper case": lambda r: {"word": r.word.upper(), "zone": r.zone},
    "the same for all": lambda _: {"one": 1, "yes": True, "text": "t"},
}


@pytest.mark.slow
@pytest.mark.parametrize("make", ODD.values(), ids=ODD)
def test_whatever_a_model_does_with_its_fields(make: Callable[[Any], Features]) -> None:
    """A model's `features` is any function; no twin of it is written anywhere."""
    model = dataclasses.replace(TIPS, record=Odd, features=make)
    frame = odd()
    later = frame.assign(zone=frame["zone"] + 3, word=[*frame["word"][:40], *["new"] * 40])
    assert_same_pair(frame, later, model)
    assert_same_pair(frame, later, model, sparse=False)
    assert combinations.by_row(frame, model) == features(frame, model)


def test_a_third_model_needs_nothing_more() -> None:
    """Of its kinds of field one is true or false, one text that no feature is made of."""
    assert_same_pair(tips(), tips(90), TIPS)


def test_a_model_is_called_for_combinations_not_for_rows() -> None:
    """A distance is no part of them: forty pairs of zones are forty calls, and a few to see."""
    model = discover()["ride"]
    calls = []

    def counted(ride: Any) -> Features:
        calls.append(ride)
        return model.features(ride)

    numbers = np.arange(4000)
    frame = pd.DataFrame({"PULocationID": 1 + numbers % 8, "DOLocationID": 1 + numbers % 5})
    frame["trip_distance"] = numbers / 100
    fit_transform(DictVectorizer(), frame, dataclasses.replace(model, features=counted))
    assert 40 < len(calls) < 80


def test_a_fault_in_a_models_code_is_its_own() -> None:
    """Not one about columns."""

    def broken(record: Any) -> Features:
        raise ZeroDivisionError(record.miles)

    with pytest.raises(ZeroDivisionError, match=r"0\.0"):
        combinations.columns(odd(), dataclasses.replace(TIPS, record=Odd, features=broken))


def test_many_fields_have_more_combinations_than_a_number_can_hold() -> None:
    """They are counted by those that there are."""
    frame = pd.DataFrame({"zone": np.arange(80) * 10**9, "word": [f"w{n}" for n in range(80)]})
    frame = frame.assign(miles=np.arange(80) / 3)
    wide = dataclasses.replace(TIPS, record=Odd, features=ODD["a text of all"])
    assert_same_pair(pd.concat([frame] * 2, ignore_index=True), frame, wide)


def test_a_table_has_the_features_that_serving_makes(model: Model) -> None:
    """Row by row, in order, and of the same types: an id never becomes 10.0_50.0."""
    rows = records(model)
    reader = RecordReader(model.record)
    served = [dict(model.features(reader.one(row))) for row in rows]
    made = [dict(row) for row in features(pd.DataFrame(rows), model)]
    assert made == served
    assert [[type(v) for v in row.values()] for row in made] == [
        [type(v) for v in row.values()] for row in served
    ]


def test_other_columns_are_no_features(model: Model) -> None:
    """The target above all."""
    frame = pd.DataFrame(records(model))
    assert features(frame.assign(**{model.target: 1, "when": 2}), model) == features(frame, model)


def test_a_sparse_matrix_gets_short_indices() -> None:
    """Lasso and liblinear take no others."""
    made = csr_matrix(np.eye(3))
    made.indices, made.indptr = made.indices.astype("int64"), made.indptr.astype("int64")
    found = narrow(made)
    assert (found.indices.dtype, found.indptr.dtype) == (np.int32, np.int32)
    np.testing.assert_array_equal(found.toarray(), np.eye(3))


def test_a_dense_matrix_is_left_alone() -> None:
    """There is nothing to shorten."""
    made = np.eye(3)
    assert narrow(made) is made
