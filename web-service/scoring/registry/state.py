"""What callers may know of a model's registry: times in UTC, reasons without addresses."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from scoring.models import Model
from scoring.registry.cache import Current, RegistryCache, Status
from scoring.registry.settings import RegistrySettings


class RegistryState:
    """Describes what the poller has written to the cache."""

    def __init__(
        self, settings: RegistrySettings, models: Mapping[str, Model], cache: RegistryCache
    ) -> None:
        self._settings = settings
        self._models = models
        self._cache = cache

    def stale(self) -> dict[str, dict[str, str]]:
        """Return since when and why, by each model of which nobody knows what should serve."""
        stale = {}
        for name in self._models:
            since, reason = self._stale(self._cache.for_model(name).status())
            if since:
                stale[name] = {"since": _time(since), "reason": self._public(reason)}
        return stale

    def describe(self, name: str, current: Current | None) -> dict[str, Any]:
        """Return the state of one model, of which `current` serves."""
        status = self._cache.for_model(name).status()
        since, reason = self._stale(status)
        refused = status.refused
        pinned = name in self._settings.model_version
        return {
            "model": self._models[name].registered_name,
            "alias": None if pinned else self._settings.model_alias,
            "pinned": self._settings.model_version.get(name),
            "version": current.ref.number if current else None,
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
            "counts": {"loaded": 0, "refused": 0, "failed": 0, "unanswered": 0, **status.counts},
        }

    def _stale(self, status: Status) -> tuple[float | None, str]:
        if status.stale_since:
            return status.stale_since, status.problem or ""
        overdue = 3 * self._settings.registry_poll_seconds + 60
        asked = status.asked or 0
        if not status.busy and time.time() - asked > overdue:
            return asked or None, "the registry has not been asked since"
        return None, ""

    def _public(self, reason: str) -> str:
        """Return a reason without addresses and paths: they are of no use to callers."""
        reason = reason.replace(self._settings.registry, "the registry")
        return re.sub(r"(\b[a-z0-9-]+:)?/[\w.=+@:/%#-]+", "(a place)", reason)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
