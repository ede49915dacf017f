"""Measure an exported ONNX graph next to the pair that it was made of, over a table of rides.

    python -m benchmarks.formats
    python -m benchmarks.formats --rows 200000 --rounds 7 --at-least 30

The pair gets the features as dictionaries, as DictVectorizer takes them; ONNX Runtime gets the
columns. Both score on one thread, in turns within one process. It prints medians with the range,
and ends with status 1 where ONNX Runtime is less than `--at-least` times as fast as the pair.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from threadpoolctl import threadpool_limits

from benchmarks.report import commit, machine
from scoring.artifact.reading import load
from scoring.models import discover
from scoring.predictor import Predictor
from scoring.process.usage import of_docstring
from training.data.checks import check
from training.data.tables import read
from training.export.onnx_graph import onnx_files
from training.export.reading import read_form
from training.fit.features import features
from training.run import Options, train
from training.sources import source_of


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    line = argparse.ArgumentParser(prog="python -m benchmarks.formats", **of_docstring(__doc__))
    line.add_argument("--rows", type=int, default=200_000, help="rides (default: 200000)")
    line.add_argument("--rounds", type=int, default=7, help="of both, in turns (default: 7)")
    line.add_argument("--at-least", type=float, default=0.0, metavar="TIMES",
                      help="exit with status 1 below so many times the speed")  # fmt: skip
    return line


def main() -> None:
    """Train the ride's default on the bundled sample, export it, and measure."""
    given = parser().parse_args()
    model = discover()["ride"]
    source = source_of(model)
    frame = check(read(model, source, []), model, source, max_dropped=1).frame
    frame = frame.sample(given.rows, replace=True, random_state=1)
    with tempfile.TemporaryDirectory() as name:
        train(Options(model=model, output=Path(name), log=lambda _line: None))
        folder = Path(name, "ride")
        pair: Any = load(folder, model, compiled=False).scorer
        graph = onnx_files(read_form(Predictor.from_folder(folder, model)))["model.onnx"]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options)
    rows = [dict(row) for row in features(frame, model)]
    feed = {
        "PULocationID": frame["PULocationID"].to_numpy(np.int64),
        "DOLocationID": frame["DOLocationID"].to_numpy(np.int64),
        "trip_distance": frame["trip_distance"].to_numpy(np.float64),
    }
    ways: dict[str, Callable[[], Any]] = {
        "pair": lambda: pair.estimator.predict(pair.vectorizer.transform(rows)),
        "onnx": lambda: session.run(["score"], feed)[0],
    }
    with threadpool_limits(1):
        np.testing.assert_allclose(ways["onnx"](), ways["pair"](), rtol=1e-9)
        found: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(given.rounds):
            for way, score in ways.items():
                begin = time.perf_counter()
                score()
                found[way].append(given.rows / (time.perf_counter() - begin))
    print(f"{machine()}, commit {commit()}, {given.rows:,} rides, {given.rounds} rounds in turns")
    for way, rates in found.items():
        middle, low, high = statistics.median(rates), min(rates), max(rates)
        print(f"{way:5} {middle:14,.0f} rides/s   ({low:,.0f} to {high:,.0f})")
    ratios = [one / other for one, other in zip(found["onnx"], found["pair"], strict=True)]
    print(f"ratio {statistics.median(ratios):.1f}   ({min(ratios):.1f} to {max(ratios):.1f})")
    if statistics.median(ratios) < given.at_least:
        sys.exit(f"benchmarks.formats: less than {given.at_least:g} times the pair")


if __name__ == "__main__":
    main()
