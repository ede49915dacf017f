"""The engine: a body or values in, answers out. It knows neither HTTP nor Flask."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scoring.errors import ArtifactError, InvalidRecords, RequestError, UnknownModel
from scoring.explain import explained
from scoring.intervals import Interval
from scoring.limits import Limits
from scoring.models import Model, refuse_kept, select
from scoring.observers.observer import NO_CALLER, Caller, PredictionObserver, carried
from scoring.predictor import Predictor
from scoring.values.strict_json import decode


def predict(
    predictor: Predictor,
    body: bytes,
    *,
    limits: Limits,
    explain: bool = False,
    interval: float | None = None,
    observer: PredictionObserver | None = None,
    caller: Caller = NO_CALLER,
) -> dict[str, Any]:
    """Return the answer to a JSON object (one record) or a JSON array of records.

    One version of the model answers all of them; with `explain` each answer says what moved it,
    with `interval` between which numbers that share of the truths lies. Raises a RequestError for a
    body that is not JSON, an invalid record or too many records, and for an interval that the model
    cannot give.
    """
    begun = time.perf_counter()
    bounds = Interval(predictor, interval) if interval is not None else None
    if body[:1] == b"[" and not explain:
        found = _plain_array(predictor, body, limits, bounds, observer, caller, begun)
        if found is not None:
            return found
    value = decode(body)
    answers = _answers(predictor, value, limits, explain, bounds, observer, caller, begun)
    if isinstance(value, list):
        return {"predictions": answers, "model_version": predictor.version}
    return {**answers[0], "model_version": predictor.version}


def predict_quickly(
    predictor: Predictor,
    body: bytes,
    *,
    limits: Limits,
    observer: PredictionObserver | None = None,
    caller: Caller = NO_CALLER,
) -> dict[str, Any] | None:
    """Return the answer that `predict` gives to a JSON array where that takes a microsecond a
    record or so; None where it takes longer, for the model or for what the records are. Raises
    TooLarge."""
    if body[:1] != b"[" or not predictor.has_columns:
        return None
    begun = time.perf_counter()
    return _plain_array(predictor, body, limits, None, observer, caller, begun)


def answer_values(
    predictor: Predictor,
    values: list[Any],
    *,
    limits: Limits,
    interval: float | None = None,
    observer: PredictionObserver | None = None,
    caller: Caller = NO_CALLER,
) -> list[dict[str, Any]]:
    """Return one answer to each of `values`, JSON values that hold a record each, in order.

    For requests in other forms than our own. Raises a RequestError for an invalid record, too many
    of them, or an `interval` that the model cannot give.
    """
    begun = time.perf_counter()
    bounds = Interval(predictor, interval) if interval is not None else None
    explain = False
    return _answers(predictor, values, limits, explain, bounds, observer, caller, begun)


def answer_each(
    predictor: Predictor,
    items: Sequence[Any],
    *,
    ids: Sequence[str],
    interval: float | None = None,
    observer: PredictionObserver | None = None,
) -> list[dict[str, Any] | RequestError]:
    """Return for each of `items` its answer, or what is wrong with it: a bad one refuses no other.

    An item is one record, as JSON text (bytes) or as a JSON value; `ids` name them, one each, to
    the observer. For streams, where every event is a request of its own. Raises InvalidQuery for
    an `interval` that the model cannot give.
    """
    begun = time.perf_counter()
    scored, refused = predictor.each(items)
    if observer:
        for error in refused.values():
            if isinstance(error, InvalidRecords):
                observer.refused(predictor, error)
        if scored.records:
            found = _carried(list(map(_read, items)), observer) if observer.wanted else []
            if refused:
                ids = [name for place, name in enumerate(ids) if place not in refused]
                found = [one for place, one in enumerate(found) if place not in refused]
            caller = NO_CALLER._replace(ids=ids, carried=found)
            observer.answered(predictor, scored, time.perf_counter() - begun, caller)
    found_answers = scored.answers
    if interval is not None:
        found_answers = Interval(predictor, interval).added(scored.answers, scored.scores)
    if not refused:
        return list(found_answers)
    answers = iter(found_answers)
    return [refused.get(place) or next(answers) for place in range(len(items))]


def _plain_array(
    predictor: Predictor,
    body: bytes,
    limits: Limits,
    bounds: Interval | None,
    observer: PredictionObserver | None,
    caller: Caller,
    begun: float,
) -> dict[str, Any] | None:
    """Return the answer to an array of plain records, None where it is another, or where their
    JSON values are asked for."""
    if observer and observer.wanted:
        return None
    scored = predictor.plain_array(body, limits)
    if scored is None:
        return None
    if observer:
        observer.answered(predictor, scored, time.perf_counter() - begun, caller)
    answers = bounds.added(scored.answers, scored.scores) if bounds else scored.answers
    return {"predictions": answers, "model_version": predictor.version}


def _answers(
    predictor: Predictor,
    value: Any,
    limits: Limits,
    explain: bool,
    bounds: Interval | None,
    observer: PredictionObserver | None,
    caller: Caller,
    begun: float,
) -> list[dict[str, Any]]:
    try:
        if isinstance(value, list):
            limits.check_records(len(value))
            scored = predictor.many(value, limits.max_errors)
        else:
            scored = predictor.one(value)
        answers = scored.answers
        if explain:
            limits.check_explained(len(answers))
            answers = explained(predictor, scored.records)
        if bounds:
            answers = bounds.added(answers, scored.scores)
    except InvalidRecords as error:
        if observer:
            observer.refused(predictor, error)
        raise
    if observer:
        if observer.wanted:
            values = value if isinstance(value, list) else [value]
            caller = caller._replace(carried=_carried(values, observer))
        observer.answered(predictor, scored, time.perf_counter() - begun, caller)
    return answers


def _carried(values: Sequence[Any], observer: PredictionObserver) -> list[dict[str, str]]:
    """Return the ids that each record carried along."""
    return [carried(value, observer.wanted) for value in values]


def _read(item: Any) -> Any:
    """Return an item as a JSON value, None where it is no JSON."""
    try:
        return decode(item) if type(item) is bytes else item
    except RequestError:
        return None


class Predictors:
    """The models that are served, by name; the first is the default."""

    def __init__(self, predictors: Mapping[str, Predictor]) -> None:
        self._predictors = dict(predictors)

    @classmethod
    def from_folders(
        cls, models_dir: Path, names: tuple[str, ...], known: Mapping[str, Model]
    ) -> Predictors:
        """Load the models `names` (none: all that are known) from their folders in `models_dir`.

        Raises a StartError unless every one of them can serve: a service with half of its models
        is worse than none. Where none was named, it says which MODELS would do without.
        """
        refuse_kept(models_dir, names)
        models = select(names, known)
        predictors = {}
        for name, model in models.items():
            try:
                predictors[name] = Predictor.from_folder(models_dir / name, model)
            except ArtifactError as error:
                others = ",".join(other for other in models if other != name)
                hint = f"; MODELS={others} serves without it" if others and not names else ""
                raise ArtifactError(f"{error}{hint}") from error
        return cls(predictors)

    @property
    def default(self) -> Predictor:
        """The predictor of the first model."""
        return next(iter(self._predictors.values()))

    def replace(self, predictor: Predictor) -> None:
        """Let `predictor` answer from now on in place of its model's previous one.

        It is one assignment: a request sees the old one or the new one, and keeps what it saw.
        """
        self._predictors = {**self._predictors, predictor.model.name: predictor}

    def __iter__(self) -> Iterator[Predictor]:
        """Iterate over the predictors, the default one first."""
        return iter(self._predictors.values())

    def get(self, name: str | None) -> Predictor:
        """Return the predictor of the model `name`, or the default one; raise UnknownModel."""
        if name is None:
            return self.default
        if name not in self._predictors:
            there = ", ".join(self._predictors)
            raise UnknownModel(f"no model of that name is served; there are: {there}")
        return self._predictors[name]
