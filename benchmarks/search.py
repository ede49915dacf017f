"""How many sets of parameters a minute: train.py --search, and the course's loop with hyperopt.

    python -m benchmarks.search --training 2021-01.parquet --validation 2021-02.parquet --trials 40

Both try as many sets of XGBoost's parameters from the same space, in turns. Ours is the whole
command: start, reading, features, three folds, training with the winner, writing. The loop is
without its start and imports, fits once a trial, on all CPUs, and is given the validation data to
choose on, which ours never sees before its end. hyperopt gets an environment of its own,
`benchmarks/.venv-hyperopt`, that sees our packages.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from scoring.artifact.manifest import MANIFEST, Manifest
from scoring.process.cpus import available
from scoring.process.usage import of_docstring

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parent


def environment() -> Path:
    """Return the Python of an environment with hyperopt, made on first use."""
    folder = _HERE / ".venv-hyperopt"
    python = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        own = subprocess.run(
            [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip
        Path(own, "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
        subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", "hyperopt==0.3.0"], check=True
        )
        (folder / ".ready").touch()
    return python


def theirs(python: Path, trials: int, training: Path, validation: Path) -> dict[str, float]:
    """Return what the loop says: seconds, and the best RMSE on the validation data."""
    words = [str(python), str(_HERE / "rivals" / "search_loop.py"), str(trials), str(training),
             str(validation)]  # fmt: skip
    said = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, float] = json.loads(said.splitlines()[-1])
    return found


def ours(trials: int, training: Path, validation: Path, jobs: int) -> dict[str, float]:
    """Return the seconds of the whole command, and the RMSE of its model on the validation data."""
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, str(_ROOT / "train.py"), "ride", "--data", str(training),
                 "--validation", str(validation), "--estimator", "xgboost", "--search",
                 str(trials), "--jobs", str(jobs), "--output", folder]  # fmt: skip
        begun = time.perf_counter()
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - begun
        manifest = Manifest.model_validate_json(Path(folder, "ride", MANIFEST).read_bytes())
    return {"seconds": seconds, "best": manifest.metrics["validation"]["rmse"]}


def compare(rounds: int, trials: int, training: Path, validation: Path, jobs: int) -> list[Any]:
    """Return for each round what both came to, and the ratio of trials a minute."""
    python, found = environment(), []
    for number in range(rounds):
        loop = theirs(python, trials, training, validation)
        own = ours(trials, training, validation, jobs)
        ratio = loop["seconds"] / own["seconds"]
        found.append({"loop": loop, "search": own, "ratio": ratio})
        print(
            f"round {number + 1}: loop {60 * trials / loop['seconds']:.1f} trials/min, rmse "
            f"{loop['best']:.3f}; search {60 * trials / own['seconds']:.1f} trials/min, rmse "
            f"{own['best']:.3f}; {ratio:.1f} times",
            flush=True,
        )
    return found


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    line = argparse.ArgumentParser(prog="python -m benchmarks.search", **of_docstring(__doc__))
    add = line.add_argument
    add("--training", type=Path, required=True, metavar="FILE", help="a month of rides")
    add("--validation", type=Path, required=True, metavar="FILE", help="a later month")
    add("--trials", type=int, default=40, help="sets of parameters (default: 40)")
    add("--rounds", type=int, default=3, help="of both, in turns (default: 3)")
    add("--jobs", type=int, default=available(), help="processes of ours (default: the CPUs)")
    return line


def main() -> None:
    """Measure, and print each round and the median."""
    given = parser().parse_args()
    found = compare(given.rounds, given.trials, given.training, given.validation, given.jobs)
    ratios = sorted(one["ratio"] for one in found)
    print(f"{median(ratios):.1f} times the trials a minute ({ratios[0]:.1f} to {ratios[-1]:.1f})")


if __name__ == "__main__":
    main()
