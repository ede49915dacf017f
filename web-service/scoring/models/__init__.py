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
import os
import pkgutil
import sys
import zipimport
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from scoring.errors import SettingsError
from scoring.field_kinds import Refused
from scoring.model import Answer, Features, Model
from scoring.model_checks import check, told
from scoring.values.shares import Shares

__all__ = ["Answer", "Features", "Model", "Shares", "code_folders", "discover", "refuse_kept",
           "refused", "select"]  # fmt: skip

_log = logging.getLogger(__name__)


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
    # Path's own raises where there is no such user
    folders = [Path(os.path.expanduser(word)).resolve() for word in given if word]  # noqa: PTH111
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
            check(model, models)
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
        raise Refused(f"it cannot be read: {told(error)}") from error
    if not isinstance(model, Model):
        raise Refused("its MODEL is no Model(...)")
    return model
