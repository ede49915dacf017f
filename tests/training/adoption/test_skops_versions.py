"""What other versions of skops wrote is read as data, and answers as it did there."""

from __future__ import annotations

import json
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from scoring.artifact.reading import read_compiled
from scoring.models import discover
from scoring.predictor import Predictor
from scoring.saved.containers import read_bytes
from scoring.saved.shapes import choose
from scoring.saved.views import minor, stamps
from scoring.values.shares import Shares
from tests.flowers import FLOWERS
from tests.training.adoption.archives import FOLDER, asked
from tests.training.adoption.make_files import MAKERS
from training.adopt import main
from training.adoption.as_data import read_as_data

MODELS = {**discover(), "flowers": FLOWERS}
OLD = {"0.9": "1.2", "0.10": "1.3", "0.11": "1.5", "0.12": "1.6", "0.13": "1.7"}


@cache
def content(version: str) -> dict[str, bytes]:
    """Return what make_skops.py put into an archive."""
    with tarfile.open(FOLDER / f"skops-{version}.tar.xz") as file:
        return {entry.name: held.read() for entry in file if (held := file.extractfile(entry))}


@pytest.mark.slow
@pytest.mark.parametrize("version", OLD)
@pytest.mark.parametrize("model", MAKERS)
def test_every_estimator_of_every_version_answers_as_there(version: str, model: str) -> None:
    """The table: estimator by version, in the shapes that there are; each with the stamp of the
    scikit-learn beside it."""
    files = dict(content(version))
    answers: dict[str, Any] = json.loads(files.pop("answers.json"))["answers"][model]
    assert answers.keys() == MAKERS[model].keys()
    read = set()
    for name, data in files.items():
        of, estimator, shape = name.split("/")
        if of != model:
            continue
        saved = read_bytes("m.skops", data)
        assert [minor(found) for found in stamps(saved.roots)] == [minor(OLD[version])]
        made = read_as_data(choose([saved], None), MODELS[model], None).made
        found, unseen = read_compiled(made.kind, made.data, MODELS[model]).many(asked(model))
        assert unseen == {}
        got = [one.by_class if isinstance(one, Shares) else one for one in found]
        for one, wanted in zip(got, answers[estimator], strict=True):
            assert one == pytest.approx(wanted, rel=1e-6, abs=1e-9), (estimator, shape)
        read.add((estimator, shape))
    assert {estimator for estimator, _ in read} == MAKERS[model].keys()
    assert {shape for _, shape in read} == {"pair", "pipeline", "dictionary", "packed"}


@pytest.mark.parametrize("version", OLD)
def test_an_old_file_is_taken_in(version: str, tmp_path: Path) -> None:
    """By the command, with what it was saved by in the manifest."""
    path = tmp_path / "old.skops"
    path.write_bytes(content(version)["churn/logistic/packed"])
    main(["churn", str(path), "--output", str(tmp_path / "models")])
    manifest = Predictor.from_folder(tmp_path / "models" / "churn", MODELS["churn"]).manifest
    assert manifest.notes[-1].startswith(f"saved by scikit-learn {OLD[version]}.")
