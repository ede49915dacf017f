"""The service's side: keeps one follower alive, loads what it has named, tells how it goes."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import subprocess
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from scoring.artifact import load
from scoring.errors import ArtifactError, StartError
from scoring.models import Model
from scoring.predictor import Predictor
from scoring.registry.cache import Cache, Current, Shelf, Status
from scoring.registry.python import FOLDER, command, environment
from scoring.service import Predictors
from scoring.settings import Settings

_LOOK_S: Final = 0.5  # how soon a worker sees what the follower has named
_RESPAWN_S: Final = 5.0
_PATIENCE_S: Final = 1.5  # that a start waits for a registry whose last good version is here

_log = logging.getLogger(__name__)


class Following:
    """Follows the registry for the models of one service. Made before the workers are forked;
    each of them then calls `watch`."""

    def __init__(self, settings: Settings, models: Mapping[str, Model]) -> None:
        """Raises a SettingsError where a pin names no model or the cache cannot be written."""
        settings.check_pins(list(models))
        self.settings = settings
        self.cache = Cache(settings)
        self.cache.prepare(list(models))
        self._models = models
        self._follower: subprocess.Popen[bytes] | None = None
        self._served: dict[str, Current] = {}
        self._failed: dict[str, tuple[Current, float]] = {}  # version, when to try again
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self.predictors: Predictors

    def start(self) -> Predictors:
        """Gives the models as the registry names them; where it does not answer at once, the last
        good ones; with nothing cached, those of the image if MODEL_FALLBACK says so. Raises a
        StartError after REGISTRY_START_SECONDS at most."""
        began = time.time()
        self.ask()  # where another service's follower does it for us too
        self.keep_follower(pause_s=0)
        self._wait(began)
        self.predictors = Predictors(
            {name: self._first(model) for name, model in self._models.items()}
        )
        return self.predictors

    def keep_follower(self, *, pause_s: float = _RESPAWN_S) -> None:
        """Starts the follower unless one runs, or one was started less than `pause_s` ago. Who
        holds the lock is it: it inherits the lock, so that no other can start in between, and its
        standard input ends with this process."""
        if self._follower and self._follower.poll() is not None:
            # ended, or that of the process we were forked from, which holds the pipe as well
            if self._follower.stdin:
                self._follower.stdin.close()
            self._follower = None
        names = list(self._models)
        if not self.cache.there(names):
            self.cache.prepare(names)  # something tidies up temporary folders
        path = self.cache.lock_path(names)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if 0 <= time.time() - os.fstat(handle).st_mtime < pause_s:
                return
            os.utime(handle)
            given = {"settings": self.settings.model_dump(mode="json"), "models": names}
            process = subprocess.Popen(  # noqa: S603  # our own words
                command("follower"),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                env=environment(),
                cwd=FOLDER,
                pass_fds=(handle,),
                start_new_session=True,  # Ctrl-C at the terminal is for gunicorn
            )
            self._follower = process
            assert process.stdin is not None  # noqa: S101  # for the type checker
            process.stdin.write(json.dumps(given).encode() + b"\n")
            process.stdin.flush()
        except BlockingIOError:
            return  # it runs
        except OSError as error:
            _log.warning("the registry's follower cannot be started: %s", error.strerror)
        finally:
            os.close(handle)

    def watch(self) -> None:
        """Brings the models up to date and keeps them so, by a thread of this process."""
        self.catch_up()
        self._thread = threading.Thread(target=self._look, name="registry", daemon=True)
        self._thread.start()

    def catch_up(self) -> None:
        """Takes over every version that the follower has named since the last time. Requests that
        began keep the Predictor they asked for."""
        for model in self._models.values():
            shelf = self.cache.shelf(model.name)
            current = shelf.current()
            if current is None or current.origin == self._origin(model.name):
                continue
            failed, retry_at = self._failed.get(model.name, (None, 0.0))
            if failed == current and time.monotonic() < retry_at:
                continue
            try:
                predictor = self._load(model, shelf, current)
            except (ArtifactError, ArithmeticError, OSError) as error:
                # the follower's own copy was good: this one was damaged since, or tidied away
                _log.warning("model '%s': %s: %s", model.name, current.origin.title, error)
                if failed != current:
                    shelf.discard(current.digest)
                self._failed[model.name] = (current, time.monotonic() + _RESPAWN_S)
                continue
            self.predictors.replace(predictor)
            self._served[model.name] = current
            _log.info("model '%s': version %s serves", model.name, predictor.version)

    def ask(self) -> None:
        """Has the follower ask the registry now."""
        self.cache.ask()

    def close(self) -> None:
        """Ends the thread, and the follower where this process started it."""
        self._stopped.set()
        if self._thread:
            self._thread.join()
        if self._follower and self._follower.stdin:
            self._follower.stdin.close()
            self._follower.wait(30)

    def stale(self) -> dict[str, dict[str, str]]:
        """Gives, for each model whose registry does not say what should serve, since when (UTC) and
        why."""
        found = {}
        for name in self._models:
            since, reason = self._stale(self.cache.shelf(name).status())
            if since:
                found[name] = {"since": _time(since), "reason": self._public(reason)}
        return found

    def describe(self, name: str) -> dict[str, Any]:
        """Gives what a caller may know of a model's registry; times are UTC."""
        status = self.cache.shelf(name).status()
        current = self._served.get(name)
        since, reason = self._stale(status)
        refused = status.refused
        pinned = name in self.settings.model_version
        return {
            "model": self._models[name].registered_name,
            "alias": None if pinned else self.settings.model_alias,
            "pinned": self.settings.model_version.get(name),
            "version": current.origin.number if current else None,
            "since": _time(current.since) if current else None,
            "asked": _time(status.asked) if status.asked else None,
            "stale_since": _time(since) if since else None,
            "problem": self._public(reason) if since else None,
            "refused": refused
            and {
                "version": refused.version,
                "reason": self._public(refused.reason),
                "at": _time(refused.at),
            },
            "counts": {"loaded": 0, "refused": 0, "failed": 0, "away": 0, **status.counts},
        }

    def _look(self) -> None:
        while not self._stopped.wait(_LOOK_S):
            try:
                self.keep_follower()
                self.catch_up()
            except Exception:  # noqa: BLE001
                # whatever it is, the worker serves on and looks again
                _log.exception("the registry's thread failed")
                self._stopped.wait(_RESPAWN_S)

    def _wait(self, began: float) -> None:
        """Waits until the follower has asked for every model, and fetched what is new; for what is
        in the cache already, not for a registry that is slow to answer."""
        while True:
            waited = time.time() - began
            ended = self._follower is not None and self._follower.poll() is not None
            waiting = False
            for name in self._models:
                shelf = self.cache.shelf(name)
                status = shelf.status()
                settled = (status.asked or 0) >= began and not status.busy
                patient = status.busy or not shelf.current()
                limit = self.settings.registry_start_seconds if patient else _PATIENCE_S
                waiting |= not settled and waited < limit
            if ended or not waiting:
                return
            time.sleep(0.02)

    def _first(self, model: Model) -> Predictor:
        shelf = self.cache.shelf(model.name)
        status = shelf.status()
        if current := shelf.current():
            try:
                predictor = self._load(model, shelf, current)
            except ArtifactError as error:
                _log.warning("%s; it is fetched again", error)
                shelf.discard(current.digest)
                began = time.time()
                self.ask()
                self._wait(began)
                if not (current := shelf.current()):
                    return self._fallback(model, shelf.status())
                predictor = self._load(model, shelf, current)
            self._served[model.name] = current
            return predictor
        return self._fallback(model, status)

    def _fallback(self, model: Model, status: Status) -> Predictor:
        reason = status.refused.reason if status.refused else status.problem
        reason = reason or f"{self.settings.registry} did not answer in time"
        selector = self.settings.selector(model.name)
        what = f"{model.registered_name}@{selector}"
        if self.settings.model_fallback == "image":
            _log.warning("model '%s': no %s (%s); the image's serves", model.name, what, reason)
            return Predictor.from_folder(self.settings.models_dir / model.name, model)
        raise StartError(
            f"model '{model.name}': no version {what} can be had and none is in REGISTRY_CACHE: "
            f"{reason}; MODEL_FALLBACK=image would serve the models of MODELS_DIR meanwhile"
        )

    def _load(self, model: Model, shelf: Shelf, current: Current) -> Predictor:
        artifact = load(shelf.versions / current.digest, model)
        return Predictor(model, artifact.numbered(current.origin.number))

    def _origin(self, name: str) -> object:
        served = self._served.get(name)
        return served and served.origin

    def _stale(self, status: Status) -> tuple[float | None, str]:
        if status.stale_since:
            return status.stale_since, status.problem or ""
        overdue = 3 * self.settings.registry_poll_seconds + 60
        asked = status.asked or 0
        if not status.busy and time.time() - asked > overdue:
            return asked or None, "the registry has not been asked since"
        return None, ""

    def _public(self, reason: str) -> str:
        """Gives a reason without addresses and paths, which are nobody's business outside."""
        reason = reason.replace(self.settings.registry, "the registry")
        return re.sub(r"(\b[a-z0-9-]+:)?/[\w.=+@:/-]+", "(a place)", reason)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
