"""From the name of a version to its predictions: what `report --model` means."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from monitoring import trainings
from monitoring.entries import Only
from monitoring.errors import MonitoringError, UsageError
from monitoring.store import Store
from scoring.artifact.folder import in_place
from scoring.artifact.reading import read_manifest
from scoring.models import discover
from scoring.registry.resolve import resolve
from scoring.registry.settings import RegistrySettings

_SHOWN = 10


def chosen(store: Store, model: str, which: str, settings: RegistrySettings) -> Only:
    """Return the version that `which` means, and keep its training's profile where it has one.

    `which` is a version as predictions name it (`3`), a model's name, a folder or a `models:/` URI.
    Raises UsageError for one that is none or of another model, MonitoringError where the store has
    no prediction of it, and what `resolve` raises.
    """
    there = store.versions(model)
    if which in {version for version, _ in there}:
        return Only(which)
    is_folder = os.sep in which or Path(which).is_dir()
    if not is_folder and which not in discover():
        raise UsageError(
            f"--model {which}: the store has no such version of '{model}'; {_named(there)}"
        )
    found = resolve(which, settings)
    if found.model.name != model:
        raise UsageError(f"{which} is a model of '{found.model.name}', not {model}")
    manifest = read_manifest(in_place(found.folder), found.model)
    only = Only(found.ref.number if found.ref else manifest.version, manifest.sha256)
    if not store.of(only).versions(model):
        raise MonitoringError(
            f"{which} is version {only.version}, of which the store has no predictions; "
            f"{_named(there)}"
        )
    if (training := trainings.training_of(which, settings)) is not None:
        with store.writing() as writing:
            writing.add_training(training)
    return only


def _named(there: Iterable[tuple[str, str]]) -> str:
    """Say which versions there are, the last ones first."""
    names = list(dict.fromkeys(version for version, _ in there))
    if not names:
        return "it has none yet: `profile` reads logs"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"it has {', '.join(names[:_SHOWN])}{more}"
