"""A linear model as a table of weights: the same score, from nothing but the standard library."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.errors import ArtifactError
from scoring.scorers import linear
from scoring.scorers.linear import Linear, of_columns, sigmoid

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def made(*, logistic: bool = False, separator: str = "=") -> Linear:
    """Return a table of one number and one category of two values."""
    names = ("miles", f"zone{separator}1_2", f"zone{separator}a=b")
    columns = zip(names, (2.0, 10.0, -5.0), strict=True)
    return of_columns(columns, intercept=1.0, separator=separator, logistic=logistic)


def test_a_score_is_the_intercept_and_a_product_a_feature() -> None:
    """A category counts as one, a number as itself, whole or not, in any order."""
    assert made().one({"zone": "1_2", "miles": 1.5}) == (14.0, ())
    assert made().one({"miles": 2, "zone": "1_2"}) == (15.0, ())


def test_a_value_may_hold_the_separator() -> None:
    """The name ends at the first one, as in the vectorizer."""
    assert made().one({"zone": "a=b", "miles": 0.0}) == (-4.0, ())


def test_a_new_category_adds_nothing_and_is_named() -> None:
    """Under the name that the vectorizer would have given it, every one of them."""
    assert made(separator=": ").one({"zone": "9", "miles": 1.0}) == (3.0, ["zone: 9"])
    both = made().one({"zone": "9", "more": "x", "miles": 1.0})
    assert both == (3.0, ["zone=9", "more=x"])


def test_a_number_that_the_vectorizer_did_not_know_is_ignored() -> None:
    """As DictVectorizer ignores it, without a word."""
    assert made().one({"zone": "1_2", "speed": 7.0}) == (11.0, [])


def test_a_feature_that_is_not_there_adds_nothing() -> None:
    """As a column of zeros does."""
    assert made().one({}) == (1.0, [])


def test_many_are_scored_in_order() -> None:
    """One score a record."""
    rows: list[dict[str, str | float]] = [{"zone": "1_2", "miles": float(n)} for n in range(5)]
    rows[3]["zone"] = "9"
    assert made().many(rows) == ([made().one(row)[0] for row in rows], {3: ["zone=9"]})
    assert made().many([]) == ([], {})


@pytest.mark.parametrize("logistic", [False, True], ids=["identity", "logistic"])
@pytest.mark.parametrize(
    "strange",
    [{}, {"zone": "1_2"}, {"zone": "1_2", "miles": 1.0, "more": 2.0}, {"zone": 3.0, "miles": "far"},
     {"zone": "new", "miles": 2.0}],
    ids=["nothing", "one missing", "one more", "another type", "unseen"],
)  # fmt: skip
def test_many_are_scored_as_one_is(strange: dict[str, float | str], logistic: bool) -> None:
    """To the bit, whatever one record among them holds."""
    rows: list[dict[str, str | float]] = [
        {"zone": "1_2", "miles": 0.1},
        strange,
        {"zone": "a=b", "miles": 0.7},
    ]
    scores, unseen = made(logistic=logistic).many(rows)
    alone = [made(logistic=logistic).one(row) for row in rows]
    assert scores == [score for score, _ in alone]
    assert unseen == {place: names for place, (_, names) in enumerate(alone) if names}


def test_a_logistic_score_is_a_probability() -> None:
    """The sum is log-odds."""
    score, _ = made(logistic=True).one({"zone": "a=b", "miles": 2.0})
    assert score == 0.5
    assert made(logistic=True).one({"miles": 1.0})[0] == 1 / (1 + math.exp(-3))


@pytest.mark.parametrize(
    ("log_odds", "probability"), [(1e9, 1.0), (-1e9, 0.0), (-800.0, 0.0), (0.0, 0.5)]
)
def test_no_log_odds_are_too_large(log_odds: float, probability: float) -> None:
    """Neither side overflows."""
    assert sigmoid(log_odds) == probability


@pytest.mark.slow
@given(FINITE, st.dictionaries(st.text(), FINITE), st.dictionaries(st.text(), FINITE))
def test_every_bit_of_a_weight_comes_back(
    intercept: float, numbers: dict[str, float], weights: dict[str, float]
) -> None:
    """What is written and read again is the same table."""
    table = linear.Table(
        link="identity",
        intercept=intercept,
        separator="=",
        numbers=numbers,
        categories={"zone": weights},
    )
    again = linear.read(linear.write(Linear(table))).table
    assert again == table
    for name, weight in weights.items():
        assert struct.pack("d", again.categories["zone"][name]) == struct.pack("d", weight)


def test_the_columns_are_the_vectorizers() -> None:
    """Every weight under its name, for people and programs."""
    assert dict(made().columns()) == {"miles": 2.0, "zone=1_2": 10.0, "zone=a=b": -5.0}
    assert made().fitted == {"miles", "zone="}


@pytest.mark.parametrize("weight", [math.nan, math.inf, -math.inf])
def test_a_weight_that_is_no_number_makes_no_table(weight: float) -> None:
    """It could give no answer."""
    with pytest.raises(ArtifactError, match=r"weights cannot be used: categories\.zone\.1: "):
        of_columns([("zone=1", weight)], intercept=0.0, separator="=", logistic=False)
