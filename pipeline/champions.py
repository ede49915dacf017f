"""What serves now: the registry's champion where MLFLOW_TRACKING_URI is set, else MODELS_DIR."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from scoring.artifact.folder import in_place
from scoring.artifact.manifest import MANIFEST, Manifest
from scoring.artifact.reading import read_manifest
from scoring.errors import SettingsError, StartError
from scoring.models import Model
from scoring.registry.errors import RegistryError, VersionNotFound
from scoring.registry.resolve import resolve
from scoring.registry.settings import RegistrySettings

if TYPE_CHECKING:
    from scoring.profiles.profile import Profile


@dataclass(frozen=True)
class Champion:
    """The version that serves."""

    folder: Path
    manifest: Manifest
    version: str

    @property
    def sha256(self) -> str:
        """The digest of its pair, by which it is known."""
        return self.manifest.sha256

    def profile(self) -> Profile | None:
        """Return what its training looked like; None of one that was made without a profile."""
        from scoring.profiles.profile import (
            profile_of,  # numpy: not for a run that has nothing to do
        )

        if self.manifest.profile_file is None:
            return None
        return profile_of((self.folder / self.manifest.profile_file.file).read_bytes())


def champion_of(model: Model, environ: Mapping[str, str]) -> Champion | None:
    """Return what serves, None where nothing does. Raises PipelineError where that cannot be
    known, SettingsError for an environment that cannot be used."""
    settings = RegistrySettings.from_env(environ)
    registered = settings.mlflow_tracking_uri is not None
    which = f"models:/{model.registered_name}@champion" if registered else model.name
    if not registered and not (in_place(settings.models_dir / model.name) / MANIFEST).exists():
        return None
    try:
        found = resolve(which, settings)
        folder = in_place(found.folder)
        manifest = read_manifest(folder, model)
    except SettingsError:
        raise
    except VersionNotFound:
        return None
    except (RegistryError, StartError) as error:
        raise PipelineError(f"the champion cannot be read: {error}") from None
    return Champion(folder, manifest, found.ref.number if found.ref else manifest.version)
