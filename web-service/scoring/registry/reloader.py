"""The service's side of the registry: load what the poller has named, before and after the fork."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scoring.artifact.reading import load
from scoring.engine import Predictors
from scoring.errors import ArtifactError, StartError
from scoring.models import Model
from scoring.predictor import Predictor
from scoring.registry.cache import Current, ModelCache, RegistryCache, Status
from scoring.registry.changes import Change
from scoring.registry.poller_process import RESPAWN_SECONDS, Poller, PollerProcess
from scoring.registry.settings import RegistrySettings
from scoring.registry.state import RegistryState

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Waits:
    """How long a reloader waits, in seconds."""

    look: float = 0.5  # until a worker looks again at what the poller has named
    retry: float = RESPAWN_SECONDS  # until a version that could not be loaded is tried again
    cached_start: float = 1.5  # at a start, for the registry, where a version is in the cache


class ModelReloader:
    """Loads the registry's versions of the models of one service.

    Its life: made and `start`ed before the workers are forked; then each of them calls `watch`, and
    whoever started it `close`s it. `predictors` is one object from beginning to end: empty until
    the start, then always with every model.
    """

    def __init__(
        self,
        settings: RegistrySettings,
        models: Mapping[str, Model],
        *,
        waits: Waits | None = None,
        poller: Poller | None = None,
    ) -> None:
        """Raise SettingsError where a pin names no model or the cache cannot be written.

        `poller` (default: a process of its own) keeps the registry polled.
        """
        settings.check_pins(list(models))
        self.settings = settings
        self.models = dict(models)
        self.cache = RegistryCache(settings)
        self.cache.prepare(list(models))
        self.predictors = Predictors({})
        self._waits = waits or Waits()
        self._poller = poller or PollerProcess(settings, list(models), self.cache)
        self._state = RegistryState(settings, self.models, self.cache)
        self._served: dict[str, Current] = {}
        self._failed: dict[str, tuple[Current, float]] = {}  # version, when to try again
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> Predictors:
        """Return the models as the registry names them.

        Where it does not answer soon, they are the last good ones; with nothing cached, those of
        MODELS_DIR if MODEL_FALLBACK says so. A model that the registry does not know is left out,
        and named in the log, where no setting names it and others serve. Raises StartError after
        REGISTRY_START_SECONDS at most.
        """
        began = time.time()
        self.ask()  # another service's poller may do it for us
        self._poller.keep_running(now=True)
        self._wait(began)
        absent: list[StartError] = []
        for model in list(self.models.values()):
            try:
                self.predictors.replace(self._first(model))
            except StartError as error:
                if not self._may_be_left_out(model.name):
                    raise
                absent.append(error)
                del self.models[model.name]
        if not self.models:
            raise absent[0]
        for reason in absent:
            _log.error("%s. It is not served until a restart; the other models are", reason)
        return self.predictors

    def watch(self, on_replaced: Callable[[Predictor], None] | None = None) -> None:
        """Bring the models up to date, and keep them so by a thread of this process.

        `on_replaced` is called, in that thread, with every predictor that takes another's place.
        """
        self.catch_up(on_replaced)
        self._thread = threading.Thread(
            target=self._look, args=(on_replaced,), name="registry", daemon=True
        )
        self._thread.start()

    def catch_up(self, on_replaced: Callable[[Predictor], None] | None = None) -> None:
        """Load every version that the poller has named since the last time.

        Requests that began before keep the Predictor they were given.
        """
        for model in self.models.values():
            cache = self.cache.for_model(model.name)
            current = cache.current()
            served = self._served.get(model.name)
            if current is None or (served and current.ref == served.ref):
                continue
            failed, retry_at = self._failed.get(model.name, (None, 0.0))
            # not the time: the same version is there again once it has been fetched anew
            again = failed is not None and (failed.ref, failed.digest) == (
                current.ref,
                current.digest,
            )
            if again and time.monotonic() < retry_at:
                continue
            try:
                predictor = self._load(model, cache, current)
            except (ArtifactError, ArithmeticError, OSError) as error:
                # it was validated: the copy here was damaged since, or pruned
                _log.warning("model '%s': %s: %s", model.name, current.ref.title, error)
                if not again:
                    cache.invalidate(current.digest)
                self._failed[model.name] = (current, time.monotonic() + self._waits.retry)
                continue
            self.predictors.replace(predictor)
            self._served[model.name] = current
            _log.info("model '%s': version %s serves", model.name, predictor.version)
            if on_replaced:
                on_replaced(predictor)

    def ask(self) -> None:
        """Have the registry polled now."""
        self.cache.ask()

    def close(self) -> None:
        """End the thread, and the poller where this process started it."""
        self._stopped.set()
        if self._thread:
            self._thread.join()
        self._poller.close()

    def stale(self) -> dict[str, dict[str, str]]:
        """Return since when and why, by each model of which nobody knows what should serve."""
        return self._state.stale()

    def describe(self, name: str) -> dict[str, Any]:
        """Return what a caller may know of a model's registry; times are UTC."""
        return self._state.describe(name, self._served.get(name))

    def changes(self, name: str) -> Sequence[Change]:
        """Return which version of a model served since when, the oldest first, as the registry
        told it when the present one came."""
        served = self._served.get(name)
        return served.changes if served else ()

    def _look(self, on_replaced: Callable[[Predictor], None] | None) -> None:
        while not self._stopped.wait(self._waits.look):
            try:
                self._poller.keep_running()
                self.catch_up(on_replaced)
            except Exception:  # noqa: BLE001
                # whatever it is, the worker serves on and looks again
                _log.exception("the registry's thread failed")
                self._stopped.wait(self._waits.retry)

    def _wait(self, began: float) -> None:
        """Wait until the poller has asked for every model and downloaded what is new.

        Where a version is in the cache already, a registry that is slow to answer is not waited
        for.
        """
        while True:
            waited = time.time() - began
            waiting = False
            for name in self.models:
                cache = self.cache.for_model(name)
                status = cache.status()
                settled = (status.asked or 0) >= began and not status.busy
                patient = status.busy or not cache.current()
                start = self.settings.registry_start_seconds
                limit = start if patient else self._waits.cached_start
                waiting |= not settled and waited < limit
            if not waiting or self._poller.exit_status() is not None:
                return
            time.sleep(0.02)

    def _first(self, model: Model) -> Predictor:
        cache = self.cache.for_model(model.name)
        status = cache.status()
        if current := cache.current():
            try:
                predictor = self._load(model, cache, current)
            except ArtifactError as error:
                _log.warning("%s; it is downloaded again", error)
                cache.invalidate(current.digest)
                began = time.time()
                self.ask()
                self._wait(began)
                if not (current := cache.current()):
                    return self._fallback(model, cache.status())
                predictor = self._load(model, cache, current)
            self._served[model.name] = current
            return predictor
        return self._fallback(model, status)

    def _may_be_left_out(self, name: str) -> bool:
        """Return whether nobody asked for the model by name, and the registry has none such."""
        named = name in self.settings.models or name in self.settings.model_version
        return not named and self.cache.for_model(name).status().absent

    def _fallback(self, model: Model, status: Status) -> Predictor:
        reason = self._reason(status)
        what = f"{model.registered_name}@{self.settings.selector(model.name)}"
        if self.settings.model_fallback == "image":
            _log.warning("model '%s': no %s (%s); the image's serves", model.name, what, reason)
            return Predictor.from_folder(self.settings.models_dir / model.name, model)
        raise StartError(
            f"model '{model.name}': no version {what} can be had and none is in REGISTRY_CACHE: "
            f"{reason}; MODEL_FALLBACK=image would serve the models of MODELS_DIR meanwhile"
        )

    def _reason(self, status: Status) -> str:
        """Return why there is no version: what the poller has written, else how far it has come."""
        if status.refused:
            return status.refused.reason
        if status.problem:
            return status.problem
        if (ended := self._poller.exit_status()) is not None:
            return f"the registry poller ended with status {ended}; the lines above say why"
        limit = f"REGISTRY_START_SECONDS={self.settings.registry_start_seconds:g}"
        if status.busy:
            return f"{status.busy} was still being downloaded after {limit}; give it more time"
        return (
            f"{self.settings.registry} was not asked to the end within {limit}; give it more time"
        )

    def _load(self, model: Model, cache: ModelCache, current: Current) -> Predictor:
        artifact = load(cache.versions / current.digest, model)
        return Predictor(model, artifact.numbered(current.ref.number))
