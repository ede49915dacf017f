"""The programs that score with an exported file: each takes a folder and records."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from training.export.form import ExportError, Form, Input, Value


class NotJudged(Exception):
    """The program is not here; the message says how to have it."""


class Judged(NamedTuple):
    """What a program made of a record: nothing where it refused it; of several classes all of
    their probabilities. `answer` is None where it gives scores alone, `unseen` the names of the
    features that it does not know."""

    score: float | tuple[float, ...] | None
    unseen: frozenset[str] | None = None
    answer: Mapping[str, Any] | None = None

    @property
    def numbers(self) -> tuple[float, ...]:
        """The score as one number or several, none where it was refused."""
        if self.score is None:
            return ()
        return self.score if isinstance(self.score, tuple) else (self.score,)


def judge_python(form: Form, folder: Path, records: Sequence[Mapping[str, Any]]) -> list[Judged]:
    """Return what a fresh CPython makes of the records, without any package."""
    return _lines(form, [sys.executable, "-I", "-S", str(folder / "model.py")], records)


def judge_javascript(
    form: Form, folder: Path, records: Sequence[Mapping[str, Any]]
) -> list[Judged]:
    """Return what Node makes of the records."""
    return _lines(form, [program("node", "nodejs"), str(folder / "model.mjs")], records)


def judge_c(form: Form, folder: Path, records: Sequence[Mapping[str, Any]]) -> list[Judged]:
    """Return what the file makes of the records, compiled by gcc without a warning."""
    compiler = program("gcc", "gcc")
    names = [feature.name for feature in form.categories]
    lines = ["\t".join(_cell(one, record) for one in form.inputs) for record in records]
    with tempfile.TemporaryDirectory() as place:
        binary = Path(place, "model")
        words = [compiler, "-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-DMODEL_MAIN",
                 str(folder / "model.c"), "-lm", "-o", str(binary)]  # fmt: skip
        run(words, "")
        told = run([str(binary)], "\n".join(lines) + "\n")
    found = []
    for record, line in zip(records, told.splitlines(), strict=True):
        *scores, marks = line.split("\t")
        if scores[0] == "refused" or _has_no_place(form, record):
            found.append(Judged(None))
            continue
        marked = zip(names, marks, strict=False)
        unseen = frozenset(name for name, mark in marked if mark == "1")
        numbers = tuple(map(float, scores))
        found.append(Judged(numbers if form.classes else numbers[0], unseen))
    return found


def program(name: str, package: str) -> str:
    """Return the path of a program, or raise NotJudged with the command that installs it."""
    if path := shutil.which(name):
        return path
    raise NotJudged(f"{name} is not installed: apt-get install {package}")


def run(words: Sequence[str], text: str) -> str:
    """Return what a program writes to standard output; raises ExportError where it fails."""
    done = subprocess.run(words, input=text, capture_output=True, encoding="utf-8", check=False)  # noqa: S603  # our own words
    if done.returncode:
        raise ExportError(f"{Path(words[0]).name} fails: {done.stderr.strip()[:500]}")
    return done.stdout


def _lines(form: Form, words: Sequence[str], records: Sequence[Mapping[str, Any]]) -> list[Judged]:
    """Return the answers of a program that takes a JSON object a line."""
    told = run(words, "".join(f"{json.dumps(dict(record))}\n" for record in records))
    found = []
    for line in told.splitlines():
        said = json.loads(line)
        if "error" in said:
            found.append(Judged(None))
            continue
        score = said.pop("score")
        if form.classes:
            score = tuple(score[name] for name in form.classes)
        found.append(Judged(score, frozenset(said.get("unseen", ())), said))
    return found


def _has_no_place(form: Form, record: Mapping[str, Any]) -> bool:
    """Say whether a record lacks what a struct of C always has."""
    return any(
        record.get(one.name, one.default) is None and not one.nullable and one.kind != "text"
        for one in form.inputs
    )


def _cell(one: Input, record: Mapping[str, Any]) -> str:
    value: Value = record.get(one.name, one.default)
    if value is None:
        return "\\N"
    if isinstance(value, bool):
        return str(int(value))
    if one.kind == "integer" and isinstance(value, float) and math.isfinite(value):
        return str(int(value))
    return value if isinstance(value, str) else repr(value)
