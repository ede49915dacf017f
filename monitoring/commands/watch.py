"""`monitoring watch`: read the logs, make the reports, tell of alarms; for ever."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from monitoring import exposition, trainings, versions
from monitoring.commands.profile import keeper
from monitoring.errors import UsageError
from monitoring.ingest import Ingest
from monitoring.notify import Webhook
from monitoring.page import page
from monitoring.report import Report, report
from monitoring.store import Store
from monitoring.topics import take
from monitoring.watching import Board, forever, json_of, listen
from monitoring.windows import hour_of, hours_of
from scoring.models import discover
from scoring.process.addresses import trouble_of
from scoring.process.atomic_files import write_file
from scoring.registry.settings import RegistrySettings

_SECRET: Final = "MONITORING_WEBHOOK_SECRET"  # noqa: S105  # the variable's name
_URL: Final = "MONITORING_WEBHOOK"
_SHORTEST: Final = 16


def options(line: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    line.add_argument("models", nargs="*", metavar="MODEL", help="(default: all that are known)")
    line.add_argument("--log", action="append", default=[], metavar="LOG",
        help="profile this file, folder or topic first, each time; several times")  # fmt: skip
    line.add_argument("--ids", choices=("plain", "hash", "none"), default="plain",
        help="how `profile` keeps ids")  # fmt: skip
    line.add_argument("--window", default="24h", help="24h (default), 7d, 4w")
    line.add_argument("--until", metavar="TIME", help="its end, UTC (default: the hour that is)")
    line.add_argument("--against", default="training",
        choices=("training", "previous", "same-weekday"), help="(default: training)")  # fmt: skip
    line.add_argument("--model", metavar="WHICH", help="of one version of the MODEL alone, as "
        "`report` has it; an alias is asked for each time (default: all)")  # fmt: skip
    line.add_argument("--fairness", action="append", default=[], metavar="FIELD",
        help="rates and errors by each category of this field; several times")  # fmt: skip
    line.add_argument("--every", type=float, default=300.0, metavar="SECONDS",
        help="seconds from one turn to the next (default: 300)")  # fmt: skip
    line.add_argument("--host", default="127.0.0.1", help="(default: 127.0.0.1)")
    line.add_argument("--port", type=int, default=9698,
        help="of /metrics, /health, /MODEL, /MODEL.json (default: 9698; 0: any free)")  # fmt: skip
    line.add_argument("--reports", type=Path, metavar="FOLDER",
        help="write MODEL.html and MODEL.json there, each time")  # fmt: skip
    line.add_argument("--metrics-file", type=Path, metavar="FILE",
        help="for the node exporter's text files")  # fmt: skip
    line.add_argument("--once", action="store_true", help="one turn, and no page")


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Watch until SIGTERM or SIGINT comes, and return 0."""
    turn = _turn(given, environ)
    if given.every <= 0:
        raise UsageError("--every takes a number of seconds above 0")
    if given.once:
        turn()
        return 0
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    board = Board(given.every)
    server = listen(given.host, given.port, board)
    sys.stdout.write(f"watching on http://{given.host}:{server.server_address[1]}/metrics\n")
    sys.stdout.flush()
    try:
        forever(turn, board, given.every, stop)
    finally:
        server.shutdown()
        server.server_close()
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


def _turn(given: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], list[Report]]:
    models = discover()
    _check(given, models)
    length, keep, webhook = hours_of(given.window), keeper(given.ids, environ), _webhook(environ)
    hour_of(given.until)
    settings = RegistrySettings.from_env(environ)

    def turn() -> list[Report]:
        store = Store(given.store)
        trainings.note(store, settings)
        if given.log:
            take(Ingest(store, models, keep), store, models, given.log)
        names = given.models or [name for name in models if store.span(name)]
        end = hour_of(given.until)
        which = given.model
        only = which and versions.chosen(store, names[0], which, settings)
        made = [
            report(store, name, length, end, given.against, given.fairness, only) for name in names
        ]
        with store.writing() as writing:
            made = [replace(one, since=writing.since(one.model, one.state)) for one in made]
        for one in made:
            if webhook:
                webhook.tell(store, one)
            if given.reports:
                given.reports.mkdir(parents=True, exist_ok=True)
                write_file(given.reports / f"{one.model}.html", page(one).encode())
                write_file(given.reports / f"{one.model}.json", json_of(one))
        if given.metrics_file:
            write_file(given.metrics_file, exposition.text(made))
        return made

    return turn


def _check(given: argparse.Namespace, models: Collection[str]) -> None:
    for name in given.models:
        if name not in models:
            raise UsageError(f"no model '{name}'; there are {', '.join(models)}")
    if given.model is not None and len(given.models) != 1:
        raise UsageError("--model is a version of one model: name that one, too")


def _webhook(environ: Mapping[str, str]) -> Webhook | None:
    url, secret = environ.get(_URL), environ.get(_SECRET, "")
    if not url:
        return None
    if trouble := trouble_of(url):
        raise UsageError(f"{_URL}: {trouble}")
    if len(secret) < _SHORTEST:
        raise UsageError(f"{_URL} needs {_SECRET}, of {_SHORTEST} characters or more")
    return Webhook(url, secret)
