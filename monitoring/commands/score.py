"""`monitoring score MODEL NEW...`: how good what serves is on new labelled rows."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import orjson

from monitoring import words
from monitoring.errors import MonitoringError
from monitoring.fairness import by_field
from monitoring.ingest import find
from monitoring.labelled import outcomes_of
from monitoring.performance import assessed, before
from monitoring.report import STATUS, threshold_of
from monitoring.trainings import training_of
from scoring.predictor import Predictor
from scoring.process.atomic_files import write_file
from scoring.registry.resolve import resolve
from scoring.registry.settings import RegistrySettings

_FILES: Final = ("*.parquet", "*.csv")


def options(line: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    line.add_argument("which", metavar="MODEL",
        help="ride (the artifact in MODELS_DIR), a folder, models:/...")  # fmt: skip
    line.add_argument("rows", nargs="+", metavar="NEW",
        help="Parquet or CSV as the training reads it, or a folder")  # fmt: skip
    line.add_argument("--actual", metavar="COLUMN", help="the truth's (default: the target)")
    line.add_argument("--fairness", action="append", default=[], metavar="FIELD",
        help="rates and errors by each category of this field; several times")  # fmt: skip
    line.add_argument("--json", type=Path, metavar="FILE", help="write all figures as JSON")


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Print how good it is, and return the status."""
    paths = find(given.rows, _FILES)
    settings = RegistrySettings.from_env(environ)
    found = resolve(given.which, settings)
    predictor = Predictor.from_folder(found.folder, found.model)
    training = training_of(given.which, settings)
    own, left = outcomes_of(predictor, paths, given.actual)
    if not len(own):
        reasons = "; ".join(f"{n} rows: {why}" for why, n in left.most_common(3))
        raise MonitoringError(f"no row could be scored: {reasons or 'there are none'}")
    name = found.model.name
    threshold = None if threshold_of(name, None) is None else predictor.manifest.threshold
    real = assessed(own, before(training), threshold)
    fair = [by_field(own, field, threshold) for field in given.fairness]
    state = "warning" if real.is_worse else "quiet"
    lines = [f"# {name} {predictor.version} on {len(own)} labelled rows", ""]
    lines += [f"- {n} rows left out: {why}" for why, n in left.most_common() if n]
    lines += words.realised(real)
    for one in fair:
        lines += words.fair(one)
    sys.stdout.write("\n".join(lines) + "\n")
    if given.json:
        told = {"model": name, "version": predictor.version, "state": state,
                "left_out": {why: n for why, n in left.items() if n},
                "realised": real.as_json(),
                "fairness": [one.as_json() for one in fair]}  # fmt: skip
        write_file(given.json, orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
    return STATUS["warning" if real.is_worse else "quiet"]
