"""Compares the service with what people would otherwise run, in turns, and writes what was found.

    python -m benchmarks
    python -m benchmarks --quick
    python -m benchmarks --peers --rounds 2 --seconds 4

`make bench` runs it; docs/benchmarks.md says what is compared.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import inprocess, load, peers, report, servers
from benchmarks.load import BadAnswer
from benchmarks.servers import ROOT, Running, Server, running
from scoring.models import Model, discover
from scoring.process.usage import of_docstring
from training.data.tables import read
from training.sources import source_of

MANY = 32  # connections
ROWS = 1000  # records in one request
ARRAYS_S = 4  # at least: the tutorial's way takes a second for two such requests


class Bench:
    """One run: where its files are, how long each load lasts, and what it has found so far."""

    def __init__(self, models: Path | None, folder: Path, *, seconds: float, quick: bool) -> None:
        """Train what is served into `folder`, unless `models` holds it already."""
        self.logs = folder
        self.folder = models or folder
        self.seconds = seconds
        self.quick = quick
        self.found: dict[str, dict[str, list[float]]] = {}
        self.failed: dict[str, str] = {}
        self.models = {name: discover()[name] for name in ("ride", "churn")}
        for name in () if models else self.models:
            words = [sys.executable, "train.py", name, "--output", str(folder)]
            subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        # of two cores the second is the server's: the first has the interrupts
        cpus = sorted(os.sched_getaffinity(0))
        self.clients, self.one = {cpus[0]}, {cpus[-1]}
        self.all = set(cpus)
        self.body = {n: json.dumps(dict(m.example)).encode() for n, m in self.models.items()}
        self.expected = {n: self._answer(m) for n, m in self.models.items()}

    def pair(self, model: str) -> Path:
        return self.folder / model / self.models[model].artifact_file

    def servers(self) -> list[Server]:
        """Return what is compared with single records, in the order of a turn."""
        if self.quick:
            return [
                servers.ours("ride", self.folder),
                servers.tutorial("ride", self.pair("ride")),
                servers.fastapi("ride", self.pair("ride")),
                servers.floors()[-1],
                servers.ours("churn", self.folder),
                servers.guarded(self.folder, self.logs)[-1],
            ]
        return [
            servers.ours("ride", self.folder),
            servers.tutorial("ride", self.pair("ride"), "sync"),
            servers.tutorial("ride", self.pair("ride")),
            servers.fastapi("ride", self.pair("ride")),
            *servers.floors(),
            servers.ours("churn", self.folder),
            servers.tutorial("churn", self.pair("churn")),
            servers.fastapi("churn", self.pair("churn")),
            *servers.guarded(self.folder, self.logs),
        ]

    def turn(self, peers: list[Server]) -> None:
        """Measure everything once."""
        for server in self.servers():
            self.single(server)
        for server in peers:
            if server.name in self.failed:
                continue
            try:
                self.single(server)
            except BadAnswer as error:
                self.failed[server.name] = str(error).strip().splitlines()[-1][:200]
        mine = servers.ours("ride", self.folder)
        theirs = servers.tutorial("ride", self.pair("ride"))
        for server in (mine, theirs):
            self.arrays(server, server.path, "rows_per_second")
        self.arrays(theirs, "/predict/in-one-pass", "rows_per_second_in_one_pass")
        for server in (mine,) if self.quick else (mine, theirs):
            self.workers(server, 4)
        for count in () if self.quick else (1, 2):
            with self.up(mine, self.all, count) as up:
                found = self.load(up, MANY, self.all)
                self.note(
                    "this service, ride, on all cores", f"per_second_{count}", found.per_second
                )

    def single(self, server: Server) -> None:
        """One worker on a core of its own: one connection, then many."""
        name = f"{server.name}, {server.model}"
        with self.up(server, self.one) as up:
            self.note(name, "start_s", up.started_s)
            if not self.quick:
                self.load(up, 4, self.clients, 1)  # what is made once, is made now
            alone = self.load(up, 1, self.clients, self.seconds / 2)
            self.note(name, "p50_1_ms", alone.p50_ms)
            many = self.load(up, MANY, self.clients)
            self.note(name, "per_second", many.per_second)
            self.note(name, "p99_32_ms", many.p99_ms)
            self.note(name, "memory_mb", up.memory_mb())

    def arrays(self, server: Server, path: str, what: str) -> None:
        """Rows a second of requests with many records each."""
        rows = self.rows(self.models["ride"])
        with self.up(server, self.one) as up:
            body = json.dumps(rows).encode()
            if len(_list(servers.ask(up.at, path, body))) != len(rows):
                raise BadAnswer(f"{server.name} answers another number of records")
            found = load.run(
                up.at, path, body,
                connections=2, seconds=max(self.seconds / 2, ARRAYS_S), cpus=self.clients,
            )  # fmt: skip
            self.note(f"{server.name}, ride", what, found.per_second * len(rows))

    def workers(self, server: Server, count: int) -> None:
        """What several workers take."""
        with self.up(server, self.all, count) as up:
            self.load(up, MANY, self.clients, 1)
            self.note(f"{server.name}, ride", f"memory_mb_{count}", up.memory_mb())

    def in_process(self) -> None:
        """The matrix of a month and the score of one record, several times."""
        name, frame = inprocess.rides(self.models["ride"])
        for _ in range(1 if self.quick else 5):
            theirs, mine = inprocess.matrix(frame, self.models["ride"])
            self.note(f"matrix of {name}", "theirs_s", theirs)
            self.note(f"matrix of {name}", "ours_s", mine)
            for model in self.models.values():
                theirs, mine = inprocess.single(self.folder, model, 1000)
                self.note(f"score of one record, {model.name}", "theirs_us", theirs)
                self.note(f"score of one record, {model.name}", "ours_us", mine)
            calls = 100 if self.quick else 2000
            theirs, mine = inprocess.by_means(self.logs / "means", self.models["ride"], calls)
            self.note(report.BY_MEANS, "theirs_us", theirs)
            self.note(report.BY_MEANS, "ours_us", mine)
            self.note(report.BY_MEANS, "wanted_us", report.WANTED_US)

    def up(self, server: Server, cpus: set[int], workers: int = 1) -> Any:
        body, expected = self.body[server.model], self.expected[server.model]
        if server.wrapped:
            body = peers.wrapped(server, self.models[server.model])
        log = self.logs / "server.log"
        return running(server, body, expected, cpus=cpus, log=log, workers=workers)

    def load(self, up: Running, connections: int, cpus: set[int], seconds: float = 0) -> load.Load:
        server = up.server
        body = self.body[server.model]
        if server.wrapped:
            body = peers.wrapped(server, self.models[server.model])
        given = {"connections": connections, "seconds": seconds or self.seconds, "cpus": cpus}
        return load.run(up.at, server.path, body, **given)  # type: ignore[arg-type]

    def note(self, name: str, what: str, value: float) -> None:
        self.found.setdefault(name, {}).setdefault(what, []).append(round(value, 5))

    def rows(self, model: Model) -> list[dict[str, Any]]:
        frame = read(model, source_of(model), []).frame[list(model.record.model_fields)]
        return frame.head(ROWS).to_dict("records")  # type: ignore[return-value]

    def _answer(self, model: Model) -> float:
        theirs, _ = inprocess.answers(self.folder, model)
        return theirs


def _list(answer: Any) -> list[Any]:
    predictions: list[Any] = answer["predictions"] if isinstance(answer, dict) else answer
    return predictions


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    line = argparse.ArgumentParser(prog="python -m benchmarks", **of_docstring(__doc__))
    line.add_argument("--rounds", type=int, default=3, metavar="N", help="default: 3")
    line.add_argument(
        "--seconds", type=float, default=4, metavar="S", help="of each load (default: 4)"
    )
    line.add_argument(
        "--quick", action="store_true", help="one round of a second, fewer servers: does it work?"
    )
    line.add_argument("--peers", action="store_true", help="others too, installed on first use")
    line.add_argument(
        "--output", type=Path, default=report.RESULTS, metavar="FILE",
        help="where the results go (default: benchmarks/results.json)",
    )  # fmt: skip
    line.add_argument(
        "--models", type=Path, metavar="DIR",
        help="trained models to serve (default: trains them on the bundled sample)",
    )  # fmt: skip
    line.add_argument(
        "--readme", type=Path, default=ROOT / "README.md", metavar="FILE",
        help="whose table is written anew (default: README.md)",
    )  # fmt: skip
    return line


def main() -> None:
    """Run all of it; exit with status 1 where a server does not answer as it should."""
    given = parser().parse_args()
    rounds, seconds = (1, 1.0) if given.quick else (given.rounds, given.seconds)
    try:
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(given.models, Path(folder), seconds=seconds, quick=given.quick)
            others, failed = peers.installed(bench.pair("ride")) if given.peers else ([], {})
            bench.failed |= failed
            for number in range(rounds):
                print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
                bench.turn(others)
            bench.in_process()
    except BadAnswer as error:
        sys.exit(f"benchmarks: {error}")
    results = report.described(bench.found, bench.failed, rounds=rounds, seconds=seconds)
    report.write(results, given.output)
    print(report.text(results))
    if report.update(given.readme, results):
        print(f"the table of {given.readme.name} is new")


if __name__ == "__main__":
    main()
