"""The data plane: a body in, an answer out. It knows nothing of Flask or HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from scoring.errors import InvalidRecords, SettingsError, TooLarge, UnknownModel
from scoring.explain import explained
from scoring.jsontext import decode
from scoring.models import Model
from scoring.predictor import Predictor, Scored
from scoring.witness import Witness


def predict(
    predictor: Predictor,
    body: bytes,
    *,
    max_records: int,
    explain: bool = False,
    witness: Witness | None = None,
    request_id: str = "",
) -> dict[str, Any]:
    """Gives the answer to a JSON object (one record) or a JSON array of at most `max_records`
    records, which one version of the model answers; with `explain` each answer says what moved
    it. `witness` sees what was predicted for `request_id`. Raises a RequestError for a bad body."""
    begun = time.perf_counter()
    value = decode(body)
    many = isinstance(value, list)
    try:
        scored = _several(predictor, value, max_records) if many else predictor.one(value)
        answers = explained(predictor, scored.records) if explain else scored.answers
    except InvalidRecords as error:
        if witness:
            witness.refused(predictor, error)
        raise
    if witness:
        witness.answered(predictor, scored, time.perf_counter() - begun, request_id)
    if many:
        return {"predictions": answers, "model_version": predictor.version}
    return {**answers[0], "model_version": predictor.version}


def answer_values(
    predictor: Predictor,
    values: list[Any],
    *,
    max_records: int,
    witness: Witness | None = None,
    request_id: str = "",
) -> list[dict[str, Any]]:
    """Gives the answers to JSON values that hold records, in order: for requests in other forms
    than our own. Raises a RequestError for a bad record or too many of them."""
    begun = time.perf_counter()
    try:
        scored = _several(predictor, values, max_records)
    except InvalidRecords as error:
        if witness:
            witness.refused(predictor, error)
        raise
    if witness:
        witness.answered(predictor, scored, time.perf_counter() - begun, request_id)
    return scored.answers


def _several(predictor: Predictor, values: list[Any], max_records: int) -> Scored:
    if len(values) > max_records:
        raise TooLarge(f"{len(values)} records in one request; at most {max_records} are taken")
    return predictor.many(values)


def chosen(names: tuple[str, ...], known: Mapping[str, Model]) -> dict[str, Model]:
    """Gives the models `names` (none: all that are known), in that order; raises SettingsError for
    one that is not known."""
    for name in names:
        if name not in known:
            there = ", ".join(known)
            raise SettingsError(f"MODELS names '{name}', which is no model; there are: {there}")
    return {name: known[name] for name in names or tuple(known)}


class Predictors:
    """The models that are served, by name; the first is the default."""

    def __init__(self, predictors: Mapping[str, Predictor]) -> None:
        self._predictors = dict(predictors)
        self.replaced: Callable[[Predictor], None] | None = None  # is told of a new one

    @classmethod
    def from_folders(
        cls, models_dir: Path, names: tuple[str, ...], known: Mapping[str, Model]
    ) -> Predictors:
        """Loads the models `names` (none: all that are known). Raises a StartError unless every
        one of them can serve: a service that is half there is worse than none."""
        models = chosen(names, known).values()
        return cls({m.name: Predictor.from_folder(models_dir / m.name, m) for m in models})

    @property
    def default(self) -> Predictor:
        """The first model's."""
        return next(iter(self._predictors.values()))

    def replace(self, predictor: Predictor) -> None:
        """Lets `predictor` answer from now on in the place of its model's former one. One
        assignment: a request sees the old or the new, and keeps what it has seen."""
        self._predictors = {**self._predictors, predictor.model.name: predictor}
        if self.replaced:
            self.replaced(predictor)

    def __iter__(self) -> Any:
        return iter(self._predictors.values())

    def get(self, name: str | None) -> Predictor:
        """Gives the predictor called `name`, or the default one; raises UnknownModel."""
        if name is None:
            return self.default
        if name not in self._predictors:
            there = ", ".join(self._predictors)
            raise UnknownModel(f"no model of that name is served; there are: {there}")
        return self._predictors[name]
