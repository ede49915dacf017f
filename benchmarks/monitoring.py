"""How long monitoring takes: a log to hours, and a year of hours to a report.

    python -m benchmarks.monitoring
    python -m benchmarks.monitoring --rows 100000 --rounds 1

Each command is a process of its own, with its start and imports. CPU and memory are the process's
own, so that what else runs here matters less; the time on the clock is not shown.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from monitoring.blocks import split
from monitoring.entries import Hour
from monitoring.hours import profiles
from monitoring.store import Store
from scoring.models import discover
from scoring.process.usage import of_docstring
from scoring.profiles.fields import field_kinds

_BEGIN = 1_767_225_600  # 2026-01-01
_DIGEST = "d" * 64
_PART = 250_000


def table(rows: int, seed: int, seconds: int) -> pa.Table:
    """Return predictions of rides over so many seconds."""
    random = np.random.default_rng(seed)
    miles = random.lognormal(0.8, 0.7, rows).round(2)
    times = _BEGIN * 10**6 + np.sort(random.integers(0, seconds * 10**6, rows))
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


def write(folder: Path, rows: int) -> tuple[Path, Path]:
    """Write the same predictions as JSON lines and as Parquet; return the paths."""
    text, columns = folder / "log.jsonl", folder / "log.parquet"
    fields = ("PULocationID", "DOLocationID", "trip_distance")
    first = table(1, 0, 86_400)
    with text.open("wb") as lines, pq.ParquetWriter(columns, first.schema) as parts:
        for part in range(0, rows, _PART):
            made = table(min(_PART, rows - part), part + 1, 86_400)
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
    made = table(500_000, 7, 365 * 86_400)
    fields = [made.column(n) for n in ("PULocationID", "DOLocationID", "trip_distance")]
    names = ["PULocationID", "DOLocationID", "trip_distance"]
    features = pa.StructArray.from_arrays([f.combine_chunks() for f in fields], names)
    whole = made.append_column("features", features)
    whole = whole.append_column("model", pa.repeat("ride", len(whole)))
    [block] = split(whole)
    hours = profiles(block, field_kinds(discover()["ride"]), {}, 1 << 62)
    with Store(str(store)).writing() as writing:
        writing.add_hours("year", [Hour("3", _DIGEST, h, p) for h, p in hours.items()])


def measured(*words: str) -> tuple[float, float]:
    """Run the command and return its seconds of CPU and its largest memory in MB."""
    process = subprocess.Popen(
        [sys.executable, "-m", "monitoring", *words], stdout=subprocess.DEVNULL
    )
    most = 0.0
    # the kernel's own figure of a child includes what its parent held when it was started
    while not (waited := os.wait4(process.pid, os.WNOHANG))[0]:
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            peak = next(line for line in lines if line.startswith("VmHWM"))
            most = int(peak.split()[1]) / 1024
        time.sleep(0.01)
    _, status, used = waited
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 10, 20):
        raise RuntimeError(f"{words[0]} ended with {process.returncode}")
    return used.ru_utime + used.ru_stime, most


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    line = argparse.ArgumentParser(prog="python -m benchmarks.monitoring", **of_docstring(__doc__))
    line.add_argument("--rows", type=int, default=1_000_000, help="of the log (default: a million)")
    line.add_argument("--rounds", type=int, default=3, help="of each (default: 3)")
    return line


def main() -> None:
    """Print a line for each measurement."""
    given = parser().parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text, columns = write(folder, given.rows)
        year(folder / "year.db")
        report = ("report", "ride", "--window", "365d", "--until", "2027-01-01", "--against",
                  "previous", "--store", str(folder / "year.db"))  # fmt: skip
        ways: dict[str, Any] = {
            f"{given.rows:,} rows, JSON lines": ("profile", str(text)),
            f"{given.rows:,} rows, Parquet": ("profile", str(columns), "--model", "ride"),
            "a year of hours, report": report,
        }
        for way, words in ways.items():
            found = []
            for turn in range(given.rounds):
                store = [] if words is report else ["--store", str(folder / f"{turn}-{way}.db")]
                found.append(measured(*words, *store))
            cpu, memory = zip(*found, strict=True)
            print(f"{way}: {min(cpu):.2f} to {max(cpu):.2f} s of CPU, {max(memory):.0f} MB")
        print(time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()))


if __name__ == "__main__":
    main()
