"""From the name that a command is given to a model's artifact, without the service.

    ride                            the artifact in MODELS_DIR
    build/models/ride               any other folder that holds one
    models:/ride-duration@champion  the version that has an alias in the MLflow registry
    models:/ride-duration/3         a version by its number

A registry's version is downloaded once, validated as the service does it, and kept in the cache
that the service uses: REGISTRY_CACHE.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from scoring.artifact.folder import in_place
from scoring.artifact.manifest import MANIFEST, Manifest
from scoring.artifact.reading import load
from scoring.errors import ArtifactError, SettingsError
from scoring.models import Model, discover
from scoring.predictor import Predictor
from scoring.registry.cache import VersionRef
from scoring.registry.settings import RegistrySettings

if TYPE_CHECKING:
    from scoring.registry.download import Validate

_SCHEME: Final = "models:"
_URI: Final = re.compile(
    r"models:/(?P<name>[^/@]+)"
    r"(?:@(?P<alias>[A-Za-z_-][A-Za-z0-9_-]{0,254})|/(?P<number>[1-9][0-9]{0,9}))"
)


class ResolvedModel(NamedTuple):
    """An artifact that may be used: its model, its folder and, from a registry, its version."""

    model: Model
    folder: Path
    ref: VersionRef | None = None

    def load(self) -> Predictor:
        """Return the predictor; its version is the registry's number where there is one.

        Raises ArtifactError with one line that says what to do.
        """
        artifact = load(self.folder, self.model)
        return Predictor(self.model, artifact.numbered(self.ref.number) if self.ref else artifact)


def resolve(
    which: str, settings: RegistrySettings, models: Mapping[str, Model] | None = None
) -> ResolvedModel:
    """Return the artifact that `which` means: a model's name, a folder or a `models:/` URI.

    `models` are those that there are (default: all of `scoring.models`). Raises StartError where
    the name, the folder or a setting cannot be used, and what `fetch` raises.
    """
    models = models or discover()
    if which.startswith(_SCHEME):
        return fetch(which, settings, models)
    if which in models:
        return ResolvedModel(models[which], settings.models_dir / which)
    folder = Path(which)
    if os.sep not in which and not folder.is_dir():
        names = ", ".join(models)
        raise SettingsError(f"'{which}' is neither a model ({names}) nor a folder nor models:/...")
    try:
        manifest = Manifest.model_validate_json((in_place(folder) / MANIFEST).read_bytes())
    except OSError as error:
        raise ArtifactError(f"{folder / MANIFEST} cannot be read: {error.strerror}") from None
    except ValueError:
        raise ArtifactError(f"{folder / MANIFEST} is not the manifest of a model") from None
    if manifest.model not in models:
        raise ArtifactError(f"{folder} holds the model '{manifest.model}', which is not known here")
    return ResolvedModel(models[manifest.model], folder)


def fetch(
    uri: str,
    settings: RegistrySettings,
    models: Mapping[str, Model] | None = None,
    *,
    validate: Validate | None = None,
) -> ResolvedModel:
    """Return the version that `models:/NAME@ALIAS` or `models:/NAME/NUMBER` means, downloaded.

    A version in the cache is not downloaded again, and a numbered one is taken from there while the
    registry does not answer. Raises SettingsError where the URI, MLFLOW_TRACKING_URI or the cache
    cannot be used, else a RegistryError; each message is one line.
    """
    # these take as long to import as all the others
    from scoring.registry.fetching import fetched
    from scoring.registry.validation import validate_in_subprocess

    model, selector = named(uri, models or discover())
    folder, ref = fetched(model, selector, uri, settings, validate or validate_in_subprocess)
    return ResolvedModel(model, folder, ref)


def named(uri: str, models: Mapping[str, Model]) -> tuple[Model, str]:
    """Return the model and the selector of a URI: an alias, or `v3` for version 3.

    Raises SettingsError where it names none that is known.
    """
    match = _URI.fullmatch(uri)
    if not match:
        raise SettingsError(
            f"'{uri[:200]}' names no version: write models:/NAME@ALIAS or models:/NAME/NUMBER"
        )
    for model in models.values():
        if model.registered_name == match["name"]:
            return model, match["alias"] or f"v{match['number']}"
    names = ", ".join(model.registered_name for model in models.values())
    raise SettingsError(f"{uri} is not a model that is known here; there are: {names}")
