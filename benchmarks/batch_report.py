"""The figures of scoring files: kept as JSON, and a table in docs/batch.md."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.report import ROOT, commit, machine
from scoring.process.atomic_files import write_file

RESULTS: Final = ROOT / "benchmarks" / "batch.json"
BEGIN: Final = "<!-- figures: written by `make bench-batch` -->"
END: Final = "<!-- end of figures -->"
_LIBRARIES: Final = ("pyarrow", "numpy", "pandas", "scikit-learn")
_RIVALS: Final = {
    "ride: batch": "ride: the tutorial's way",
    "churn: batch": "churn: the tutorial's way",
    "ride, forest: batch": "ride, forest: the tutorial's way",
    "ride, from CSV: batch": "ride, from CSV: the tutorial's way",
    "ride: Spark, batch": "ride: Spark, pandas_udf with scikit-learn",
}
# times the rival's rows/s after the start that are wanted
_WANTED: Final = {
    "ride: batch": 15,
    "churn: batch": 15,
    "ride, forest: batch": 4,
    "ride, from CSV: batch": 6,
    "ride: Spark, batch": 2.3,
}
_CORES: Final = (4, 16)  # times those of this machine, for which it is said whether Spark pays

Figures = Sequence[Mapping[str, float]]
Results = dict[str, Any]


def described(found: Mapping[str, Figures], spark_start: float | None, *, rounds: int) -> Results:
    """Return the figures, and Spark's seconds to start, with where, when and of what they were
    made."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "machine": machine(),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[2], 1),
        "python": platform.python_version(),
        "libraries": {name: importlib.metadata.version(name) for name in _LIBRARIES},
        "rounds": rounds,
        "spark_start": spark_start,
        "found": dict(found),
    }


def write(results: Results, path: Path) -> None:
    """Write the figures to `path` as JSON, whole or not at all."""
    write_file(path, (json.dumps(results, indent=1) + "\n").encode())


def table(results: Results) -> str:
    """Return the page's table and what it was measured on."""
    found: Mapping[str, Figures] = results["found"]
    lines = [
        "| what | rows | rows/s | rows/s after the start | times its rival | CPU s a million "
        "| first part | memory |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [_line(name, runs, found) for name, runs in found.items()]
    libraries = ", ".join(f"{name} {number}" for name, number in results["libraries"].items())
    lines += [
        "",
        f"Medians (least to most) of {results['rounds']} rounds in turns on {results['machine']}, "
        f"{results['cores']} cores, load over the last 15 minutes {results['load']}; commit "
        f"{results['commit']}, {results['date']}, Python {results['python']}, {libraries}.",
        "",
        pays(results),
    ]
    return "\n".join(lines)


def pays(results: Results) -> str:
    """Return from how many rows on Spark is the faster, by its start and rows/s as they were
    measured, if on more cores it has as many times the rows/s."""
    found: Mapping[str, Figures] = results["found"]
    one, spark = found.get("ride: batch", ()), found.get("ride: Spark, batch", ())
    start = results.get("spark_start")
    if not (one and spark and start):
        return "Spark was not measured in this run."
    ours = statistics.median(run["rows"] / run["work"] for run in one)
    theirs = statistics.median(run["rows"] / run["work"] for run in spark)
    later = start - statistics.median(run["seconds"] - run["work"] for run in one)
    said = []
    for cores in (1, *_CORES):
        gained = 1 / ours - 1 / (cores * theirs)  # seconds a row
        where = f"with {cores} times the cores" if cores > 1 else "with the same cores"
        from_on = max(later, 0) / gained / 1e6 if gained > 0 else 0
        on = f"from {from_on:,.0f} million rows on" if gained > 0 else "never"
        said.append(f"{where} {on}")
    return (
        f"Spark's start took {start:.1f} s, and it scored {theirs / 1000:,.0f}k rows/s with the "
        f"cores with which one process scored {ours / 1000:,.0f}k. If more cores are as many times "
        f"as fast, Spark is the faster {', '.join(said)}."
    )


def verdicts(results: Results) -> list[str]:
    """Return a line for each way that is to be so many times as fast as its rival: whether it is,
    after the start of both."""
    said = []
    for name, wanted in _WANTED.items():
        if made := times(name, results["found"]):
            after = float(made.rpartition(" ")[2])
            said.append(f"{name}: {after:g} times its rival after the start, "
                        f"{'reached' if after >= wanted else 'BELOW'} {wanted:g}")  # fmt: skip
    return said


def _line(name: str, runs: Figures, found: Mapping[str, Figures]) -> str:
    whole = _spread(runs, lambda run: run["rows"] / run["seconds"] / 1000, "{:,.0f}k")
    work = _spread(runs, lambda run: run["rows"] / run["work"] / 1000, "{:,.0f}k")
    cpu = _spread(runs, lambda run: run["cpu"] / run["rows"] * 1e6, "{:.2f}", spread=False)
    first = _spread(runs, lambda run: run["first"], "{:.2f} s")
    memory = f"{max(run['memory_mb'] for run in runs):,.0f} MB" if "memory_mb" in runs[0] else ""
    cells = [name, f"{runs[0]['rows']:,.0f}", whole, work, times(name, found), cpu, first, memory]
    return f"| {' | '.join(cells)} |"


def times(name: str, found: Mapping[str, Figures]) -> str:
    """Return how many times faster a way is than its rival, whole processes and after the start:
    the median of the rounds; nothing where it has none."""
    rival = _RIVALS.get(name, "")
    made = []
    for key in ("seconds", "work"):
        pairs = list(zip(found.get(rival, ()), found.get(name, ()), strict=False))
        if pairs and all(key in one for pair in pairs for one in pair):
            made.append(f"{statistics.median(a[key] / b[key] for a, b in pairs):.1f}")
    return " / ".join(made)


def _spread(
    runs: Figures, figure: Callable[[Mapping[str, float]], float], form: str, *, spread: bool = True
) -> str:
    try:
        values = sorted(figure(run) for run in runs)
    except KeyError:  # this way has no such figure
        return ""
    middle = form.format(statistics.median(values))
    if not spread or len(values) == 1:
        return middle
    return f"{middle} ({form.format(values[0])} to {form.format(values[-1])})"


def update(page: Path, results: Results) -> bool:
    """Put the table between the page's markers; return whether that changed anything."""
    before = page.read_text(encoding="utf-8")
    if BEGIN not in before or END not in before:
        raise SystemExit(f"{page} has no place for the table: {BEGIN} ... {END}")
    head, _, rest = before.partition(BEGIN)
    after = f"{head}{BEGIN}\n{table(results)}\n{END}{rest.partition(END)[2]}"
    write_file(page, after.encode())
    return after != before
