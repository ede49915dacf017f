"""The factory: the one place where settings, models and routes are joined."""

from __future__ import annotations

import errno
import os

from flask import Flask

from scoring import cpus
from scoring.api import (
    access,
    catalogue,
    docs,
    headers,
    health,
    hooks,
    inference,
    invocations,
    openapi,
    pages,
    predictions,
    problems,
)
from scoring.api import metrics as shown
from scoring.errors import SettingsError
from scoring.keys import Keys
from scoring.metrics.recorder import Metrics
from scoring.models import discover
from scoring.predictionlog.files import Files
from scoring.predictionlog.line import Lines
from scoring.predictionlog.log import PredictionLog
from scoring.registry.following import Following
from scoring.service import Predictors, chosen
from scoring.settings import Settings
from scoring.witness import Witness


def create_app(settings: Settings | None = None, predictors: Predictors | None = None) -> Flask:
    """Gives the Flask app that serves `predictors` (not given: those that `settings` names; those
    not given either: the environment's). Raises a StartError where one of them cannot serve."""
    settings = settings or Settings.from_env(os.environ)
    following = None
    if predictors is None and settings.mlflow_tracking_uri:
        following = Following(settings, chosen(settings.models, discover()))
        predictors = following.start()
    predictors = predictors or Predictors.from_folders(
        settings.models_dir, settings.models, discover()
    )
    app = Flask(__name__, static_folder=None)
    app.extensions["predictors"] = predictors
    app.extensions["following"] = following  # gunicorn.conf.py lets each worker watch
    # without this, Flask would answer two slashes in a row with a redirect in HTML
    app.url_map.merge_slashes = False
    limits = {"max_body_bytes": settings.max_body_bytes, "max_records": settings.max_records}
    app.register_blueprint(predictions.blueprint(predictors, **limits))
    app.register_blueprint(invocations.blueprint(predictors, **limits))
    app.register_blueprint(inference.blueprint(predictors, **limits))
    app.register_blueprint(catalogue.blueprint(predictors, following))
    lifetime = app.extensions["lifetime"] = health.Lifetime()  # the worker says when it ends
    app.register_blueprint(health.blueprint(predictors, following, lifetime))
    moved = settings.metrics_port is not None
    app.register_blueprint(
        openapi.blueprint(predictors, max_records=settings.max_records, metrics=not moved)
    )
    if settings.pages == "on":
        app.register_blueprint(docs.blueprint())
        app.register_blueprint(pages.blueprint(predictors, max_body_bytes=settings.max_body_bytes))
    else:
        app.register_blueprint(pages.text_blueprint(predictors))
    if following and settings.mlflow_webhook_secret:
        app.register_blueprint(hooks.blueprint(following, settings.mlflow_webhook_secret))
    keys = app.extensions["keys"] = Keys(settings.api_keys_file) if settings.api_keys_file else None
    routes = [rule.rule for rule in app.url_map.iter_rules()] + ["/metrics"] * (not moved)
    metrics = app.extensions["metrics"] = Metrics(
        routes,
        list(predictors),
        workers=settings.workers or cpus.available(),
        aliases={p.model.name: settings.selector(p.model.name) for p in predictors if following},
        following=following,
    )
    app.extensions["witness"] = Witness(metrics, _prediction_log(settings, predictors, metrics))
    if not moved:
        app.register_blueprint(shown.blueprint(metrics))
    headers.init_app(app, predictors)
    access.init_app(app, keys, settings.cors_origins)
    problems.init_app(app)
    return app


def _prediction_log(
    settings: Settings, predictors: Predictors, metrics: Metrics
) -> PredictionLog | None:
    """Gives the log that is asked for; raises SettingsError where it cannot be kept as asked."""
    if settings.prediction_log is None:
        return None
    fields = {name for predictor in predictors for name in predictor.model.record.model_fields}
    for setting in ("prediction_log_omit", "prediction_log_hash"):
        # a misspelt name would put into the log what is not to be there
        for name in getattr(settings, setting):
            if name not in fields:
                raise SettingsError(f"{setting.upper()} names '{name}', which is no model's field")
    if settings.prediction_log_hash and not settings.prediction_log_secret:
        raise SettingsError(
            "PREDICTION_LOG_HASH needs PREDICTION_LOG_SECRET, of 16 letters or more"
        )
    files = Files(
        settings.prediction_log,
        max_bytes=settings.prediction_log_max_bytes,
        keep=settings.prediction_log_keep,
    )
    try:
        files.check()
    except OSError as error:
        what = error.strerror
        if error.errno == errno.ELOOP:
            what = "it is a symbolic link, which is not followed"
        raise SettingsError(f"PREDICTION_LOG={settings.prediction_log}: {what}") from error
    lines = Lines(
        settings.prediction_log_omit,
        settings.prediction_log_hash,
        settings.prediction_log_secret or "",
    )
    return PredictionLog(files, lines, metrics.logged)
