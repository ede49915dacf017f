"""What moved a prediction: the contribution of each feature to it.

A linear model's score is its intercept plus one product a feature, coefficient times value (a
category has the value 1), so its contributions are exact: `base` and they add up to `total`. They
are in the target's unit; a logistic regression adds up log-odds, and only their sum becomes a
probability.

Of several classes it is the most likely one's that is explained: its log-odds, or for a softmax the
logarithm of its probability relative to the geometric mean of all (`log-ratio`).

Of any other estimator we say how far the score falls where one field of the record is replaced by
what is usual in the training data and the others stay. Such differences are true of the model but
do not add up, and are marked `exact: false`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scoring.errors import InvalidRecords
from scoring.models import Features
from scoring.predictor import Predictor
from scoring.record import Record
from scoring.scorers.classes import Classes
from scoring.scorers.linear import Linear
from scoring.values.field_parts import parts_of
from scoring.values.json_values import as_json
from scoring.values.shares import Shares, numbers_of

Explanation = dict[str, Any]


def explained(predictor: Predictor, records: Sequence[Record]) -> list[dict[str, Any]]:
    """Return what `predictor.answers` returns, each answer with its `explanation`."""
    answers = predictor.answers(records)
    found = zip(answers, explanations(predictor, records), strict=True)
    return [{**answer, "explanation": explanation} for answer, explanation in found]


def explanations(predictor: Predictor, records: Sequence[Record]) -> list[Explanation]:
    """Return one explanation a record, in order; the largest contributions come first."""
    if predictor.model.classes:
        return _of_classes(predictor, records)
    linear = predictor.scorer.linear()
    if linear is not None:
        counted = {"method": "linear", "exact": True, "unit": unit(predictor)}
        made = (predictor.model.features(record) for record in records)
        return [counted | _linear(linear, features) for features in made]
    return _compared(predictor, records)


def _compared(predictor: Predictor, records: Sequence[Record]) -> list[Explanation]:
    """Return explanations by what is usual, where the manifest knows that."""
    usual = _usual(predictor)
    if usual:
        return _one_at_a_time(predictor, records, usual)
    reason = f"not available for {predictor.manifest.estimator}: its manifest has no profile"
    return [
        {"method": "none", "exact": False, "reason": reason, "contributions": []} for _ in records
    ]


def _of_classes(predictor: Predictor, records: Sequence[Record]) -> list[Explanation]:
    """Return an explanation of each record's most likely class, which it names."""
    scorer, model = predictor.scorer, predictor.model
    if not isinstance(scorer, Classes) or scorer.of_class(0) is None:
        return _compared(predictor, records)
    counted = {"method": "linear", "exact": True, "unit": unit(predictor)}
    weights: dict[int, Linear | None] = {}
    found = []
    rows = [model.features(record) for record in records]
    for features, score in zip(rows, predictor.scores(rows), strict=True):
        place = score.place if isinstance(score, Shares) else 0
        if place not in weights:
            weights[place] = scorer.of_class(place)
        linear = weights[place]
        assert linear is not None  # noqa: S101  # for the type checker
        found.append({**counted, "class": model.classes[place], **_linear(linear, features)})
    return found


def unit(predictor: Predictor) -> str:
    """Return the unit in which contributions are counted."""
    if isinstance(predictor.scorer, Classes) and predictor.scorer.of_class(0) is not None:
        return "log-ratio" if predictor.scorer.link == "softmax" else "log-odds"
    if predictor.model.task == "classification" and predictor.scorer.linear() is not None:
        return "log-odds"
    return predictor.model.unit


def _linear(linear: Linear, features: Features) -> Explanation:
    found: list[dict[str, Any]] = []
    for name, value in features.items():
        # a category that training never saw has no weight, so it moves nothing
        weight = linear.weight(name, value)
        contribution = weight if isinstance(value, str) else weight * value
        found.append({"feature": name, "value": value, "contribution": contribution})
    return {
        "base": linear.intercept,
        "contributions": _sorted(found),
        "total": linear.intercept + sum(line["contribution"] for line in found),
    }


def _one_at_a_time(
    predictor: Predictor, records: Sequence[Record], usual: Mapping[str, Any]
) -> list[Explanation]:
    model = predictor.model
    variants = [
        model.features(record.model_copy(update={name: value}))
        for record in records
        for name, value in usual.items()
    ]
    scores = predictor.scores([model.features(record) for record in records])
    replaced = iter(predictor.scores(variants))
    found = []
    for record, score in zip(records, scores, strict=True):
        of = score.place if isinstance(score, Shares) else 0
        total = numbers_of(score)[of]
        lines = [
            {
                "feature": name,
                "value": as_json(getattr(record, name)),
                "instead_of": as_json(value),
                "contribution": total - numbers_of(next(replaced))[of],
            }
            for name, value in usual.items()
        ]
        found.append(
            {
                "method": "one field at a time",
                "exact": False,
                "unit": unit(predictor),
                "reason": f"{predictor.manifest.estimator} is not linear: each number is how far "
                "the score falls with the usual value in that field; they do not add up",
                "contributions": _sorted(lines),
                "total": total,
                **({"class": model.classes[of]} if model.classes else {}),
            }
        )
    return found


def _usual(predictor: Predictor) -> dict[str, Any]:
    """Return a usual value a field, from the manifest's profile: the median of a quantity, the most
    frequent of a category (a whole number may be one); no field whose value the record refuses."""
    found = {}
    for name, field in predictor.model.record.model_fields.items():
        entry = predictor.manifest.profile.get(name, {})
        if parts_of(field).kind is float:
            value = entry.get("quantiles", {}).get("0.5")
        else:
            value = next((pair[0] for pair in entry.get("most_frequent", ())), None)
        try:
            valid = predictor.reader.one({**predictor.model.example, name: value})
        except InvalidRecords:
            continue
        found[name] = getattr(valid, name)
    return found


def _sorted(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(lines, key=lambda line: -abs(line["contribution"]))
