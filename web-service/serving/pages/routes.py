"""The pages for people: `/`, and a card for each model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flask import Blueprint, Response, abort, render_template, request
from flask.blueprints import BlueprintSetupState

from scoring.engine import Predictors
from scoring.errors import Unauthorised, UnsupportedMedia
from scoring.registry.changes import Change
from serving.http.body import CSV, csv_header, form_body, text_body
from serving.pages import STATIC, TEMPLATES, cards, files
from serving.pages.assets import Assets, page, revalidated
from serving.pages.home import Home, short_text
from serving.pages.login import unauthorised
from serving.pages.numbers import day, number
from serving.pages.reports import Report, Reports
from serving.pages.today import today
from serving.responses import json_response
from serving.services import Services

_FILES: Final = (
    "head.css", "site.css", "key.js", "login.js", "combobox.js", "home.js", "whatif.js", "file.js",
    "icon.svg",
)  # fmt: skip


def blueprint(services: Services) -> Blueprint:
    """Return the routes of the pages."""
    routes = Blueprint("pages", __name__, template_folder=str(TEMPLATES))
    assets = Assets(routes, "assets", [STATIC / name for name in _FILES])
    reports = Reports(services.settings.monitoring_url or "")

    def report(model: str) -> Report | None:
        return reports.of(model) if services.settings.monitoring_url else None

    def changes(model: str) -> Sequence[Change]:
        return services.reloader.changes(model) if services.reloader else ()

    shared = {
        "asset": assets.url,
        "number": number,
        "day": day,
        "cards": cards,
        "report": report,
        "changes": changes,
        "keys": services.keys is not None,
    }

    @routes.record_once
    def tidy(state: BlueprintSetupState) -> None:
        # a third of the page would be the blank lines and indents of the template's own tags
        state.app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
        state.app.jinja_env.globals.update(
            pages_asset=assets.url,  # of the page that asks for a key
            counts=services.settings.metrics_port is None,
        )

    if services.keys:
        routes.app_errorhandler(Unauthorised)(unauthorised)
    _add_forms(routes, services, Home(services, shared))
    if services.settings.metrics_port is None:  # else they are for those alone who reach that port
        _add_today(routes, services, shared)
    _add_cards(routes, services.predictors, shared)
    return routes


def _add_forms(routes: Blueprint, services: Services, forms: Home) -> None:
    predictors, limits = services.predictors, services.settings.limits

    @routes.get("/", strict_slashes=False)  # `GET http://host` has no path: no redirect, in HTML
    def home() -> Response:
        return forms.negotiated()

    @routes.post("/models/<name>/try")
    def answer_form(name: str) -> Response:
        return forms.tried(predictors.get(name), form_body(request, limits.max_body_bytes))

    # also what a browser gets at /models/<name> with the fields in the query
    @routes.get("/models/<name>/try")
    def linked(name: str) -> Response:
        return forms.linked(predictors.get(name))

    @routes.post("/models/<name>/file")
    def file(name: str) -> Response:
        predictor = predictors.get(name)
        if request.mimetype not in CSV:
            raise UnsupportedMedia("send a CSV, with Content-Type: text/csv")
        body = text_body(request, limits.max_body_bytes)
        return json_response(files.answered(predictor, body, limits, csv_header(request)))


def _add_today(routes: Blueprint, services: Services, shared: Mapping[str, Any]) -> None:
    @routes.get("/today")
    def counted() -> Response:
        found = today(services.metrics.collector.collect(), services.predictors)
        return page(render_template("today.html", t=found, **shared))


def _add_cards(routes: Blueprint, predictors: Predictors, shared: Mapping[str, Any]) -> None:
    @routes.get("/models/<name>/card")
    def card(name: str) -> Response:
        predictor = predictors.get(name)
        return page(render_template("card.html", p=predictor, **shared))

    @routes.get("/models/<name>/plots/<file>")
    def plot(name: str, file: str) -> Response:
        data = predictors.get(name).artifact.plots.get(file)
        if data is None:
            abort(404)
        return revalidated(data, "image/png")

    @routes.get("/models/<name>/weights.json")
    def weights(name: str) -> Response:
        document = cards.weights_document(predictors.get(name))
        return json_response(document)


def text_blueprint(services: Services) -> Blueprint:
    """Return what is left at `/` without the pages."""
    routes = Blueprint("pages", __name__)

    @routes.get("/", strict_slashes=False)
    def home() -> Response:
        return short_text(services.predictors)

    return routes
