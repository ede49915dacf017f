"""The environment of a container that SageMaker starts: its port, and the models of its archive.

SageMaker unpacks `model.tar.gz` into /opt/ml/model and starts the image with the word `serve`
(web-service/bin/serve). An archive is served whole or not at all: anything in it that is not
understood stops the start, as the image's own models must never answer in its place.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from scoring.artifact.manifest import MANIFEST
from scoring.errors import StartError
from scoring.models import discover

_MOST_FOLDERS: Final = 3  # around the models, each alone in the one above: export/models/
_UNDERSTOOD: Final = (
    f"an archive holds a folder with {MANIFEST} for each model, as training writes to models/, or "
    "the files of one such folder; `python -m training.adopt` makes one of a pickle"
)


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return `environ` with the port that SageMaker asks and the models of its archive, if any.

    What is set already stays. Raises StartError where the archive is not understood.
    """
    found = dict(environ)
    found["PORT"] = environ.get("PORT") or environ.get("SAGEMAKER_BIND_TO_PORT") or "8080"
    archive = Path(environ.get("SAGEMAKER_BASE_DIR") or "/opt/ml", "model")
    if environ.get("MODELS_DIR"):
        return found
    try:
        folders = _models(archive)
    except OSError as error:
        raise StartError(f"{error.filename}: {error.strerror}") from error
    if folders:
        found["MODELS_DIR"] = str(_as_named(folders))
        if not environ.get("MODELS"):
            known = [name for name in discover() if name in folders]
            found["MODELS"] = ",".join([*known, *sorted(folders.keys() - set(known))])
    return found


def _models(archive: Path) -> dict[str, Path]:
    """Return the folders of the archive's models by the names in their manifests.

    There are none where SageMaker was given no archive.
    """
    top, entries = archive, _entries(archive)
    for _ in range(_MOST_FOLDERS):
        if len(entries) != 1 or not entries[0].is_dir() or (entries[0] / MANIFEST).exists():
            break
        top, entries = entries[0], _entries(entries[0])
    if top != archive and not entries:
        raise StartError(f"{top} is empty; {_UNDERSTOOD}")
    if top / MANIFEST in entries:
        entries = [top, *(entry for entry in entries if entry.is_dir())]
    folders: dict[str, Path] = {}
    for entry in entries:
        name = _name(entry)
        if name in folders:
            raise StartError(f"{entry} and {folders[name]} are both the model '{name}'")
        folders[name] = entry
    return folders


def _entries(folder: Path) -> list[Path]:
    """Return what is in the folder, but for hidden files, which macOS adds to archives."""
    if not folder.exists():
        return []
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def _name(folder: Path) -> str:
    if not (folder / MANIFEST).is_file():
        raise StartError(f"{folder} is not a model; {_UNDERSTOOD}")
    try:
        name = json.loads((folder / MANIFEST).read_bytes())["model"]
        if re.fullmatch(r"[a-z][a-z0-9_]*", name):
            return str(name)
    except (ValueError, TypeError, KeyError):  # no JSON, no object, no text
        pass
    raise StartError(f"{folder / MANIFEST} does not name its model; {_UNDERSTOOD}")


def _as_named(folders: Mapping[str, Path]) -> Path:
    """Return a folder in which each model's folder has its name."""
    parents = {folder.parent for folder in folders.values()}
    if len(parents) == 1 and all(folder.name == name for name, folder in folders.items()):
        return parents.pop()
    links = Path(tempfile.mkdtemp(prefix="models-"))
    for name, folder in folders.items():
        (links / name).symlink_to(folder)
    return links
