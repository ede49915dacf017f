"""Counts the instructions of the hot function with valgrind: a count does not depend on what else
the machine does, as a time would.

    python -m benchmarks.count
    python -m benchmarks.count --renew

The count of one call is the difference between a run of N calls and one of 2N, by N: what starts
and ends the process is in both. `--renew` stores the counts for this Python, and the bound that a
test holds them to is an eighth above.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression

from benchmarks.load import BadAnswer
from scoring.artifact.facts import Facts, Provenance
from scoring.artifact.writing import write
from scoring.models import Model, discover
from scoring.process.atomic_files import write_file
from scoring.process.usage import of_docstring

ROOT = Path(__file__).resolve().parents[1]
COUNTS = ROOT / "benchmarks" / "counts.json"
CALLS = 1000
ALLOWED = 1.125  # times the stored count: compilers and libraries differ by less


def python() -> str:
    """Return the version that counts are stored under: 3.11."""
    return ".".join(platform.python_version_tuple()[:2])


def stored() -> dict[str, int]:
    """Return the stored counts of one call for this Python, by model; none for a new one."""
    found: dict[str, dict[str, int]] = json.loads(COUNTS.read_text())
    return found.get(python(), {})


def count(folder: Path) -> dict[str, int]:
    """Return the instructions of one call of the hot function for each model; `folder` is for what
    is served meanwhile. Raises BadAnswer where a run fails."""
    models = discover()
    for model in models.values():
        _write(model, folder)
    names = list(models)
    runs = [dict.fromkeys(names, CALLS)]
    runs += [runs[0] | {name: 2 * CALLS} for name in names]
    started = [_start(folder, run) for run in runs]
    base, *more = [_read(process) for process in started]
    return {name: (total - base) // CALLS for name, total in zip(names, more, strict=True)}


def _write(model: Model, folder: Path) -> None:
    """Write a linear model that has seen the example's categories, and little else."""
    row = model.features(model.record.model_validate(dict(model.example)))
    rows = [row, {k: v if isinstance(v, str) else v + 1 for k, v in row.items()}] * 5
    vectorizer = DictVectorizer()
    kind = LogisticRegression if model.task == "classification" else LinearRegression
    estimator = kind().fit(vectorizer.fit_transform(rows), [0, 1] * 5)
    nowhere = Provenance(python="unknown", libraries={})
    facts = Facts(threshold=model.threshold, provenance=nowhere)
    write(folder, model, (vectorizer, estimator), facts, golden=[dict(model.example)])


def _start(folder: Path, calls: dict[str, int]) -> subprocess.Popen[str]:
    # an address or a hash that differs from run to run would be seen in the count
    environ = dict(os.environ) | {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}
    for name in [n for n in environ if n.startswith("COV")]:
        del environ[name]  # coverage would be counted too
    words = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable]
    words += ["-m", "benchmarks.hot", str(folder), *(f"{n}={c}" for n, c in calls.items())]
    return subprocess.Popen(words, cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True)


def _read(process: subprocess.Popen[str]) -> int:
    _, said = process.communicate()
    found = re.search(r"Collected : (\d+)", said)
    if process.returncode or not found:
        raise BadAnswer(f"valgrind ended with {process.returncode}: {said[-500:]}")
    return int(found.group(1))


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    line = argparse.ArgumentParser(prog="python -m benchmarks.count", **of_docstring(__doc__))
    line.add_argument("--renew", action="store_true", help="store the counts for this Python")
    return line


def main() -> None:
    """Print the counts, and store them where asked to."""
    given = parser().parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = count(Path(folder))
    for name, number in found.items():
        print(f"{name}: {number} instructions a call; stored: {stored().get(name, 'none')}")
    if given.renew:
        everything = json.loads(COUNTS.read_text()) | {python(): found}
        write_file(COUNTS, (json.dumps(everything, indent=1, sort_keys=True) + "\n").encode())


if __name__ == "__main__":
    main()
