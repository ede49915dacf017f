"""`Services`: what the routes and the server share, made once before the workers are forked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from scoring.engine import Predictors
from scoring.models import discover, select
from scoring.observers.log_setup import open_log
from scoring.observers.observer import Observers
from scoring.observers.prediction_log import PredictionLog
from scoring.registry.metrics import RegistryMetrics
from scoring.registry.reloader import ModelReloader
from serving.auth import ApiKeys
from serving.http.access import ROUTES
from serving.metrics.recorder import Metrics
from serving.settings import Settings


@dataclass
class Lifetime:
    """Where the process is between its start and its end."""

    stopping: bool = False
    tls_is_old: bool = False  # the files of the last reload could not be used


@dataclass(frozen=True, kw_only=True)
class Services:
    """Every part of a service that more than one route needs."""

    settings: Settings
    predictors: Predictors
    reloader: ModelReloader | None  # of a registry's models
    keys: ApiKeys | None
    metrics: Metrics
    observer: Observers
    log: PredictionLog | None = None
    lifetime: Lifetime = field(default_factory=Lifetime)

    @classmethod
    def create(cls, settings: Settings, predictors: Predictors | None = None) -> Self:
        """Return the services that `settings` ask for.

        They serve `predictors`, by default the models that the settings name. Raises a StartError
        where one of them cannot serve.
        """
        reloader = None
        if predictors is None and settings.mlflow_tracking_uri:
            reloader = ModelReloader(settings, select(settings.models, discover()))
            predictors = reloader.start()
        predictors = predictors or Predictors.from_folders(
            settings.models_dir, settings.models, discover()
        )
        metrics = Metrics(
            list(ROUTES),
            list(predictors),
            workers=settings.worker_processes,
            aliases={p.model.name: settings.selector(p.model.name) for p in predictors if reloader},
            collectors=[RegistryMetrics(reloader)] if reloader else [],
        )
        log = open_log(settings, list(predictors), metrics.models.count_log_lines)
        return cls(
            settings=settings,
            predictors=predictors,
            reloader=reloader,
            keys=ApiKeys(settings.api_keys_file) if settings.api_keys_file else None,
            metrics=metrics,
            observer=Observers(metrics.models, *([log] if log else [])),
            log=log,
        )
