"""What the tests of training.adopt share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scoring.artifact.manifest import MANIFEST
from scoring.models import Model, discover
from training.adopt import main

MODELS = discover()


def refusal(model: str, path: Path, output: Path, *more: str) -> str:
    """Return the one line with which the command refuses a file; nothing is written."""
    before = sorted(output.rglob("*"))
    with pytest.raises(SystemExit) as caught:
        main([model, str(path), "--output", str(output), *more])
    line = caught.value.code
    assert isinstance(line, str), "the command did not say what is wrong"
    assert line.startswith("training.adopt: ")
    assert len(line.splitlines()) == 1
    assert sorted(output.rglob("*")) == before
    return line


def manifest(output: Path, model: Model) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((output / model.name / MANIFEST).read_text())
    return found
