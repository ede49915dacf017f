"""The pages for people: `/`, and a card for each model."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, abort, render_template, request
from flask.blueprints import BlueprintSetupState

from scoring.engine import Predictors
from scoring.predictor import Predictor
from serving.fields import example
from serving.http.body import form_body
from serving.pages import STATIC, TEMPLATES, cards, forms, snippets
from serving.pages.answers import Result, result
from serving.pages.assets import Assets, page, revalidated
from serving.pages.numbers import day, number
from serving.pages.reports import Report, Reports
from serving.responses import json_response
from serving.services import Services

_log = logging.getLogger(__name__)


def blueprint(services: Services) -> Blueprint:
    """Return the routes of the pages."""
    routes = Blueprint("pages", __name__, template_folder=str(TEMPLATES))
    predictors, max_body_bytes = services.predictors, services.settings.max_body_bytes
    files = [STATIC / name for name in ("site.css", "combobox.js", "home.js", "icon.svg")]
    assets = Assets(routes, "assets", files)
    reports = Reports(services.settings.monitoring_url or "")

    def report(model: str) -> Report | None:
        return reports.of(model) if services.settings.monitoring_url else None

    shared = {"asset": assets.url, "number": number, "day": day, "cards": cards, "report": report}

    @routes.record_once
    def tidy(state: BlueprintSetupState) -> None:
        # a third of the page would be the blank lines and indents of the template's own tags
        state.app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}

    @routes.get("/", strict_slashes=False)  # `GET http://host` has no path: no redirect, in HTML
    def home() -> Response:
        # curl and scripts say */* and get the short text that they always got
        offered = request.accept_mimetypes.best_match(["text/plain", "text/html"])
        answer = _text(predictors) if offered != "text/html" else _home(services, shared)
        answer.vary.add("Accept")
        return answer

    @routes.post("/models/<name>/try")
    def answer_form(name: str) -> Response:
        predictor = predictors.get(name)
        typed = form_body(request, max_body_bytes)
        shown = result(predictor, forms.record_of(predictor.model, typed))
        status = 200 if shown.errors is None else 422
        return _home(services, shared, {name: (typed, shown)}, status)

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

    return routes


def text_blueprint(services: Services) -> Blueprint:
    """Return what is left at `/` without the pages."""
    routes = Blueprint("pages", __name__)

    @routes.get("/", strict_slashes=False)
    def home() -> Response:
        return _text(services.predictors)

    return routes


def _home(
    services: Services,
    shared: Mapping[str, Any],
    tried: Mapping[str, tuple[Mapping[str, str], Result]] | None = None,
    status: int = 200,
) -> Response:
    """Return the page of all forms.

    What was `tried`, by model, is shown with its result, the others with their example. A model
    whose form fails breaks no other's.
    """
    forms_shown: list[dict[str, Any]] = []
    broken: list[Predictor] = []
    for predictor in services.predictors:
        model = predictor.model
        try:
            record = example(model)
            typed, shown = (tried or {}).get(model.name) or (
                forms.texts(model, record),
                result(predictor, record),
            )
            forms_shown.append(_form(predictor, typed, shown))
        except Exception:  # noqa: BLE001  # whatever it is, the page is every model's
            _log.exception("the form of model '%s' cannot be shown", model.name)
            broken.append(predictor)
    lists = dict(forms.options([field for form in forms_shown for field in form["fields"]]))
    html = render_template("home.html", forms=forms_shown, broken=broken, lists=lists, **shared)
    return page(html, status)


def _form(predictor: Predictor, typed: Mapping[str, str], shown: Result) -> dict[str, Any]:
    url = f"{request.url_root}predict/{predictor.model.name}"
    record = forms.record_of(predictor.model, typed)
    return {
        "p": predictor,
        "fields": forms.inputs(predictor.model),
        "typed": typed,
        "result": shown,
        "errors": shown.errors or {},
        "url": url,
        "curl": snippets.curl(url, record),
        "requests": snippets.requests(url, record),
    }


def _text(predictors: Predictors) -> Response:
    lines = ["Predictions over HTTP. POST a JSON record to:", ""]
    lines += [f"  /predict/{p.model.name}  {p.model.title}" for p in predictors]
    lines += ["", "GET /models shows each model's record, an example and its metrics.", ""]
    return Response("\n".join(lines), mimetype="text/plain")
