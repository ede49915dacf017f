"""An export's folder: the model, its signature, golden records, digests, and the proof.

model.py          or what the format has
signature.json    the fields that it takes and what it gives
golden.json       records, and what the service answers to them
manifest.json     of which model, digests and sizes of the files, and the proof that was run
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from scoring.artifact.folder import replace_folder
from scoring.artifact.manifest import MANIFEST
from scoring.predictor import Predictor
from scoring.values.shares import numbers_of
from training.export.agreement import close, same_answer
from training.export.form import ExportError, Form
from training.export.formats import Format
from training.export.judges import NotJudged
from training.export.spec import field_spec
from training.export.trials import refused, trials

SIGNATURE: Final = "signature.json"
GOLDEN: Final = "golden.json"
FORMAT: Final = 1
_GOLDEN_RECORDS: Final = 20


def export(
    predictor: Predictor,
    form: Form,
    target: Path,
    which: Format,
    records: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Write the folder `target` in the format `which` and return its manifest.

    The files have scored golden and made-up records, and `records`, as the service does, unless
    the program that judges them is not here: the manifest says so then. An export that was there
    is replaced whole. Raises ExportError where the model cannot be written so, or scores otherwise;
    nothing is left then.
    """
    refuse_artifact(target)
    files = which.files(form)
    tried = [*trials(form), *map(dict, records)]
    golden = golden_of(predictor, tried[:_GOLDEN_RECORDS])
    files = {**files, SIGNATURE: as_json(_signature(form)), GOLDEN: as_json(golden)}
    manifest: dict[str, Any] = {}

    def fill(folder: Path) -> None:
        for name, content in files.items():
            (folder / name).write_bytes(content)
        proof = prove(predictor, form, folder, which, tried)
        manifest.update(manifest_of(predictor, which.name, files, proof))
        (folder / MANIFEST).write_bytes(as_json(manifest))

    replace_folder(target, fill)
    return manifest


def refuse_artifact(target: Path) -> None:
    """Raise ExportError where the folder holds a model that serves, which must not be replaced."""
    try:
        found = json.loads((target / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return
    if not isinstance(found, dict) or "export" not in found:
        raise ExportError(f"{target} holds an artifact, not an export: name another --output")


def prove(
    predictor: Predictor,
    form: Form,
    folder: Path,
    which: Format,
    records: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return what was tried and how far apart the scores were at most. Raises ExportError where a
    score, an answer or an unseen category is not the service's."""
    tolerance = which.tolerance(form)
    near = partial(close, tolerance=tolerance)
    said = {"judge": which.judged_by, "records": len(records), "equal_within": tolerance}
    bad: list[dict[str, Any]] = refused(form) if which.refuses else []
    try:
        found = which.judge(form, folder, [*records, *bad])
    except NotJudged as reason:
        return {**said, "records": 0, "not_run": str(reason)}
    scored = predictor.many([dict(record) for record in records])
    if len(found) != len(records) + len(bad):
        raise ExportError(f"{which.judged_by} gives {len(found)} scores to {len(records)} records")
    for wrong, got in zip(bad, found[len(records) :], strict=True):
        if got.score is not None:
            raise ExportError(f"{which.name} scores what the service refuses: {wrong}")
    del found[len(records) :]
    worst = 0.0
    rows = zip(records, found, scored.scores, scored.answers, strict=True)
    for record, got, score, answer in rows:
        wanted, given = numbers_of(score), got.numbers
        if len(given) != len(wanted) or not all(map(near, given, wanted)):
            raise ExportError(f"{which.name} gives {got.score} where the service gives {score!r}: "
                              f"{dict(record)}")  # fmt: skip
        worst = max(worst, *(abs(one - other) for one, other in zip(given, wanted, strict=True)))
        if not same_answer(got, answer, form, tolerance):
            raise ExportError(f"{which.name} gives {got} where the service gives {answer}")
    return {**said, "refused": len(bad), "largest_difference": worst}


def golden_of(predictor: Predictor, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return records with the service's score and answer to each."""
    scored = predictor.many([dict(record) for record in records])
    rows = zip(records, scored.scores, scored.answers, strict=True)
    return [
        {"record": dict(record), "score": score, "answer": answer} for record, score, answer in rows
    ]


def _signature(form: Form) -> dict[str, Any]:
    outputs = [
        {"name": one.name, "of_the_score": one.kind}
        | ({"threshold": one.threshold} if one.kind == "at_least" else {})
        for one in form.answers
    ]
    return {
        "inputs": [field_spec(one) for one in form.inputs],
        "score": {
            "is": _of_score(form),
            "unit": form.model.unit,
        },
        **({"classes": list(form.classes)} if form.classes else {}),
        "answer": outputs,
        "unseen": [feature.name for feature in form.categories],
        "notes": list(form.notes),
    }


def _of_score(form: Form) -> str:
    if form.classes:
        return "the probability of each of the classes"
    if form.model.task == "classification":
        return "the probability of the positive class"
    return f"the predicted {form.model.target}"


def manifest_of(
    predictor: Predictor, to: str, files: Mapping[str, bytes], proof: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the manifest of an export says."""
    source = predictor.manifest
    return {
        "export": FORMAT,
        "to": to,
        "model": predictor.model.name,
        "version": predictor.version,
        "estimator": source.estimator,
        "threshold": source.threshold,
        "source": {
            "sha256": source.sha256,
            "compiled": source.compiled.sha256 if source.compiled else None,
        },
        "created": datetime.now(UTC).replace(microsecond=0).isoformat(),
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for name, content in files.items()
        },
        "proof": dict(proof),
    }


def as_json(value: object) -> bytes:
    """Return a value as the bytes of a file for people and programs."""
    return json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n"
