"""Rows a second from file to file: the tutorial's way, Spark's, and `python -m batch`, in turns.

    python -m benchmarks.batch
    python -m benchmarks.batch --quick --no-spark

Trains on the bundled sample into a temporary folder, writes each table once, and runs each way in a
process of its own. Prints the figures, keeps them in benchmarks/batch.json and puts the table into
docs/batch.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks import batch_report
from benchmarks.batch_tables import write
from scoring.models import discover
from scoring.process.usage import of_docstring

_ROOT: Final = Path(__file__).resolve().parents[1]
_RIVALS: Final = Path(__file__).parent / "rivals"
_SPARK: Final = Path(f"{sys.prefix}-spark")  # the Makefile's .venv-spark
_LOOK_S: Final = 0.002


class Case(NamedTuple):
    """What is scored: a model, an estimator of `train.py`, an input's format, and a share of the
    rows asked for, as the tutorial's way takes longer and more memory with some."""

    title: str
    model: str
    estimator: str
    suffix: str
    share: float


CASES: Final = (
    Case("ride", "ride", "linear", "parquet", 1),
    Case("churn", "churn", "", "parquet", 0.25),
    Case("ride, forest", "ride", "forest", "parquet", 0.125),
    Case("ride, from CSV", "ride", "linear", "csv", 0.5),
)


class Bench:
    """The folder, and the figures so far: of each way, a list of runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.found: dict[str, list[dict[str, float]]] = {}
        self.spark_start: float | None = None  # seconds

    def trained(self, model: str, estimator: str) -> Path:
        """Return the folder of models in which there is such a one."""
        folder = self.folder / f"models-{estimator}"
        if not (folder / model).exists():
            words = [sys.executable, "train.py", model, "--output", str(folder)]
            words += ["--estimator", estimator] if estimator else []
            subprocess.run(words, check=True, cwd=_ROOT, stdout=subprocess.DEVNULL)
        return folder

    def table(self, case: Case, rows: int) -> Path:
        """Return the file of a case's rows."""
        path = self.folder / f"{case.model}-{rows}.{case.suffix}"
        if not path.exists():
            write(case.model, rows, path)
        return path

    def tutorial(self, case: Case, rows: int) -> None:
        """Score as the tutorial does, once."""
        models, source = self.trained(case.model, case.estimator), self.table(case, rows)
        target = self.folder / f"tutorial.{case.suffix}"
        pair = models / case.model / discover()[case.model].artifact_file
        words = [str(_RIVALS / "tutorial_batch.py"), source, target, pair, case.model]
        run = _run(words)
        self._note(f"{case.title}: the tutorial's way", rows, run, work=float(run.out))
        target.unlink()

    def ours(self, case: Case, rows: int) -> None:
        """Score as `python -m batch` does, once."""
        models, source = self.trained(case.model, case.estimator), self.table(case, rows)
        out = self.folder / "scored"
        words = ["-m", "batch", case.model, source, "--output", out]
        run = _run(words, watched=out / "_unfinished" / "ledger", MODELS_DIR=str(models))
        work = json.loads((out / "run.json").read_text())["seconds"]
        self._note(f"{case.title}: batch", rows, run, work=work)
        shutil.rmtree(out)

    def spark(self, rows: int, rounds: int) -> None:
        """Score with both ways on one warm Spark, in turns."""
        case = CASES[0]
        models, source = self.trained(case.model, case.estimator), self.table(case, rows)
        pair = models / case.model / discover()[case.model].artifact_file
        with _pyspark(self.folder) as path:
            words = [str(_RIVALS / "spark_batch.py"), source, self.folder, pair, models, rounds]
            run = _run(words, PYTHONPATH=f"{path}:{_ROOT}:{_ROOT / 'web-service'}")
        titles = {"udf": "Spark, pandas_udf with scikit-learn", "batch": "Spark, batch"}
        for line in run.out.splitlines():
            if line.startswith("figure "):
                _, name, seconds = line.split()
                if name == "start":
                    self.spark_start = float(seconds)
                    continue
                title = f"{case.title}: {titles[name]}"
                self.found.setdefault(title, []).append({"rows": rows, "work": float(seconds)})

    def _note(self, title: str, rows: int, run: Run, *, work: float) -> None:
        figures = {"rows": rows, "seconds": run.seconds, "work": work, "cpu": run.cpu,
                   "memory_mb": run.memory_mb}  # fmt: skip
        if run.first is not None:
            figures["first"] = run.first
        self.found.setdefault(title, []).append(figures)
        print(f"{title}: {rows / run.seconds:,.0f} rows/s", file=sys.stderr, flush=True)


class Run(NamedTuple):
    """A process that has ended: seconds in all, to its first part and of the processors, its peak
    of memory, and what it printed."""

    seconds: float
    first: float | None
    cpu: float
    memory_mb: float
    out: str


def _run(words: Sequence[object], *, watched: Path | None = None, **environ: str) -> Run:
    """Run Python to its end; `watched` is the folder in which a part's line appears."""
    first: list[float] = []
    ended = threading.Event()
    began = time.perf_counter()

    def watch() -> None:
        while watched and not ended.is_set():
            if watched.exists() and any(watched.iterdir()):
                first.append(time.perf_counter() - began)
                return
            time.sleep(_LOOK_S)

    watcher = threading.Thread(target=watch)
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(
            [sys.executable, *map(str, words)], env={**os.environ, **environ}, cwd=_ROOT, stdout=out
        )
        watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        ended.set()
        watcher.join()
        if process.returncode:
            raise SystemExit(f"{' '.join(map(str, words[:4]))} ended with {process.returncode}")
        out.seek(0)
        said = out.read()
    cpu = usage.ru_utime + usage.ru_stime
    return Run(seconds, first[0] if first else None, cpu, usage.ru_maxrss / 1024, said)


@contextmanager
def _pyspark(folder: Path) -> Iterator[Path]:
    """Yield a folder with pyspark, and nothing else of the environment that has it."""
    [home] = _SPARK.glob("lib/python3*/site-packages/pyspark")
    made = folder / "packages"
    made.mkdir(exist_ok=True)
    for name in ("pyspark", "py4j"):
        if not (made / name).exists():
            (made / name).symlink_to(home.parent / name)
    yield made


def measured(given: argparse.Namespace, folder: Path) -> Bench:
    """Return what holds the figures of all ways."""
    bench = Bench(folder)
    for case in CASES:
        if given.only and case.title not in given.only:
            continue
        rows = int(given.rows * case.share)
        for _ in range(given.rounds):
            bench.tutorial(case, rows)
            bench.ours(case, rows)
    if given.spark and (_SPARK / ".ready").exists() and not given.only:
        bench.spark(given.rows, given.rounds)
    for millions in given.large:
        grown = CASES[0]._replace(title=f"ride, {millions} million")
        for _ in range(given.rounds):
            bench.ours(grown, millions * 1_000_000)
        bench.table(grown, millions * 1_000_000).unlink()
    return bench


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    line = argparse.ArgumentParser(prog="python -m benchmarks.batch", **of_docstring(__doc__))
    add = line.add_argument
    add("--rows", type=int, default=2_000_000, help="of a table (default: two million)")
    add("--rounds", type=int, default=3, help="of all, in turns (default: 3)")
    add("--large", type=int, nargs="*", default=[1, 10, 30], metavar="MILLION",
        help="sizes to show how it grows (default: 1 10 30)")  # fmt: skip
    add("--quick", action="store_true", help="one round of few rows: does it work?")
    add("--only", nargs="*", metavar="CASE", help=", ".join(repr(case.title) for case in CASES))
    add("--no-spark", dest="spark", action="store_false", help="leave Spark's way out")
    add("--output", type=Path, default=batch_report.RESULTS, metavar="FILE", help="for the figures")
    add("--page", type=Path, default=_ROOT / "docs" / "batch.md", metavar="FILE",
        help="whose table is written anew (default: docs/batch.md)")  # fmt: skip
    return line


def main() -> None:
    """Measure, print and keep the figures."""
    given = parser().parse_args()
    if given.quick:
        given.rows, given.rounds, given.large = 20_000, 1, []
    with tempfile.TemporaryDirectory() as name:
        bench = measured(given, Path(name))
    results = batch_report.described(bench.found, bench.spark_start, rounds=given.rounds)
    batch_report.write(results, given.output)
    print(batch_report.table(results))
    print("\n".join(batch_report.verdicts(results)))
    if batch_report.update(given.page, results):
        print(f"the table of {given.page.name} is new")


if __name__ == "__main__":
    main()
