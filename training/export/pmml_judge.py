"""PMML4S, by pypmml, as the judge of an export."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.export.form import ExportError, Form
from training.export.judges import Judged, NotJudged, program
from training.export.pmml_file import FILE, labels_of

TEMPLATE = Path(__file__).parent / "templates" / "pmml_judge.py.in"


def judge_pmml(form: Form, folder: Path, records: Sequence[Mapping[str, Any]]) -> list[Judged]:
    """Return what PMML4S makes of the records, in a Java machine of its own."""
    program("java", "default-jre-headless")
    with tempfile.TemporaryDirectory() as place:
        shutil.copy(folder / FILE, place)
        rows = [_row(form, record) for record in records]
        Path(place, "records.json").write_text(json.dumps(rows), encoding="utf-8")
        run_judge(TEMPLATE, place)
        told = json.loads(Path(place, "scored.json").read_text(encoding="utf-8"))
    return [_judged(form, row) for row in told]


def run_judge(script: Path, folder: str | Path, *words: str) -> None:
    """Run a script in a folder with the packages of `make pmml-judges`, which do not go together
    with ours: one of them brings a package `tests`. Raises NotJudged where they are not there."""
    packages = Path(f"{sys.prefix}-pmml")
    if not packages.exists():
        raise NotJudged("pypmml is not installed: make pmml-judges")
    env = {**os.environ, "PYTHONPATH": str(packages), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(  # noqa: S603  # our own words
        [sys.executable, str(script), *words], cwd=folder, env=env, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise ExportError(f"{script.name} fails: {done.stderr.strip()[-800:]}")


def _row(form: Form, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with its defaults, and without what is null: PMML knows what is missing."""
    found = {one.name: record.get(one.name, one.default) for one in form.inputs}
    return {name: value for name, value in found.items() if value is not None}


def _judged(form: Form, row: Mapping[str, Any]) -> Judged:
    answer = {one.name: row.get(one.name) for one in form.answers}
    if not form.classes:
        return Judged(row["score"], None, answer if row["score"] is not None else None)
    told = (row.get(f"probability({label})") for label in labels_of(form))
    shares = [share for share in told if share is not None]
    if not shares:
        return Judged(None)
    for one in form.answers:
        if one.kind == "probabilities":
            answer[one.name] = {name: row.get(f"{one.name}.{name}") for name in form.classes}
    return Judged(tuple(shares), None, answer)
