"""The profiles that came with versions: from artifacts to the store."""

from __future__ import annotations

from collections.abc import Sequence

from monitoring.entries import Training
from monitoring.store import Store
from scoring.artifact.folder import in_place
from scoring.artifact.reading import read_manifest
from scoring.errors import ArtifactError, StartError
from scoring.models import Model, discover
from scoring.profiles.profile import profile_of
from scoring.registry.resolve import resolve
from scoring.registry.settings import RegistrySettings


def note(store: Store, settings: RegistrySettings, which: Sequence[str] = ()) -> None:
    """Keep the profile of each artifact in MODELS_DIR, and of those that `which` names: models,
    folders, `models:/` URIs. Of the latter, raise ArtifactError where one has no profile."""
    for name, model in discover().items():
        if (settings.models_dir / name).is_dir():
            try:
                _add(store, settings, name, model)
            except StartError:  # of no profile, or broken: nobody asked for it
                continue
    for word in which:
        _add(store, settings, word)


def training_of(word: str, settings: RegistrySettings) -> Training | None:
    """Return the profile of the artifact that a word names; None where it has none."""
    return _training(word, settings, None)


def _add(store: Store, settings: RegistrySettings, word: str, model: Model | None = None) -> None:
    found = _training(word, settings, model)
    if found is None:
        raise ArtifactError(f"{word} was made before trainings wrote profiles: train it anew")
    with store.writing() as writing:
        writing.add_training(found)


def _training(word: str, settings: RegistrySettings, model: Model | None) -> Training | None:
    found = resolve(word, settings)
    folder = in_place(found.folder)
    manifest = read_manifest(folder, model or found.model)
    if manifest.profile_file is None:
        return None
    profile = profile_of((folder / manifest.profile_file.file).read_bytes())
    version = found.ref.number if found.ref else manifest.version
    data = ", ".join(one.name for one in manifest.data.values()) or "unknown data"
    described = f"trained {manifest.created:%Y-%m-%d} on {data}"
    return Training(version, manifest.sha256, described, profile, manifest.threshold)
