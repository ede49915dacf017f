"""From figures to a file, to lines for a terminal, and to the README's table."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.load import generator
from scoring.process.atomic_files import write_file

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results.json"
BEGIN, END = "<!-- benchmarks: written by `make bench` -->", "<!-- end of benchmarks -->"

_LIBRARIES = ("flask", "gunicorn", "scikit-learn", "numpy", "pydantic", "fastapi", "uvicorn")
_BEST_PEER = "FastAPI, pydantic, uvicorn"
_TUTORIAL = "tutorial code, gunicorn gthread"
_OURS = "this service"

BY_MEANS = "score of one record, ride by target means"
WANTED_US = 15.0  # of such a score

Results = dict[str, Any]


def described(
    found: Mapping[str, Any], failed: Mapping[str, str], *, rounds: int, seconds: float
) -> Results:
    """Return the figures with where, when and of what they were made."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "machine": machine(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "libraries": {name: importlib.metadata.version(name) for name in _LIBRARIES},
        "load": generator(),
        "rounds": rounds,
        "seconds": seconds,
        "found": dict(found),
        "not_measured": dict(failed),
    }


def write(results: Results, path: Path) -> None:
    """Write the figures to `path` as JSON, whole or not at all."""
    write_file(path, (json.dumps(results, indent=1) + "\n").encode())


def text(results: Results) -> str:
    """Return every figure (median, and least to largest) and every ratio."""
    lines = []
    for name, values in results["found"].items():
        for what, numbers in values.items():
            middle = statistics.median(numbers)
            spread = f"{min(numbers):,.5g} to {max(numbers):,.5g}"
            lines.append(f"{name:48}{what:18}{middle:>12,.5g}   {spread}")
    lines += [f"{name:48}not measured: {why}" for name, why in results["not_measured"].items()]
    lines.append("")
    for what, (times, wanted) in ratios(results).items():
        middle = statistics.median(times)
        verdict = (
            "" if wanted is None else f"   {'reached' if middle >= wanted else 'BELOW'} {wanted:g}"
        )
        spread = f"{min(times):.2f} to {max(times):.2f}"
        lines.append(f"{what:66}{middle:>8.2f}   {spread}{verdict}")
    return "\n".join(lines)


def ratios(results: Results) -> dict[str, tuple[list[float], float | None]]:
    """Return, round by round, how many times better ours is, and how many times it should be."""
    found = results["found"]
    made: dict[str, tuple[list[float], float | None]] = {}

    def add(title: str, over: Any, under: Any, wanted: float | None = None) -> None:
        pairs = zip(_of(found, *over), _of(found, *under), strict=False)
        if times := [a / b for a, b in pairs if b]:
            made[title] = (times, wanted)

    for model in ("ride", "churn"):
        mine, tutorial, peer = (f"{n}, {model}" for n in (_OURS, _TUTORIAL, _BEST_PEER))
        add(
            f"{model}: requests/s, over the tutorial's",
            (mine, "per_second"),
            (tutorial, "per_second"),
            10,
        )
        add(f"{model}: requests/s, over FastAPI's", (mine, "per_second"), (peer, "per_second"), 6)
        add(
            f"{model}: the tutorial's p50 at one connection, over ours",
            (tutorial, "p50_1_ms"),
            (mine, "p50_1_ms"),
            3,
        )
        add(f"{model}: FastAPI's p99 at 32, over ours", (peer, "p99_32_ms"), (mine, "p99_32_ms"), 1)
        add(f"{model}: the tutorial's start, over ours", (tutorial, "start_s"), (mine, "start_s"))
        add(
            f"{model}: the tutorial's memory, over ours",
            (tutorial, "memory_mb"),
            (mine, "memory_mb"),
        )
        score = f"score of one record, {model}"
        add(
            f"{model}: scikit-learn's time for a score, over ours",
            (score, "theirs_us"),
            (score, "ours_us"),
        )
    mine, tutorial, shared = f"{_OURS}, ride", f"{_TUTORIAL}, ride", f"{_OURS}, ride, on all cores"
    add(
        "ride: requests/s with key, log and TLS, over without",
        (f"{_OURS}, key, log and TLS, ride", "per_second"),
        (mine, "per_second"),
        0.7,
    )
    add(
        "1,000 records: rows/s, over the tutorial's, a record at a time",
        (mine, "rows_per_second"),
        (tutorial, "rows_per_second"),
        5,
    )
    add(
        "1,000 records: rows/s, over scikit-learn's in one pass, unchecked",
        (mine, "rows_per_second"),
        (tutorial, "rows_per_second_in_one_pass"),
        4,
    )
    add(
        "two workers' requests/s, over one's",
        (shared, "per_second_2"),
        (shared, "per_second_1"),
        _two(results),
    )
    add(
        "memory of one worker, over four workers'",
        (mine, "memory_mb"),
        (mine, "memory_mb_4"),
        0.5,
    )
    add(
        f"ride by target means: {WANTED_US:g} us, over the time for a score",
        (BY_MEANS, "wanted_us"),
        (BY_MEANS, "ours_us"),
        1,
    )
    for name in found:
        if name.startswith("matrix of"):
            add(f"{name}: the tutorial's time, over ours", (name, "theirs_s"), (name, "ours_s"), 8)
    return made


def table(results: Results) -> str:
    """Return the README's table and what it was measured on."""
    found = results["found"]
    lines = [
        "| server, one worker on one core | requests/s | p50, 1 connection "
        "| p99, 32 connections | start | memory |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, values in sorted(found.items(), key=lambda item: _rank(item[0])):
        if "per_second" in values:
            cells = [statistics.median(values[k]) for k in ("per_second", "p50_1_ms", "p99_32_ms")]
            more = [statistics.median(values[k]) for k in ("start_s", "memory_mb")]
            lines.append(
                f"| {name} | {cells[0]:,.0f} | {cells[1]:.2f} ms | {cells[2]:.1f} ms "
                f"| {more[0]:.2f} s | {more[1]:.0f} MB |"
            )
    dirty = ", with changes" if results["dirty"] else ""
    lines += [
        "",
        f"Medians of {results['rounds']} rounds in turns on {results['machine']}, "
        f"{results['cores']} cores, {results['load']} on another core; commit "
        f"{results['commit']}{dirty}, {results['date']}, Python {results['python']}.",
    ]
    return "\n".join(lines)


def update(readme: Path, results: Results) -> bool:
    """Put the table between the README's markers; return whether that changed anything."""
    before = readme.read_text(encoding="utf-8")
    if BEGIN not in before or END not in before:
        raise SystemExit(f"{readme} has no place for the table: {BEGIN} ... {END}")
    head, _, rest = before.partition(BEGIN)
    after = f"{head}{BEGIN}\n{table(results)}\n{END}{rest.partition(END)[2]}"
    write_file(readme, after.encode())
    return after != before


def _of(found: Mapping[str, Any], name: str, what: str) -> list[float]:
    values: list[float] = found.get(name, {}).get(what, [])
    return values


def _two(results: Results) -> float | None:
    """On two cores the load itself takes one: nothing can be asked of the second worker there."""
    return 1.8 if results["cores"] > 2 else None


def _rank(name: str) -> tuple[bool, bool, str]:
    return name.endswith("churn"), not name.startswith(_OURS), name


def machine() -> str:
    """Return the processor's name."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def commit() -> str:
    """Return the checkout's commit, twelve digits."""
    return _git("rev-parse", "--short=12", "HEAD")


def _git(*words: str) -> str:
    found = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return found.stdout.strip()
