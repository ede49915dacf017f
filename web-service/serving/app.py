"""The factory: joins the services and the routes into one Flask app."""

from __future__ import annotations

import os

from flask import Flask

from scoring.engine import Predictors
from serving import middleware
from serving.metrics import route as metrics
from serving.pages import docs
from serving.pages import routes as pages
from serving.prefix import Mounted
from serving.protocols import mlflow, predict, v2
from serving.routes import catalogue, feedback, health, openapi, webhook
from serving.services import Services
from serving.settings import Settings


class App(Flask):
    """A Flask app that knows the services behind its routes."""

    def __init__(self, services: Services) -> None:
        """Make an app without routes and without a folder of static files."""
        super().__init__(__name__, static_folder=None)
        self.services = services
        # without this, Flask would answer two slashes in a row with a redirect in HTML
        self.url_map.merge_slashes = False
        settings = services.settings
        self.wsgi_app = Mounted(  # type: ignore[method-assign]  # as Flask's documentation has it
            self.wsgi_app, settings.script_name or "", settings.trusted_proxies
        )


def create_app(settings: Settings | None = None, predictors: Predictors | None = None) -> App:
    """Return the app that serves `predictors` as `settings` say.

    The settings are by default the environment's, the predictors those of the models that the
    settings name. Raises a StartError where it cannot serve.
    """
    settings = settings or Settings.from_env(os.environ)
    services = Services.create(settings, predictors)
    app = App(services)
    for routes in (predict, mlflow, v2, catalogue, health, openapi):
        app.register_blueprint(routes.blueprint(services))
    if services.log and settings.feedback == "on":
        app.register_blueprint(feedback.blueprint(services, services.log))
    if settings.pages == "on":
        app.register_blueprint(docs.blueprint())
        app.register_blueprint(pages.blueprint(services))
    else:
        app.register_blueprint(pages.text_blueprint(services))
    if services.reloader and settings.mlflow_webhook_secret:
        app.register_blueprint(webhook.blueprint(services.reloader, settings.mlflow_webhook_secret))
    if settings.metrics_port is None:
        app.register_blueprint(metrics.blueprint(services.metrics))
    middleware.init_app(app, services)
    return app
