"""How many sets of parameters a minute: train.py --search, and the course's loop with hyperopt.

    python -m benchmarks.search   as make bench-search has it
    python -m benchmarks.search --training 2021-01.parquet --validation 2021-02.parquet --trials 10

Both try as many sets of XGBoost's parameters from the same space, in turns. Ours is the whole
command: start, reading, features, three folds, training with the winner, writing. The loop is
without its start and imports, fits once a trial, on all CPUs, and is given the validation data to
choose on, which ours never sees before its end. hyperopt is in an environment of its own,
`.venv-search-hyperopt`, which the make target makes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.report import commit, machine
from scoring.artifact.manifest import MANIFEST, Manifest
from scoring.process.cpus import available
from scoring.process.usage import of_docstring
from training.data.publishers import default_folder

_HERE: Final = Path(__file__).resolve().parent
_ROOT: Final = _HERE.parent
PYTHON: Final = _ROOT / ".venv-search-hyperopt" / "bin" / "python"
_WANTED: Final = 4  # times the trials a minute of the loop


def theirs(trials: int, training: Path, validation: Path) -> dict[str, float]:
    """Return what the loop says: seconds, and the best RMSE on the validation data."""
    words = [str(PYTHON), str(_HERE / "rivals" / "search_loop.py"), str(trials), str(training),
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
    found: list[Any] = []
    for number in range(rounds):
        loop = theirs(trials, training, validation)
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
    add("--training", type=Path, metavar="FILE", help="a month of rides (default: 2021-01)")
    add("--validation", type=Path, metavar="FILE", help="a later month (default: 2021-02)")
    add("--trials", type=int, default=40, help="sets of parameters (default: 40)")
    add("--rounds", type=int, default=3, help="of both, in turns (default: 3)")
    add("--jobs", type=int, default=available(), help="processes of ours (default: the CPUs)")
    return line


def verdict(ratios: list[float]) -> str:
    """Return their median, least and most, and whether that is what is wanted."""
    middle = median(ratios)
    said = f"reached {_WANTED}" if middle >= _WANTED else f"BELOW {_WANTED}"
    least, most = min(ratios), max(ratios)
    return f"{middle:.1f} times the trials a minute ({least:.1f} to {most:.1f}), {said}"


def main() -> None:
    """Measure, and print each round and the median. Exits with a line where the data or the
    environment is missing."""
    given = parser().parse_args()
    months = default_folder() / "green"
    training = given.training or months / "green_tripdata_2021-01.parquet"
    validation = given.validation or months / "green_tripdata_2021-02.parquet"
    for path in (training, validation):
        if not path.is_file():
            sys.exit(f"there is no file {path}: make data, or name one that there is")
    if not PYTHON.exists():
        sys.exit(f"there is no {PYTHON}: make bench-search")
    found = compare(given.rounds, given.trials, training, validation, given.jobs)
    print(verdict([one["ratio"] for one in found]))
    print(f"{machine()}; commit {commit()}")


if __name__ == "__main__":
    main()
