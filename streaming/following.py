"""Which version of the model predicts: that of a folder, or the one that the registry names.

ride                            MODELS_DIR's; with MLFLOW_TRACKING_URI the registry's, followed
build/models/ride               the artifact in a folder
models:/ride-duration@champion  the registry's, followed: the alias moves, the worker follows
models:/ride-duration/3         one version
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from scoring.engine import Predictors
from scoring.errors import SettingsError
from scoring.models import discover
from scoring.predictor import Predictor
from scoring.registry.reloader import ModelReloader
from scoring.registry.resolve import named, resolve
from scoring.registry.settings import RegistrySettings

_SCHEME: Final = "models:"


class Followed:
    """The model of a worker; `current` is asked once for each batch."""

    def __init__(self, predictors: Predictors, reloader: ModelReloader | None = None) -> None:
        self._predictors = predictors
        self.reloader = reloader

    @property
    def current(self) -> Predictor:
        """The version that predicts now."""
        return self._predictors.default

    def watch(self, on_replaced: Callable[[Predictor], None]) -> None:
        """Follow the registry from now on, by a thread."""
        if self.reloader:
            self.reloader.watch(on_replaced)

    def close(self) -> None:
        """Follow no more."""
        if self.reloader:
            self.reloader.close()


def follow(which: str, settings: RegistrySettings) -> Followed:
    """Return the model that `which` means. Raises StartError or a RegistryError."""
    models = discover()
    registry = which.startswith(_SCHEME)
    if not registry and not (which in models and settings.mlflow_tracking_uri):
        predictor = resolve(which, settings, models).load()
        return Followed(Predictors({predictor.model.name: predictor}))
    if registry:
        if not settings.mlflow_tracking_uri:
            raise SettingsError(f"{which} needs MLFLOW_TRACKING_URI, the MLflow server's address")
        model, selector = named(which, models)
        if selector[0] == "v" and selector[1:].isdigit():
            chosen = {"model_version": {model.name: selector[1:]}}
            settings = settings.model_copy(update=chosen)
        else:
            settings = settings.model_copy(update={"model_alias": selector, "model_version": {}})
    else:
        model = models[which]
    reloader = ModelReloader(settings, {model.name: model})
    return Followed(reloader.start(), reloader)
