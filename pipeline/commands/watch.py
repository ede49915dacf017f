"""`pipeline watch [MODEL...]`: run when something asks for it, for ever."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Final

from pipeline import config, progress
from pipeline.champions import champion_of
from pipeline.commands import run as one_run
from pipeline.commands import status, stores
from pipeline.commands.models import model_of
from pipeline.errors import LostError, PipelineError, StoppedError, UsageError
from pipeline.notify import people_of
from pipeline.records import Runs
from pipeline.run import Asked
from pipeline.triggers import hook, monitored
from pipeline.watching import Watcher
from scoring.process.atomic_files import write_file

HELP: Final = "run when the clock, new data, monitoring, a webhook or somebody asks for it"


def options(line: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    line.add_argument("models", nargs="*", metavar="MODEL",
        help="(default: those that pipeline.toml names)")  # fmt: skip
    line.add_argument("--config", type=Path, metavar="FILE",
        help="the triggers, and all else of a model (default: pipeline.toml)")  # fmt: skip
    stores.option(line)
    line.add_argument("--every", type=float, default=15.0, metavar="SECONDS",
        help="from one turn to the next (default: 15)")  # fmt: skip
    line.add_argument("--pages", type=Path, metavar="FOLDER",
        help="write MODEL.html there after each turn, as status --html does")  # fmt: skip
    line.add_argument("--once", action="store_true", help="one turn, without a debounce, for cron")
    line.add_argument("--host", default="127.0.0.1", help="of webhooks (default: 127.0.0.1)")
    line.add_argument("--port", type=int, metavar="PORT",
        help=f"take webhooks, POST /MODEL, signed with {hook.SECRET} (0: any free)")  # fmt: skip


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Watch until a signal comes, and return 0."""
    if given.every <= 0:
        raise UsageError("--every takes a number of seconds above 0")
    watchers = _watchers(given, environ)
    wake = threading.Event()
    server = None if given.port is None else _server(given, environ, watchers, wake)
    try:
        while True:
            wake.clear()
            try:
                _turn(watchers, given.pages)
                if given.once:
                    return 0
                wake.wait(given.every)
            except LostError:  # its run had ended when the signal came
                continue
    except StoppedError as error:
        one_run.print_line(str(error))
        return 0
    finally:
        if server:
            server.shutdown()
            server.server_close()


def _turn(watchers: Sequence[Watcher], pages: Path | None) -> None:
    for watcher in watchers:
        watcher.turn()
        if pages:
            _write(pages, watcher)


def _write(folder: Path, watcher: Watcher) -> None:
    """Write a model's page, where it is another than before; where that cannot be, say so."""
    asked = watcher.asked
    try:
        champion = champion_of(asked.model, asked.environ)
        lines = status.serving(asked.model, champion, watcher.store)
        content = status.html(asked.runs, lines, watcher.store)
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / f"{asked.model.name}.html"
        if not place.exists() or place.read_bytes() != content:
            write_file(place, content)
    except StoppedError:
        raise
    except (PipelineError, OSError) as error:
        watcher.say(f"the page cannot be written: {error}")


def _watchers(given: argparse.Namespace, environ: Mapping[str, str]) -> list[Watcher]:
    names = given.models or config.models(given.config)
    if not names:
        raise UsageError("pipeline.toml names no model: name one, as `pipeline watch ride`")
    asked = [_asked(given, environ, name) for name in names]
    for one in asked:
        if one.config.watch.monitoring != "off":
            monitored.place_of(environ)
        one.runs.make()
    store = stores.opened(given, environ)
    people = people_of(environ, store)
    found = [
        Watcher(replace(one, leases=stores.leases(store, one.runs), tell=people.tell), people)
        for one in asked
    ]
    one_run.print_line(f"watching {', '.join(names)}")
    if not environ.get(monitored.STORE):
        one_run.print_line(f"{monitored.STORE} is not set: new champions are not observed")
    return found


def _asked(given: argparse.Namespace, environ: Mapping[str, str], name: str) -> Asked:
    model, read = model_of(name), config.read(given.config, name)
    if given.once:  # there is no later turn for which it could wait
        at_once = read.watch.model_copy(update={"debounce_seconds": 0.0})
        read = read.model_copy(update={"watch": at_once})
    return Asked(model=model, runs=Runs(given.runs, name), config=read,
                 environ=environ, say=one_run.print_line, working=progress.working)  # fmt: skip


def _server(
    given: argparse.Namespace, environ: Mapping[str, str], watchers: Sequence[Watcher],
    wake: threading.Event,
) -> ThreadingHTTPServer:  # fmt: skip
    secret = environ.get(hook.SECRET, "")
    if len(secret) < hook.SHORTEST:
        raise UsageError(f"--port needs {hook.SECRET}, of {hook.SHORTEST} characters or more")
    models = [watcher.asked.model.name for watcher in watchers]
    store = watchers[0].store

    def take(path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        answer = hook.taken(store, models, secret, path, headers, body)
        wake.set()
        return answer

    server = hook.listen(given.host, given.port, take)
    one_run.print_line(f"webhooks at http://{given.host}:{server.server_address[1]}/MODEL")
    return server
