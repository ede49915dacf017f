"""One file a model. A model file says what a record is, which features are made from it, what is
predicted and how the score becomes an answer, and ends in `MODEL = Model(...)`. A new file here is
found by `discover` and needs no entry anywhere. One that holds what some door could not deal with
is refused there, in a line that names the file and the field; the other models do not notice.

Folders that the environment variable MODEL_CODE names, separated by colons, hold such files of
other people's: they need no copy of this package. A file there takes the place of one of the same
name here."""

from __future__ import annotations

import importlib
import logging
import math
import os
import pkgutil
import sys
import traceback
import zipimport
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from scoring.errors import InvalidRecords, SettingsError
from scoring.field_kinds import Refused, check_record
from scoring.record import Record, RecordReader
from scoring.values.field_parts import parts_of
from scoring.values.json_values import all_as_json, as_json

_log = logging.getLogger(__name__)

# What a DictVectorizer takes: text is one-hot encoded as "name=value", a number is kept.
Features = Mapping[str, str | float]

# The value of a prediction as JSON: {"duration": 37.4}.
Answer = dict[str, float | bool | str]


@dataclass(frozen=True)
class Present:
    """A model's `features` without what is missing: a feature that is None is none to a
    DictVectorizer, and a member of an Enum is its text."""

    made: Callable[[Any], Mapping[str, Any]]

    def __call__(self, record: Any) -> Features:
        """Return the features of a record."""
        return {
            # not isinstance: a stand-in that is only handed on must not be looked into
            name: value.value if issubclass(type(value), Enum) else value
            for name, value in self.made(record).items()
            if value is not None
        }


@dataclass(frozen=True, kw_only=True)
class Model:
    """Everything the service and the training know about one model.

    `score` is what the estimator gives for one record: the predicted value of a regression, the
    probability of the positive class of a classification.
    """

    name: str  # in the URL, in MODELS and in the folder's name
    title: str  # for people
    registered_name: str  # in a model registry
    artifact_file: str  # the pickled pair's file name
    task: Literal["regression", "classification"]
    target: str  # the column that training predicts
    unit: str  # of the target
    record: type[Record]
    features: Callable[[Any], Features]  # takes a `record`
    answer: Callable[[float, float], Answer]  # takes the score and the threshold
    example: Mapping[str, Any]  # a valid record: warms up, checks, documents
    threshold: float = 0.5  # of a classification, unless the manifest says otherwise
    intended_use: str = ""  # for people, on the model card
    limits: tuple[str, ...] = ()  # where not to trust it, on the model card
    rank: int = 100  # served in this order where MODELS is not set; the lowest is the default

    def __post_init__(self) -> None:
        """Have the example as JSON has it, and features as a DictVectorizer takes them."""
        object.__setattr__(self, "example", all_as_json(self.example))
        if not isinstance(self.features, Present) and self.not_as_they_are:
            object.__setattr__(self, "features", Present(self.features))

    @property
    def not_as_they_are(self) -> set[str]:
        """The fields whose values may be other features than they are: null, a member of an
        Enum."""
        return {
            name
            for name, field in self.record.model_fields.items()
            for kind, _, nullable in [parts_of(field)]
            if nullable or (isinstance(kind, type) and issubclass(kind, Enum))
        }

    @property
    def nullable(self) -> set[str]:
        """The fields that may be null."""
        return {
            name for name, field in self.record.model_fields.items() if parts_of(field).nullable
        }


# Keys of the service's own in an answer.
_OURS: Final = {"model_version", "unseen", "explanation", "predictions"}
_TRIED: Final = (0.25, 0.5, 0.75)  # scores whose answers must be alike, whatever the task


def discover() -> dict[str, Model]:
    """Return every usable model of this package by name, in the order in which they are served.

    A file that cannot be used is left out and logged, once in a process; `refused` has the reason.
    """
    models = _found(_files())[0]
    return {model.name: model for model in sorted(models, key=lambda m: (m.rank, m.name))}


def refused() -> dict[str, str]:
    """Return why a model cannot be used, a line each, by the model's name or else its file's."""
    return dict(_found(_files())[1])


def select(names: tuple[str, ...], known: Mapping[str, Model]) -> dict[str, Model]:
    """Return the models `names` (none: all that are known), in that order.

    Raises SettingsError for a name that is not known, or whose file is refused.
    """
    for name in names:
        if name not in known:
            if name in (reasons := refused()):
                raise SettingsError(f"MODELS names '{name}': {reasons[name]}")
            there = ", ".join(known)
            raise SettingsError(f"MODELS names '{name}', which is not a model; there are: {there}")
    return {name: known[name] for name in names or tuple(known)}


def refuse_kept(folder: Path, names: Iterable[str] = ()) -> None:
    """Raise SettingsError where `folder` holds the artifact of a model whose file is refused and no
    `names` say that others are meant: to serve without it would be less than what was asked."""
    if not names:
        for name, reason in refused().items():
            if (folder / name).is_dir():
                raise SettingsError(f"{folder / name} cannot be served: {reason}")


_HERE: Final = Path(__file__).parent


def code_folders() -> list[Path]:
    """Return the folders that hold model files: those of MODEL_CODE, then our own. Raises
    SettingsError for one that is not there."""
    given = [word.strip() for word in os.environ.get("MODEL_CODE", "").split(os.pathsep)]
    folders = [Path(word).expanduser().resolve() for word in given if word]
    for folder in folders:
        if not folder.is_dir():
            raise SettingsError(f"MODEL_CODE names {folder}, which is not a folder")
    return [*folders, _HERE]


def _files() -> tuple[Path, ...]:
    """Return every model file, of those with the same name the first."""
    # the package stands for all of these folders, so that a model in any of them is a module of it
    __path__[:] = [str(folder) for folder in code_folders()]
    importlib.invalidate_caches()  # a file that was written a moment ago
    found = pkgutil.iter_modules(__path__)
    return tuple(_folder(module.module_finder) / f"{module.name}.py" for module in found)


def _folder(finder: Any) -> Path:
    """Return where a finder looks: a folder, or one in a zip, as Spark's executors have it."""
    if isinstance(finder, zipimport.zipimporter):
        return Path(finder.archive, finder.prefix)
    return Path(finder.path)


@cache
def _found(files: tuple[Path, ...]) -> tuple[list[Model], dict[str, str]]:
    models: list[Model] = []
    reasons: dict[str, str] = {}
    for path in files:
        name = path.stem
        try:
            model = _loaded(path)
            name = str(model.name)
            _check(model, models)
            models.append(model)
        except Refused as error:
            reasons[name] = f"the model file {path.name} is not used: {error}"
            _log.error(reasons[name])
    return models, reasons


def _loaded(path: Path) -> Model:
    name = f"{__name__}.{path.stem}"
    if (before := getattr(sys.modules.get(name), "__file__", None)) and Path(before) != path:
        del sys.modules[name]  # of another folder, which MODEL_CODE named before
    try:
        model = importlib.import_module(name).MODEL
    except Exception as error:
        raise Refused(f"it cannot be read: {_told(error)}") from error
    if not isinstance(model, Model):
        raise Refused("its MODEL is no Model(...)")
    return model


def _check(model: Model, others: Iterable[Model]) -> None:
    """Raise Refused where something of a model would fail at one of the doors."""
    if not (model.name.isidentifier() and model.name.islower()):
        raise Refused(f"its name '{model.name}' is not in lower case letters, digits and _")
    if model.name in {other.name for other in others}:
        raise Refused(f"another file has a model of the name '{model.name}'")
    if not (isinstance(model.record, type) and issubclass(model.record, Record)):
        raise Refused("its record is no subclass of Record")
    check_record(model.record)
    reader = RecordReader(model.record)
    record = _valid(reader, model.example, "its example is no valid record")
    for name, field in model.record.model_fields.items():
        if not field.is_required():
            default = as_json(field.get_default(call_default_factory=True))
            _valid(reader, {**model.example, name: default}, "a default is not valid")
    try:
        made = dict(model.features(record))
        for name in sorted(model.nullable):
            model.features(reader.one({**model.example, name: None}))
        answers = [model.answer(score, model.threshold) for score in _TRIED]
    except Exception as error:
        raise Refused(f"its code fails on its own example: {_told(error)}") from error
    _check_features(made)
    _check_answers(answers)


def _valid(reader: RecordReader, values: Mapping[str, Any], words: str) -> Record:
    try:
        return reader.one(dict(values))
    except InvalidRecords as error:
        line = error.errors[0]
        raise Refused(f"{words}: {line.field}: {line.problem}") from error


def _check_features(made: Mapping[Any, Any]) -> None:
    if not made:
        raise Refused("its features are none")
    for name, value in made.items():
        if not (isinstance(name, str) and (isinstance(value, str) or _is_finite(value))):
            raise Refused(
                f"its feature {name!r} is {value!r}; features are texts and numbers by their names"
            )


def _check_answers(answers: list[Any]) -> None:
    first = answers[0]
    if not (isinstance(first, dict) and first and all(type(name) is str for name in first)):
        raise Refused("its answer is no dictionary of values by their names")
    if ours := sorted(first.keys() & _OURS):
        raise Refused(f"its answer has the key '{ours[0]}', which the service adds itself")
    for name, value in first.items():
        if not (type(value) in (bool, str) or _is_finite(value)):
            raise Refused(
                f"its answer '{name}' is {value!r}; answers are numbers, texts, true and false"
            )
    kinds = [{name: _kind(value) for name, value in answer.items()} for answer in answers]
    if any(kind != kinds[0] for kind in kinds):
        raise Refused("its answer has other keys, or other kinds of value, for another score")


def _kind(value: Any) -> str:
    return "number" if _is_finite(value) and not isinstance(value, bool) else type(value).__name__


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _told(error: Exception) -> str:
    """Return an exception in one line, with the place in a file that it came from."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    words = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {words} ({Path(last.filename).name}, line {last.lineno})"
