"""A model's pair as a skops file: no form is needed, and nothing of it is rounded."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

import skops.io

from scoring.artifact.folder import replace_folder
from scoring.artifact.foreign import read_file
from scoring.artifact.manifest import MANIFEST, SKOPS
from scoring.artifact.reading import load
from scoring.errors import ArtifactError
from scoring.models import Model
from scoring.predictor import Predictor
from scoring.scorers.sklearn import SklearnScorer
from training.export.form import ExportError
from training.export.package import (
    GOLDEN,
    SIGNATURE,
    as_json,
    golden_of,
    manifest_of,
    refuse_artifact,
)

NAME: Final = "skops"


def export_skops(predictor: Predictor, source: Path, target: Path) -> dict[str, Any]:
    """Write the folder `target` with the pair of the artifact in `source` as a skops file, and
    return its manifest.

    The file was read by the service's own reader, with its allow-list, and gave the pair's scores
    to the bit. Raises ExportError where the pair is of types that are not on that list, and
    ArtifactError where it cannot be loaded here.
    """
    refuse_artifact(target)
    model = predictor.model
    scorer = load(source, model, compiled=False).scorer
    assert isinstance(scorer, SklearnScorer)  # noqa: S101  # for the type checker
    data = skops.io.dumps((scorer.vectorizer, scorer.estimator))
    golden = golden_of(predictor, [dict(one.record) for one in predictor.manifest.golden])
    files = {
        SKOPS: data,
        SIGNATURE: as_json(model.record.model_json_schema()),
        GOLDEN: as_json(golden),
    }
    proof = _prove(model, scorer, data, predictor)
    manifest = manifest_of(predictor, NAME, files, proof)

    def fill(folder: Path) -> None:
        for name, content in {**files, MANIFEST: as_json(manifest)}.items():
            (folder / name).write_bytes(content)

    replace_folder(target, fill)
    return manifest


def _prove(
    model: Model, scorer: SklearnScorer, data: bytes, predictor: Predictor
) -> dict[str, Any]:
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, SKOPS)
            path.write_bytes(data)
            saved, _ = read_file(path, model)
        again = SklearnScorer(saved.pair, model, predictor.manifest.positive)
    except ArtifactError as error:
        raise ExportError(f"as skops, the pair would not be read again: {error}") from error
    records = [dict(model.example), *(dict(one.record) for one in predictor.manifest.golden)]
    features = [predictor.model.features(predictor.reader.one(record)) for record in records]
    if again.many(features) != scorer.many(features):
        raise ExportError("as skops, the pair scores otherwise")
    return {"judge": "the service's reader", "records": len(records), "equal_within": 0.0,
            "largest_difference": 0.0}  # fmt: skip
