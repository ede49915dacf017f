"""An artifact's folder that is changed or damaged, and the line with which it is refused."""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from scoring.artifact.manifest import MANIFEST
from scoring.errors import ArtifactError
from scoring.models import Model, discover
from scoring.predictor import Predictor

MODELS = discover()


def edit(folder: Path, **facts: Any) -> None:
    """Write other facts into the manifest."""
    path = folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


def put(folder: Path, model: Model, pair: object, **facts: Any) -> None:
    """Put another pickle in the folder, its digest in the manifest, and no compiled form."""
    data = pair if isinstance(pair, bytes) else pickle.dumps(pair)
    (folder / model.artifact_file).write_bytes(data)
    edit(folder, sha256=hashlib.sha256(data).hexdigest(), compiled=None, **facts)


def refusal(folder: Path, model: Model) -> str:
    """Return the line with which the folder is refused."""
    with pytest.raises(ArtifactError) as caught:
        Predictor.from_folder(folder, model)
    line = str(caught.value)
    assert line.startswith(f"model '{model.name}': ")
    assert len(line.splitlines()) == 1
    assert f"python train.py {model.name}" in line, "it does not say what to do"
    assert "Traceback" not in line
    return line
