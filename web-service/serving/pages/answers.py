"""A prediction in words, and what moved it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from scoring.errors import InvalidRecords
from scoring.explain import explained
from scoring.predictor import Predictor
from scoring.values.strict_json import encode
from serving.pages.forms import inputs
from serving.pages.numbers import number, percent, signed

# More lines than these hide the large ones; the rest are added up in one.
_LINES: Final = 7


@dataclass(frozen=True)
class Line:
    """One contribution: `share` is its size relative to the largest, 0 to 100."""

    label: str
    amount: str
    share: float
    negative: bool


@dataclass(frozen=True, kw_only=True)
class Result:
    """What the form shows below itself: an answer, or errors by field."""

    headline: str = ""
    verdict: str = ""
    unseen: tuple[str, ...] = ()
    beyond: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    base: str = ""
    total: str = ""
    unit: str = ""
    reason: str = ""
    exact: bool = False
    json: str = ""
    errors: Mapping[str, str] | None = None


def result(predictor: Predictor, record: Mapping[str, Any]) -> Result:
    """Return the prediction for a JSON object, or the errors in it."""
    try:
        [answer] = explained(predictor, [predictor.reader.one(dict(record))])
    except InvalidRecords as error:
        return Result(errors={line.field: line.problem for line in error.errors})
    explanation = answer.pop("explanation")
    plain = {**answer, "model_version": predictor.version}
    return Result(
        headline=_headline(predictor, answer),
        verdict=_verdict(predictor, answer),
        unseen=tuple(answer.get("unseen", ())),
        beyond=tuple(answer.get("beyond", ())),
        lines=_lines(predictor, explanation),
        base=number(explanation["base"]) if "base" in explanation else "",
        total=number(explanation["total"]) if "total" in explanation else "",
        unit=_unit(explanation),
        reason=explanation.get("reason", ""),
        exact=explanation["exact"],
        json=encode(plain).decode(),
    )


def _unit(explanation: Mapping[str, Any]) -> str:
    unit = str(explanation.get("unit", ""))
    return f"{unit} of {_value(explanation['class'])}" if "class" in explanation else unit


def _headline(predictor: Predictor, answer: Mapping[str, Any]) -> str:
    """Return the answer's first number, `37.4 minutes` or `61 %`, else its first text; of several
    classes both."""
    likely = _by_class(predictor, answer)
    if likely:
        return f"{_value(likely[0][0])}, {percent(likely[0][1])}"
    numbers = [v for v in answer.values() if isinstance(v, int | float) and not isinstance(v, bool)]
    if not numbers:
        return next((value for value in answer.values() if isinstance(value, str)), "")
    if predictor.model.task == "classification":
        return percent(float(numbers[0]))
    return f"{numbers[0]:.1f} {predictor.model.unit}"


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


def _lines(predictor: Predictor, explanation: Mapping[str, Any]) -> tuple[Line, ...]:
    found: list[Mapping[str, Any]] = explanation["contributions"]
    if not found:
        return ()
    largest = max(abs(line["contribution"]) for line in found) or 1.0
    titles = {field.name: field.title for field in inputs(predictor.model)}

    def line(label: str, amount: float) -> Line:
        return Line(label, signed(amount), 100 * min(abs(amount) / largest, 1), amount < 0)

    shown = found if len(found) <= _LINES + 1 else found[:_LINES]
    lines = []
    for item in shown:
        label = f"{titles.get(item['feature'], item['feature'])}: {_value(item['value'])}"
        if "instead_of" in item:
            label += f" instead of {_value(item['instead_of'])}"
        lines.append(line(label, item["contribution"]))
    rest = found[len(shown) :]
    if rest and explanation["exact"]:
        together = sum(item["contribution"] for item in rest)
        lines.append(line(f"{len(rest)} others together", together))
    return tuple(lines)


def _value(value: object) -> str:
    """Return a category without its underscores; `10_50` is a pair of numbers and keeps its own."""
    if isinstance(value, str) and not value[:1].isdigit():
        return value.replace("_", " ")
    return str(value)
