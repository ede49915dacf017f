"""Take in an ONNX file that training.export wrote."""

from __future__ import annotations

import hashlib
from pathlib import Path

from scoring.artifact.facts import Facts, Provenance
from scoring.artifact.manifest import UNKNOWN, Manifest
from scoring.artifact.writing import write_saved
from scoring.errors import ArtifactError
from scoring.models import Model
from training.adoption.take_in import Options
from training.export.onnx_read import read_onnx


def adopt_onnx(model: Model, path: Path, options: Options) -> Manifest:
    """Write `output/<model>/` of an ONNX file of ours and return its manifest.

    Its compiled form is the one that was exported, to the byte. Raises ArtifactError for a file
    that is not ours, and for options that it has no use for.
    """
    if options != Options(output=options.output):
        raise ArtifactError("an ONNX file keeps its threshold and its model: it takes no option")
    found = read_onnx(path, model)
    data = path.read_bytes()
    facts = Facts(
        threshold=float(found.told["threshold"]),
        provenance=Provenance(python=UNKNOWN, libraries={}),
        notes=[
            f"taken in from {path.name}, sha256 {hashlib.sha256(data).hexdigest()}, the export of "
            f"version {found.told['version']}; the ONNX file stands in the place of its pair"
        ],
    )
    return write_saved(
        options.output,
        model,
        found.made,
        found.columns,
        found.told["estimator"],
        facts,
        golden=[dict(model.example)],
        pickled=data,
    )
