"""Scores by columns are those of the features, to the last bit, for every model that is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from scoring.models import Model, discover
from scoring.scorers.columns import Columns, columns
from scoring.scorers.linear import Linear, of_columns
from scoring.typed_decoder import typed_decoder
from tests.support import records

RIDE = discover()["ride"]


def made(model: Model, scorer: Linear) -> tuple[Columns | None, Callable[..., list[Any]]]:
    """Return what scores by columns, and what reads records for it."""
    decoder = typed_decoder(model.record)
    assert decoder

    def read(rows: list[dict[str, Any]]) -> list[Any]:
        typed = decoder.many(json.dumps(rows).encode())
        assert typed is not None
        return typed

    return columns(scorer, model, decoder.kind), read


def fitted(model: Model, rows: list[dict[str, Any]], *, logistic: bool = False) -> Linear:
    """Return a scorer with odd weights for all features of `rows`."""
    names: dict[str, float] = {}
    for row in rows:
        for name, value in model.features(model.record.model_validate(row)).items():
            names.setdefault(f"{name}={value}" if isinstance(value, str) else name, 0.0)
    weights = [(name, (number * 37 % 101 - 50) / 7) for number, name in enumerate(names)]
    return of_columns(weights, intercept=0.1, separator="=", logistic=logistic)


@pytest.mark.parametrize("logistic", [False, True])
def test_scores_are_those_of_the_features(model: Model, logistic: bool) -> None:
    """Every record alone and together, twice, with categories that training never saw."""
    rows = records(model, 60)
    scorer = fitted(model, rows[:1], logistic=logistic)
    by_columns, read = made(model, scorer)
    assert by_columns
    typed = read(rows)
    expected = scorer.many([model.features(model.record.model_validate(row)) for row in rows])
    if scorer.table.categories:
        assert expected[1], "some record has a category that is new"
    assert by_columns.many(typed) == by_columns.many(typed) == expected
    assert [by_columns.many([record])[0][0] for record in typed] == expected[0]
    assert by_columns.many([]) == ([], {})


@pytest.mark.parametrize("combinations", [0, 4, 100, 4096])
def test_sums_of_categories_are_those_of_each(
    model: Model, combinations: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many of the first are remembered as one sum."""
    monkeypatch.setattr("scoring.scorers.columns._MAX_COMBINATIONS", combinations)
    rows = records(model, 60)
    scorer = fitted(model, rows[:20])
    by_columns, read = made(model, scorer)
    assert by_columns
    expected = scorer.many([model.features(model.record.model_validate(row)) for row in rows])
    assert by_columns.many(read(rows)) == by_columns.many(read(rows)) == expected


def far(ride: Any) -> dict[str, Any]:
    return {"PU_DO": "far" if ride.trip_distance > 5 else "near", "trip_distance": 1.0}


def unit(ride: Any) -> dict[str, Any]:
    return {"PU": str(ride.PULocationID), "trip_distance": ride.trip_distance * 1.6}


def of_type(ride: Any) -> dict[str, Any]:
    kind = "number" if type(ride.trip_distance) is float else "other"
    return {"kind": kind, "trip_distance": ride.trip_distance}


def of_class(ride: Any) -> dict[str, Any]:
    kind = "number" if isinstance(ride.trip_distance, float) else "other"
    return {"kind": kind, "trip_distance": ride.trip_distance}


def some(ride: Any) -> dict[str, Any]:
    zone = {"zone": str(ride.DOLocationID)} if ride.PULocationID > 20 else {}
    return {**zone, "trip_distance": ride.trip_distance}


def one_zone(ride: Any) -> dict[str, Any]:
    pair = f"{ride.PULocationID}" if ride.PULocationID < 90 else f"{ride.trip_distance}"
    return {"PU": pair, "trip_distance": ride.trip_distance}


@pytest.mark.parametrize("features", [far, unit, of_type, of_class, some, one_zone])
def test_whatever_the_features_do_the_scores_are_the_same(features: Callable[..., Any]) -> None:
    """A number that decides, is changed, or asked for its type: seen, and scored the long way."""
    model = replace(RIDE, features=features, further=None)
    rows = records(model, 60)
    scorer = fitted(model, rows)
    by_columns, read = made(model, scorer)
    expected = scorer.many([features(model.record.model_validate(row)) for row in rows])
    if by_columns:
        assert by_columns.many(read(rows)) == expected
    else:
        assert features in (far, unit, of_class)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many pairs of zones are asked for."""
    monkeypatch.setattr("scoring.scorers.columns._MAX_REMEMBERED", 10)
    rows = records(RIDE, 60)
    scorer = fitted(RIDE, rows)
    by_columns, read = made(RIDE, scorer)
    assert by_columns
    for row in rows:
        expected = scorer.many([RIDE.features(RIDE.record.model_validate(row))])
        assert by_columns.many(read([row])) == expected
        assert len(by_columns._sums) <= 11
