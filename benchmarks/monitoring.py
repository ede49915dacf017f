"""How long monitoring takes: a day's log to a report, beside Evidently, and a year's report.

    python -m benchmarks.monitoring   as make bench-monitoring has it
    python -m benchmarks.monitoring --rows 100000 --rounds 1

Each command is a process of its own, with its start and imports; all of a round run in turns. CPU
and memory are the process's own, so that what else runs here matters less; the time on the clock is
not shown. A day is compared with the day before it, of as many rows: ours is in the store already,
Evidently reads both.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.report import commit, machine
from monitoring.blocks import split
from monitoring.entries import Hour
from monitoring.hours import profiles
from monitoring.store import Store
from scoring.models import discover
from scoring.process.usage import of_docstring
from scoring.profiles.fields import field_kinds

ROOT = Path(__file__).resolve().parents[1]
_BEGIN = 1_767_225_600  # 2026-01-01
_DAY = 86_400
_DIGEST = "d" * 64
_PART = 250_000
_PARQUET, _TEXT = "Parquet", "JSON lines"
_RIVALS_NAME = "Evidently, both days from Parquet"
_EVIDENTLY = ROOT / ".venv-evidently" / "bin" / "python"
_RIVAL = ROOT / "benchmarks" / "rivals" / "monitoring_evidently.py"


def table(rows: int, seed: int, seconds: int, begin: int = _BEGIN) -> pa.Table:
    """Return predictions of rides over so many seconds."""
    random = np.random.default_rng(seed)
    miles = random.lognormal(0.8, 0.7, rows).round(2)
    times = begin * 10**6 + np.sort(random.integers(0, seconds * 10**6, rows))
    return pa.table(
        {
            "time": pa.array(times, pa.timestamp("us", "UTC")),
            "request_id": [f"{seed:08x}{place:024x}" for place in range(rows)],
            "version": pa.repeat("3", rows),
            "digest": pa.repeat(_DIGEST, rows),
            "index": pa.array(np.zeros(rows, np.int64)),
            "score": 4 + 3 * miles,
            "PULocationID": random.integers(1, 266, rows),
            "DOLocationID": random.integers(1, 266, rows),
            "trip_distance": miles,
        }
    )


def write(folder: Path, rows: int, day: int) -> tuple[Path, Path]:
    """Write the same predictions of a day as JSON lines and as Parquet; return the paths."""
    text, columns = folder / f"{day}.jsonl", folder / f"{day}.parquet"
    begin = _BEGIN + day * _DAY
    fields = ("PULocationID", "DOLocationID", "trip_distance")
    first = table(1, 0, _DAY)
    with text.open("wb") as lines, pq.ParquetWriter(columns, first.schema) as parts:
        for part in range(0, rows, _PART):
            some = min(_PART, rows - part)
            since = begin + part * _DAY // rows  # in the order of time, as a log is
            made = table(some, part + day + 1, some * _DAY // rows, since)
            parts.write_table(made)
            for row in made.to_pylist():
                features = {name: row.pop(name) for name in fields}
                line = {"schema": 1, "model": "ride", **row, "features": features, "unseen": [],
                        "beyond": [], "result": {"duration": row["score"]}}  # fmt: skip
                line["time"] = row["time"].isoformat(timespec="microseconds")
                lines.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
    return text, columns


def year(store: Path) -> None:
    """Keep a profile for each hour of a year, and nothing of the predictions."""
    made = table(500_000, 7, 365 * _DAY)
    fields = [made.column(n) for n in ("PULocationID", "DOLocationID", "trip_distance")]
    names = ["PULocationID", "DOLocationID", "trip_distance"]
    features = pa.StructArray.from_arrays([f.combine_chunks() for f in fields], names)
    whole = made.append_column("features", features)
    whole = whole.append_column("model", pa.repeat("ride", len(whole)))
    [block] = split(whole)
    hours = profiles(block, field_kinds(discover()["ride"]), {}, 1 << 62)
    with Store(str(store)).writing() as writing:
        writing.add_hours("year", [Hour("3", _DIGEST, h, p) for h, p in hours.items()])


class Measured(NamedTuple):
    """What a process took: seconds of CPU, and its largest memory in MB; what it printed."""

    cpu: float
    memory: float
    said: str


def measured(*words: str | Path) -> Measured:
    """Run a program to its end and return what it took."""
    with tempfile.TemporaryFile() as output:
        # with what Python has compiled already, as any second run
        compiled = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        process = subprocess.Popen([*map(str, words)], stdout=output, cwd=ROOT, env=compiled)
        most = 0.0
        # the kernel's own figure of a child includes what its parent held when it was started
        while not (waited := os.wait4(process.pid, os.WNOHANG))[0]:
            with contextlib.suppress(OSError, StopIteration):
                lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
                peak = next(line for line in lines if line.startswith("VmHWM"))
                most = max(most, int(peak.split()[1]) / 1024)
            time.sleep(0.01)
        _, status, used = waited
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in (0, 10, 20):
            raise RuntimeError(f"{words[3]} ended with {process.returncode}")
        output.seek(0)
        return Measured(used.ru_utime + used.ru_stime, most, output.read().decode())


def ours(*words: str | Path) -> Measured:
    """Run a command of monitoring."""
    return measured(sys.executable, "-m", "monitoring", *words)


def watched(log: Path, store: Path, before: Path) -> Measured:
    """Return what both take in one process, as Evidently's do: `watch --once`."""
    shutil.copy(before, store)
    return ours("watch", "ride", "--once", "--log", log, "--until", "2026-01-03", "--against",
                "previous", "--reports", store.with_suffix(""), "--store", store)  # fmt: skip


def reported(log: Path, store: Path, before: Path, *more: str) -> list[Measured]:
    """Return what `profile` of a day's log and a report of it take, the day before being known."""
    shutil.copy(before, store)
    page = store.with_suffix(".html")
    return [
        ours("profile", log, "--store", store, *more),
        ours("report", "ride", "--until", "2026-01-03", "--against", "previous", "--html", page,
             "--store", store),
    ]  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    line = argparse.ArgumentParser(prog="python -m benchmarks.monitoring", **of_docstring(__doc__))
    line.add_argument("--rows", type=int, default=1_000_000, help="a day (default: a million)")
    line.add_argument("--rounds", type=int, default=3, help="of each (default: 3)")
    return line


def main() -> None:
    """Print a line for each measurement, and how often ours goes into Evidently's."""
    given = parser().parse_args()
    found: dict[str, list[Measured]] = {}
    alone: list[float] = []  # Evidently's seconds without its imports
    starts: list[float] = []  # of ours, imports and all
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (_, before), (text, columns) = (write(folder, given.rows, day) for day in range(2))
        year(folder / "year.db")
        known, html = folder / "known.db", folder / "evidently.html"
        ours("profile", before, "--model", "ride", "--store", known)
        for turn in range(given.rounds):
            starts.append(ours("watch", "--help").cpu)
            for way, log, more in ((_PARQUET, columns, ("--model", "ride")), (_TEXT, text, ())):
                parts = reported(log, folder / f"{turn}{log.suffix}.db", known, *more)
                for step, part in zip(("profile", "report"), parts, strict=True):
                    found.setdefault(f"{way}: {step}", []).append(part)
                both = Measured(sum(p.cpu for p in parts), max(p.memory for p in parts), "")
                found.setdefault(f"{way}: both", []).append(both)
                one = watched(log, folder / f"{turn}{log.suffix}.watch.db", known)
                found.setdefault(f"{way}: in one process", []).append(one)
            found.setdefault("a year of hours, report", []).append(
                ours("report", "ride", "--window", "365d", "--until", "2027-01-01", "--against",
                     "previous", "--store", folder / "year.db")
            )  # fmt: skip
            if _EVIDENTLY.exists():
                took = measured(_EVIDENTLY, _RIVAL, before, columns, html)
                found.setdefault(_RIVALS_NAME, []).append(took)
                alone.append(float(took.said.split()[-1]))
        pages = [one.stat().st_size / 1000 for one in (folder / "0.parquet.html", html)
                 if one.exists()]  # fmt: skip
    print(f"{given.rows:,} rows a day; {machine()}; commit {commit()}; "
          f"{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}")  # fmt: skip
    for way, each in found.items():
        cpu = [one.cpu for one in each]
        most = max(one.memory for one in each)
        print(f"{way}: {min(cpu):.2f} to {max(cpu):.2f} s of CPU, {most:.0f} MB")
    if not alone:
        print(f"Evidently was not measured: make bench-monitoring makes {_EVIDENTLY.parents[1]}")
        return
    print(f"{_RIVALS_NAME}, without its imports: {min(alone):.2f} to {max(alone):.2f} s of CPU; "
          f"of ours the start: {min(starts):.2f} to {max(starts):.2f} s")  # fmt: skip
    print(f"pages: {' and '.join(f'{size:,.0f} kB' for size in pages)}, ours first")
    for way, wanted in ((_PARQUET, 25), (_TEXT, 5)):
        two, mine = (statistics.median(one.cpu for one in found[f"{way}: {how}"])
                      for how in ("both", "in one process"))  # fmt: skip
        whole = statistics.median(one.cpu for one in found[_RIVALS_NAME])
        bare = statistics.median(alone) / (mine - statistics.median(starts))
        print(f"Evidently's CPU over ours from {way}: {whole / mine:.1f} in one process, "
              f"{whole / two:.1f} in two, without the imports of either {bare:.1f} "
              f"(wanted: {wanted})")  # fmt: skip


if __name__ == "__main__":
    main()
