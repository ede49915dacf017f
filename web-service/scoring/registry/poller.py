"""The one process that talks to the registry: poll, download, validate, name what serves.

    python -m scoring.registry.poller < one line of JSON: the settings, the models

It ends when its standard input does, that is with the process that started it.
"""

from __future__ import annotations

import json
import logging
import os
import random
import select
import time
from collections.abc import Mapping
from typing import Any, Final

from scoring.models import Model, discover
from scoring.process import logs
from scoring.registry.cache import Current, ModelCache, Refusal, RegistryCache, Status, VersionRef
from scoring.registry.changes import Change
from scoring.registry.client import Client
from scoring.registry.download import Downloader, Validate
from scoring.registry.errors import (
    RegistryError,
    RegistryUnavailable,
    VersionNotFound,
    VersionRejected,
)
from scoring.registry.settings import RegistrySettings
from scoring.registry.time_limit import TimeLimitReached, time_limit
from scoring.registry.validation import validate_in_subprocess

QUESTION_SECONDS: Final = 15.0  # a whole question, however slowly the answer's bytes come
_MAX_BACKOFF_SECONDS: Final = 600.0
_TICK_SECONDS: Final = 0.2  # how soon "poll now" is noticed
_JITTER: Final = 0.1  # of the interval: services that started together poll apart

_log = logging.getLogger(__name__)


class RegistryPoller:
    """Polls the registry for some models, one round after the other."""

    def __init__(
        self,
        settings: RegistrySettings,
        models: Mapping[str, Model],
        *,
        validate: Validate = validate_in_subprocess,
        question_s: float = QUESTION_SECONDS,
    ) -> None:
        """`question_s` is the longest, in seconds, that the registry may take for one answer."""
        self._settings = settings
        self._models = models
        self._question_s = question_s
        self._cache = RegistryCache(settings)
        self._client = Client(settings)
        self._downloader = Downloader(settings, self._client, validate)
        # by model: the version that failed, how often, and when to try it again (monotonic)
        self._failures: dict[str, tuple[VersionRef, int, float]] = {}

    def round(self, *, now: bool = False) -> None:
        """Poll every model once, and download what is new.

        With `now`, a version that failed before is tried again instead of after a growing pause.
        """
        if now:
            self._failures.clear()
        unavailable: RegistryUnavailable | None = None
        for model in self._models.values():
            cache = self._cache.for_model(model.name)
            before = cache.status()
            try:
                if unavailable:
                    raise unavailable  # the same server: do not wait for its silence twice
                ref, tags = self._find(model)
            except (RegistryUnavailable, VersionNotFound) as error:
                unavailable = error if isinstance(error, RegistryUnavailable) else None
                status = self._keep_serving(model, cache, before, error)
            else:
                if before.problem:
                    _log.info("model '%s': %s answers again", model.name, self._client.shown)
                known = before.model_copy(
                    update={"stale_since": None, "problem": None, "absent": False}
                )
                status = self._follow(model, cache, known, ref, tags)
            self._write(cache, status.model_copy(update={"asked": time.time(), "busy": None}))

    def _find(self, model: Model) -> tuple[VersionRef, dict[str, str]]:
        try:
            with time_limit(self._question_s):
                selector = self._settings.selector(model.name)
                return self._client.find(model.registered_name, selector)
        except TimeLimitReached:
            raise RegistryUnavailable(
                f"{self._client.shown} took more than {self._question_s:g} s to answer"
            ) from None
        except RegistryError:
            raise
        except Exception as error:  # a fault of ours: the others models' polls go on
            _log.exception("model '%s': the poll failed", model.name)
            raise RegistryUnavailable(
                f"{self._client.shown} could not be asked: {type(error).__name__}, see the log"
            ) from error

    def _keep_serving(
        self, model: Model, cache: ModelCache, before: Status, error: RegistryError
    ) -> Status:
        """Return the status where the registry does not say what should serve."""
        if before.problem != str(error):
            _log.warning("model '%s': %s; what serves goes on", model.name, error)
        pinned = self._settings.model_version.get(model.name)
        if pinned and not cache.current() and (cached := cache.find_number(pinned)):
            digest, ref = cached
            cache.publish(Current(ref=ref, digest=digest, since=time.time()))
        since = before.stale_since or time.time()
        absent = isinstance(error, VersionNotFound)
        return _counted(before, "unanswered", stale_since=since, problem=str(error), absent=absent)

    def _follow(
        self,
        model: Model,
        cache: ModelCache,
        status: Status,
        ref: VersionRef,
        tags: dict[str, str],
    ) -> Status:
        """Make the version `ref` the one that serves; return the status after it."""
        current = cache.current()
        if current and current.ref == ref:
            return status.model_copy(update={"refused": None})
        failed, attempts, retry_at = self._failures.get(model.name, (None, 0, 0.0))
        try:
            digest = cache.find(ref)
            if digest is None:
                if failed == ref and time.monotonic() < retry_at:
                    return status
                self._write(cache, status.model_copy(update={"busy": f"version {ref.number}"}))
                digest = self._downloader.download(model, cache, ref, tags)
            told = self._changes(model)
            cache.publish(Current(ref=ref, digest=digest, since=time.time(), changes=told))
            cache.prune(self._settings.registry_keep)
        except (RegistryError, OSError) as error:
            attempts = attempts + 1 if failed == ref else 1
            pause = self._settings.registry_poll_seconds * 2 ** (attempts - 1)
            retry_at = time.monotonic() + min(pause, _MAX_BACKOFF_SECONDS)
            self._failures[model.name] = (ref, attempts, retry_at)
            reason = _reason(error)
            if not status.refused or status.refused.reason != reason:
                _log.error("model '%s': %s is refused: %s", model.name, ref.title, reason)
            refusal = Refusal(version=ref.number, reason=reason, at=time.time())
            result = "refused" if isinstance(error, VersionRejected) else "failed"
            return _counted(status, result, refused=refusal)
        self._failures.pop(model.name, None)
        _log.info("model '%s': %s is ready to serve", model.name, ref.title)
        return _counted(status, "loaded", refused=None)

    def _changes(self, model: Model) -> list[Change]:
        """Return which version served since when; none where the registry does not say: it is
        shown to people, and no version waits for it."""
        try:
            with time_limit(self._question_s):
                return self._client.changes(model.registered_name)
        except (RegistryError, TimeLimitReached):
            return []

    def _write(self, cache: ModelCache, status: Status) -> None:
        try:
            cache.write_status(status)
        except OSError as error:
            _log.warning("REGISTRY_CACHE cannot be written: %s", error.strerror)


def interval(seconds: float) -> float:
    """Return the seconds until the next poll: `seconds`, a tenth more or less at random."""
    return seconds * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311  # no secret


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"it cannot be stored in REGISTRY_CACHE: {error.strerror}"
    return str(error)


def _counted(status: Status, result: str, **changes: Any) -> Status:
    counts = {**status.counts, result: status.counts.get(result, 0) + 1}
    return status.model_copy(update={**changes, "counts": counts})


def _first_line(handle: int) -> bytes:
    """Return the first line; only the end of the input follows it."""
    line = b""
    while not line.endswith(b"\n") and (more := os.read(handle, 4096)):
        line += more
    return line


def main() -> None:
    """Poll until the standard input ends."""
    given = json.loads(_first_line(0))
    settings = RegistrySettings.model_validate(given["settings"])
    logs.configure(settings)
    known = discover()
    poller = RegistryPoller(settings, {name: known[name] for name in given["models"]})
    cache = RegistryCache(settings)
    asked, now = cache.asked(), False
    # where the cache was removed, the lock went with it: the service starts another poller
    while cache.is_complete(given["models"]):
        poller.round(now=now)
        until = time.monotonic() + interval(settings.registry_poll_seconds)
        now = False
        while not now and (left := until - time.monotonic()) > 0:
            if select.select([0], [], [], min(left, _TICK_SECONDS))[0]:
                return
            asked, now = cache.asked(), cache.asked() != asked


if __name__ == "__main__":
    main()
