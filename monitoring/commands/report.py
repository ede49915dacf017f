"""`monitoring report MODEL`: what changed, as JSON, Markdown and HTML, and an exit status."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import orjson

from monitoring import exposition, trainings, versions
from monitoring.errors import UsageError
from monitoring.page import page
from monitoring.report import STATUS, report
from monitoring.store import Store
from monitoring.windows import hour_of, hours_of
from monitoring.words import markdown
from scoring.models import discover
from scoring.process.atomic_files import write_file
from scoring.profiles.fields import field_kinds
from scoring.registry.settings import RegistrySettings


def options(line: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    line.add_argument("model_name", metavar="MODEL", help="ride, churn, ...")
    line.add_argument("--window", default="24h", help="24h (default), 7d, 4w")
    line.add_argument(
        "--until",
        metavar="TIME",
        help="its end, UTC: a time; now: this hour included (default: the last whole hour)",
    )
    line.add_argument("--against", default="training",
        choices=("training", "previous", "same-weekday"), help="(default: training)")  # fmt: skip
    line.add_argument("--artifact", action="append", default=[], metavar="REF",
        help="a version whose training is compared with: folder or models:/...")  # fmt: skip
    line.add_argument("--model", metavar="WHICH", help="of one version alone: its name (3), "
        "artifact's folder, models:/NAME@ALIAS or models:/NAME/3 (default: all)")  # fmt: skip
    line.add_argument("--fairness", action="append", default=[], metavar="FIELD",
        help="rates and errors by each category of this field; several times")  # fmt: skip
    line.add_argument("--json", type=Path, metavar="FILE", help="write the report as JSON")
    line.add_argument("--html", type=Path, metavar="FILE", help="write it as one page")
    line.add_argument("--markdown", type=Path, metavar="FILE",
        help="write it as Markdown, which is what is printed")  # fmt: skip
    line.add_argument("--metrics-file", type=Path, metavar="FILE",
        help="for the node exporter's text files")  # fmt: skip


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Print the report, write the files that are asked for, and return the status."""
    models = discover()
    if given.model_name not in models:
        raise UsageError(f"no model '{given.model_name}'; there are {', '.join(models)}")
    known = [n for n, kind in field_kinds(models[given.model_name]).items() if kind == "category"]
    for name in given.fairness:
        if name not in known:
            raise UsageError(f"--fairness {name}: the categories are {', '.join(known)}")
    store = Store(given.store)
    length, end = hours_of(given.window), hour_of(given.until)
    settings = RegistrySettings.from_env(environ)
    trainings.note(store, settings, given.artifact)
    only = None
    if given.model is not None:
        only = versions.chosen(store, given.model_name, given.model, settings)
    made = report(store, given.model_name, length, end, given.against, given.fairness, only)
    text = markdown(made)
    files: list[tuple[Path | None, Callable[[], bytes]]] = [
        (given.json, lambda: orjson.dumps(made.as_json(), option=orjson.OPT_INDENT_2) + b"\n"),
        (given.html, lambda: page(made).encode()),
        (given.markdown, text.encode),
        (given.metrics_file, lambda: exposition.text([made])),
    ]
    wanted = [(path, content()) for path, content in files if path is not None]
    for path, written in wanted:
        write_file(path, written)
    sys.stdout.write(text)
    return STATUS[made.state]
