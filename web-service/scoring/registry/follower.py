"""The one process that talks to the registry: asks, downloads, has it proved, names what serves.

    python -m scoring.registry.follower < one line of JSON: the settings, the models

It ends when its standard input does, that is with the process that started it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from scoring.models import Model, discover
from scoring.registry.cache import Cache, Current, Origin, Refusal, Shelf, Status
from scoring.registry.client import Client
from scoring.registry.errors import Absent, Away, Failed, Refused
from scoring.registry.places import fetch, locate
from scoring.registry.python import FOLDER, command, environment
from scoring.settings import Settings

MANIFEST: Final = "manifest.json"  # scoring.artifact has it too, and more than this needs
_FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=+-]*")
_ASK_S: Final = 15.0  # a whole question, however slowly its bytes drip
_PROVE_S: Final = 120.0
_MAX_BACKOFF_S: Final = 600.0
_TICK_S: Final = 0.2  # how soon "ask now" is heard
_MAX_MANIFEST: Final = 64 * 1024 * 1024

_log = logging.getLogger(__name__)


class _TimeUp(Exception):
    """A step took longer than it may."""


class Follower:
    """Follows the registry for some models, one round after the other."""

    def __init__(self, settings: Settings, models: Mapping[str, Model]) -> None:
        self._settings = settings
        self._models = models
        self._cache = Cache(settings)
        self._client = Client(settings)
        self._failures: dict[str, tuple[Origin, int, float]] = {}  # version, tries, when to retry

    def round(self, *, now: bool = False) -> None:
        """Asks for every model once, and fetches what is new. With `now`, a version that failed
        before is tried again at once instead of after a growing pause."""
        if now:
            self._failures.clear()
        away: Away | None = None
        for model in self._models.values():
            shelf = self._cache.shelf(model.name)
            before = shelf.status()
            try:
                if away:
                    raise away  # the same server: its silence need not be waited for twice
                origin, tags = self._ask(model)
            except (Away, Absent) as error:
                away = error if isinstance(error, Away) else None
                status = self._unknown(model, shelf, before, error)
            else:
                if before.problem:
                    _log.info("model '%s': %s answers again", model.name, self._client.shown)
                known = before.model_copy(update={"stale_since": None, "problem": None})
                status = self._follow(model, shelf, known, origin, tags)
            self._note(shelf, status.model_copy(update={"asked": time.time(), "busy": None}))

    def _ask(self, model: Model) -> tuple[Origin, dict[str, str]]:
        try:
            with _at_most(_ASK_S):
                selector = self._settings.selector(model.name)
                return self._client.find(model.registered_name, selector)
        except _TimeUp:
            raise Away(f"{self._client.shown} took more than {_ASK_S:g} s to answer") from None

    def _unknown(self, model: Model, shelf: Shelf, before: Status, error: Exception) -> Status:
        """The registry does not say what should serve: what serves goes on."""
        if before.problem != str(error):
            _log.warning("model '%s': %s; what serves goes on", model.name, error)
        pinned = self._settings.model_version.get(model.name)
        if pinned and not shelf.current() and (found := shelf.find_number(pinned)):
            digest, origin = found
            shelf.publish(Current(origin=origin, digest=digest, since=time.time()))
        since = before.stale_since or time.time()
        return _counted(before, "away", stale_since=since, problem=str(error))

    def _follow(
        self, model: Model, shelf: Shelf, status: Status, origin: Origin, tags: dict[str, str]
    ) -> Status:
        current = shelf.current()
        if current and current.origin == origin:
            return status.model_copy(update={"refused": None})
        failed, tries, retry_at = self._failures.get(model.name, (None, 0, 0.0))
        try:
            digest = shelf.find(origin)
            if digest is None:
                if failed == origin and time.monotonic() < retry_at:
                    return status
                self._note(shelf, status.model_copy(update={"busy": f"version {origin.number}"}))
                digest = self._fetch(model, shelf, origin, tags)
            shelf.publish(Current(origin=origin, digest=digest, since=time.time()))
            shelf.tidy(self._settings.registry_keep)
        except (Refused, Failed, Away, Absent, OSError) as error:
            tries = tries + 1 if failed == origin else 1
            pause = min(self._settings.registry_poll_seconds * 2 ** (tries - 1), _MAX_BACKOFF_S)
            self._failures[model.name] = (origin, tries, time.monotonic() + pause)
            reason = _reason(error)
            if not status.refused or status.refused.reason != reason:
                _log.error("model '%s': %s is refused: %s", model.name, origin.title, reason)
            refusal = Refusal(version=origin.number, reason=reason, at=time.time())
            result = "refused" if isinstance(error, Refused) else "failed"
            return _counted(status, result, refused=refusal)
        self._failures.pop(model.name, None)
        _log.info("model '%s': %s is ready to serve", model.name, origin.title)
        return _counted(status, "loaded", refused=None)

    def _fetch(self, model: Model, shelf: Shelf, origin: Origin, tags: dict[str, str]) -> str:
        """Gives the digest under which the version lies in the cache, proven."""
        limit = self._settings.registry_download_seconds
        with shelf.aside() as folder:
            try:
                with _at_most(limit):
                    self._download(model, origin, tags, folder)
            except _TimeUp:
                raise Failed(f"the download took longer than {limit:g} s") from None
            digest = prove_apart(model, folder, origin)
            shelf.store(folder, digest, origin)
        return digest

    def _download(self, model: Model, origin: Origin, tags: dict[str, str], into: Path) -> None:
        most = self._settings.registry_max_bytes
        place = locate(self._client.artifact_uri(origin), self._client, self._settings)
        there = place.list()
        if MANIFEST in there:
            smaller = min(most, _MAX_MANIFEST)
            text = fetch(place, MANIFEST, there[MANIFEST], into, limit=smaller).read_bytes()
            _check_tag(tags, text)
            for name in _files_of(text):
                fetch(place, name, there.get(name), into, limit=most)
            return
        readable = ("model.skops", "model.pkl", model.artifact_file)
        found = next((name for name in readable if name in there), None)
        if found is None:
            raise Refused(f"it holds none of {MANIFEST}, {', '.join(readable)}")
        fetch(place, found, there[found], into, limit=most)

    def _note(self, shelf: Shelf, status: Status) -> None:
        try:
            shelf.write_status(status)
        except OSError as error:
            _log.warning("REGISTRY_CACHE cannot be written: %s", error.strerror)


def prove_apart(model: Model, folder: Path, origin: Origin) -> str:
    """Gives the digest of a downloaded version after another process has proved it; raises Refused,
    also where that process crashed or took too long."""
    asked = {"model": model.name, "folder": str(folder), "origin": origin.model_dump()}
    try:
        done = subprocess.run(  # noqa: S603  # our own words
            command("prove"),
            input=json.dumps(asked),
            env=environment(),
            cwd=FOLDER,
            capture_output=True,
            text=True,
            timeout=_PROVE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Refused(f"its proof took longer than {_PROVE_S:g} s") from None
    try:
        answer: dict[str, str] = json.loads(done.stdout)
    except ValueError:
        _log.warning("the proof of %s gave no answer: %s", origin.title, done.stderr[-2000:])
        raise Refused(f"its proof crashed (status {done.returncode})") from None
    if "refused" in answer:
        raise Refused(answer["refused"])
    if "failed" in answer:
        raise Failed(answer["failed"])
    return answer["digest"]


def _check_tag(tags: Mapping[str, str], manifest: bytes) -> None:
    """A version registered by our training carries its manifest's digest."""
    expected = tags.get("manifest_sha256")
    found = hashlib.sha256(manifest).hexdigest()
    if expected and expected != found:
        raise Refused(
            f"its {MANIFEST} has the sha256 {found[:12]}..., its tag says {expected[:12]}...: it "
            "was overwritten after it was registered"
        )


def _files_of(manifest: bytes) -> list[str]:
    """Gives the names of the pair and of its compiled form, where there is one."""
    try:
        found = json.loads(manifest)
        names = [found["file"], *([found["compiled"]["file"]] if found.get("compiled") else ())]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        names = [None]
    if not all(isinstance(name, str) and _FILE.fullmatch(name) for name in names):
        raise Refused(f"its {MANIFEST} names no file that can be fetched")
    if MANIFEST in names or len({*names}) < len(names):
        raise Refused(f"its {MANIFEST} names no file that can be fetched")
    return names


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"it cannot be stored in REGISTRY_CACHE: {error.strerror}"
    return str(error)


def _counted(status: Status, result: str, **changes: Any) -> Status:
    counts = {**status.counts, result: status.counts.get(result, 0) + 1}
    return status.model_copy(update={**changes, "counts": counts})


@contextlib.contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Ends the block with _TimeUp after so many seconds, wherever it waits: a server that sends a
    byte now and then keeps every timeout of a socket from running out."""

    def up(_signal: int, _frame: object) -> None:
        raise _TimeUp

    before = signal.signal(signal.SIGALRM, up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _line_of(handle: int) -> bytes:
    """Gives the first line, without reading on: what follows is the end."""
    found = b""
    while not found.endswith(b"\n") and (byte := os.read(handle, 4096)):
        found += byte
    return found


def main() -> None:
    """Follows until the standard input ends."""
    given = json.loads(_line_of(0))
    settings = Settings.model_validate(given["settings"])
    logging.basicConfig(
        level=settings.log_level.upper(),
        format="%(asctime)s %(process)d %(levelname)s %(message)s",
    )
    logging.getLogger("urllib3").setLevel(logging.WARNING)  # its debug lines hold addresses
    known = discover()
    follower = Follower(settings, {name: known[name] for name in given["models"]})
    cache = Cache(settings)
    asked, now = cache.asked(), False
    # where the cache was removed, the lock went with it: the service starts another follower
    while cache.there(given["models"]):
        follower.round(now=now)
        until = time.monotonic() + settings.registry_poll_seconds
        now = False
        while not now and (left := until - time.monotonic()) > 0:
            if select.select([0], [], [], min(left, _TICK_S))[0]:
                return
            asked, now = cache.asked(), cache.asked() != asked


if __name__ == "__main__":
    main()
