"""A prediction in words, and what moved it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from scoring.errors import InvalidRecords
from scoring.explain import explanations
from scoring.predictor import Predictor
from scoring.values.strict_json import encode
from serving.fields import fields
from serving.pages.forms import inputs
from serving.pages.names import Named, of_feature, of_value
from serving.pages.numbers import fixed, number, percent, signed
from serving.pages.sure import sure

# More lines than these hide the large ones; the rest are added up in one.
_LINES: Final = 7


@dataclass(frozen=True)
class Line:
    """One contribution: `share` is its size relative to the largest, 0 to 100; `code` is what the
    model has in the label's place."""

    label: str
    code: str
    amount: str
    share: float
    negative: bool


@dataclass(frozen=True, kw_only=True)
class Result:
    """What the form shows below itself: an answer, or errors by field."""

    headline: str = ""
    verdict: str = ""
    sure: str = ""
    decimals: int = 1  # that the answer's numbers have sense with
    unseen: tuple[Named, ...] = ()
    beyond: tuple[Named, ...] = ()
    lines: tuple[Line, ...] = ()
    base: str = ""
    total: str = ""
    unit: str = ""
    reason: str = ""
    exact: bool = False
    json: str = ""
    errors: Mapping[str, str] | None = None


def result(predictor: Predictor, record: Mapping[str, Any]) -> Result:
    """Return the prediction for a JSON object, or the errors in it. Its JSON has the interval that
    the pages ask for, where the model gives any."""
    try:
        scored = predictor.one(dict(record))
    except InvalidRecords as error:
        return Result(errors={line.field: line.problem for line in error.errors})
    [answer], [score] = scored.answers, scored.scores
    [explanation] = explanations(predictor, scored.records)
    how = sure(predictor, record, answer, score)
    plain = {**answer, **how.ends, "model_version": predictor.version}
    parts = _decimals(explanation, how.decimals)
    return Result(
        headline=_headline(predictor, answer, how.decimals),
        verdict=_verdict(predictor, answer),
        sure=how.words,
        decimals=how.decimals,
        unseen=tuple(of_feature(predictor.model, name) for name in answer.get("unseen", ())),
        beyond=tuple(_beyond(predictor, name) for name in answer.get("beyond", ())),
        lines=_lines(predictor, explanation, parts),
        base=fixed(explanation["base"], parts) if "base" in explanation else "",
        total=fixed(explanation["total"], parts) if "total" in explanation else "",
        unit=_unit(explanation),
        reason=explanation.get("reason", ""),
        exact=explanation["exact"],
        json=encode(plain).decode(),
    )


def _decimals(explanation: Mapping[str, Any], decimals: int) -> int:
    """Return the decimals of contributions: one more than the answer has, so that they add up to
    it; two of log-odds, which are small."""
    return 2 if str(explanation.get("unit", "")).startswith("log") else decimals + 1


def _beyond(predictor: Predictor, name: str) -> Named:
    """Return in words that a number, `trip_distance=40`, lies beyond those of the training."""
    field = name.partition("=")[0]
    low, high = predictor.ranges.of[field]
    title = fields(predictor.model)[field].title
    return Named(f"{title} from {number(low)} to {number(high)} only", name)


def _unit(explanation: Mapping[str, Any]) -> str:
    unit = str(explanation.get("unit", ""))
    return f"{unit} of {_value(explanation['class'])}" if "class" in explanation else unit


def _headline(predictor: Predictor, answer: Mapping[str, Any], decimals: int) -> str:
    """Return the answer's first number, `37 minutes` or `61 %`, else its first text; of several
    classes both."""
    likely = _by_class(predictor, answer)
    if likely:
        return f"{_value(likely[0][0])}, {percent(likely[0][1])}"
    numbers = [v for v in answer.values() if isinstance(v, int | float) and not isinstance(v, bool)]
    if not numbers:
        return next((value for value in answer.values() if isinstance(value, str)), "")
    if predictor.model.task == "classification":
        return percent(float(numbers[0]))
    return f"{fixed(numbers[0], decimals)} {predictor.model.unit}"


def _verdict(predictor: Predictor, answer: Mapping[str, Any]) -> str:
    """Return the answer's first truth value: `churn: no (yes from 50 %)`; of several classes how
    likely the others are."""
    if likely := _by_class(predictor, answer):
        return ", ".join(f"{_value(name)} {percent(share)}" for name, share in likely[1:_LINES])
    for name, value in answer.items():
        if isinstance(value, bool):
            threshold = percent(predictor.manifest.threshold)
            return f"{name}: {'yes' if value else 'no'} (yes from {threshold})"
    return ""


def _by_class(predictor: Predictor, answer: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Return the classes with their probabilities, the likeliest first, where there are several."""
    found = next((value for value in answer.values() if isinstance(value, dict)), {})
    known = predictor.model.classes and {*found} == {*predictor.model.classes}
    return sorted(found.items(), key=lambda pair: -pair[1]) if known else []


def _lines(predictor: Predictor, explanation: Mapping[str, Any], decimals: int) -> tuple[Line, ...]:
    found: list[Mapping[str, Any]] = explanation["contributions"]
    if not found:
        return ()
    largest = max(abs(line["contribution"]) for line in found) or 1.0
    model = predictor.model
    titles = {field.name: field.title for field in inputs(model)}

    def line(label: str, amount: float, code: str = "") -> Line:
        share = 100 * min(abs(amount) / largest, 1)
        return Line(label, code, signed(amount, decimals), share, amount < 0)

    shown = found if len(found) <= _LINES + 1 else found[:_LINES]
    lines = []
    for item in shown:
        feature, named = item["feature"], of_value(model, item["feature"], item["value"])
        label = f"{titles[feature]}: {named.words}" if feature in titles else named.words
        if feature not in titles and not named.code:
            label = f"{feature}: {named.words}"
        if "instead_of" in item:
            label += f" instead of {of_value(model, feature, item['instead_of']).words}"
        code = f"{feature}={named.code}" if named.code else ""
        lines.append(line(label, item["contribution"], code))
    rest = found[len(shown) :]
    if rest and explanation["exact"]:
        together = sum(item["contribution"] for item in rest)
        lines.append(line(f"{len(rest)} others together", together))
    return tuple(lines)


def _value(value: object) -> str:
    """Return a category without its underscores."""
    return str(value).replace("_", " ")
