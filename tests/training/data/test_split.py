"""The split: by time for rides, by class for customers, by the book for published results."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from tests.training.support import CHURN, RIDE
from training.data.split import Splits, published_split, split
from training.errors import TrainingError
from training.sources import WHEN


def moments(rows: int = 100) -> pd.DataFrame:
    """Rides in no order of time."""
    order = np.random.default_rng(0).permutation(rows)
    when = pd.Timestamp("2021-01-01") + pd.to_timedelta(order, unit="min")
    return pd.DataFrame({"duration": order.astype("float64"), WHEN: when})


def classes(rows: int = 1000, every: int = 4) -> pd.DataFrame:
    number = np.arange(rows)
    return pd.DataFrame({"number": number, "churn": (number % every == 0).astype("int64")})


def numbers(found: Splits) -> dict[str, list[int]]:
    return {name: frame["number"].tolist() for name, frame in found.parts().items()}


def test_rides_are_split_in_the_order_of_time() -> None:
    """The model is judged on rides later than those it learned from."""
    found = split(moments(), RIDE, seed=1)
    assert found.test is not None
    assert found.training["duration"].tolist() == list(range(60))
    assert found.validation["duration"].tolist() == list(range(60, 80))
    assert found.test["duration"].tolist() == list(range(80, 100))


def test_the_seed_changes_no_split_by_time() -> None:
    """There is nothing to draw."""
    for one, other in zip(
        split(moments(), RIDE, seed=1).parts().values(),
        split(moments(), RIDE, seed=2).parts().values(),
        strict=True,
    ):
        pd.testing.assert_frame_equal(one, other)


def test_rides_of_the_same_moment_keep_their_order() -> None:
    """The same file is split the same way."""
    frame = moments().assign(**{WHEN: pd.Timestamp("2021-01-01")})
    found = split(frame, RIDE, seed=1)
    assert found.training["duration"].tolist() == frame["duration"].tolist()[:60]


def test_customers_are_split_with_churn_equally_frequent() -> None:
    """60, 20 and 20 %, and every row in one part."""
    found = split(classes(), CHURN, seed=1).parts()
    assert {name: len(frame) for name, frame in found.items()} == {
        "training": 600,
        "validation": 200,
        "test": 200,
    }
    assert [frame["churn"].mean() for frame in found.values()] == [0.25, 0.25, 0.25]
    together = pd.concat(found.values())["number"]
    assert sorted(together) == list(range(1000))


def test_the_seed_draws_the_customers() -> None:
    """The same seed the same parts, another seed others."""
    first = numbers(split(classes(), CHURN, seed=1))
    assert numbers(split(classes(), CHURN, seed=1)) == first
    assert numbers(split(classes(), CHURN, seed=2)) != first


def test_a_regression_without_moments_is_drawn() -> None:
    """Where no time is known, with the seed, and without classes to keep equally frequent."""
    frame = classes().assign(tip=1.5)
    tips = dataclasses.replace(RIDE, name="tips", target="tip")
    first = numbers(split(frame, tips, seed=1))
    assert [len(part) for part in first.values()] == [600, 200, 200]
    assert numbers(split(frame, tips, seed=1)) == first
    assert numbers(split(frame, tips, seed=2)) != first


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_five_rows_of_a_class_reach_every_part(seed: int) -> None:
    """The least that can be split; with fewer the training stops and says so."""
    frame = classes(100, every=20)
    assert frame["churn"].sum() == 5
    parts = split(frame, CHURN, seed).parts().values()
    assert all(frame["churn"].sum() >= 1 for frame in parts)
    with pytest.raises(TrainingError) as caught:
        split(classes(80, every=20), CHURN, seed)
    assert str(caught.value) == (
        "column churn: one of its values has 4 rows; to split them, at least 5 of each are expected"
    )


def test_the_published_split_is_the_books() -> None:
    """7,043 customers fall into 3,774, 1,860 and 1,409; the first two are learned from in the order
    in which the book drew them."""
    found = published_split(classes(7043))
    parts = numbers(found)
    assert [len(part) for part in parts.values()] == [3774, 1860, 1409]
    assert parts["training"][:3] == [2935, 3639, 2356]
    together = found.together()["number"].tolist()
    assert together != parts["training"] + parts["validation"]
    assert sorted(together) == sorted(parts["training"] + parts["validation"])


def test_training_and_validation_together_are_in_order() -> None:
    """As two files follow each other; a part that is not there is not named."""
    one, two = classes(3), classes(2)
    found = Splits(one, two)
    assert found.together()["number"].tolist() == [0, 1, 2, 0, 1]
    assert found.together().index.tolist() == [0, 1, 2, 3, 4]
    assert list(found.parts()) == ["training", "validation"]
