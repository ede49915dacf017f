"""The pages for people: `/`, and a card for each model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, abort, render_template, request
from flask.blueprints import BlueprintSetupState

from scoring.api.assets import Assets, page, revalidated
from scoring.api.body import form_body
from scoring.jsontext import encode
from scoring.models import Model
from scoring.pages import STATIC, TEMPLATES, cards, forms, snippets
from scoring.pages.answers import Result, result
from scoring.pages.numbers import day, number
from scoring.predictor import Predictor
from scoring.service import Predictors

# A model's versions, newest first, as lines for its card: `{"version": "3", "what": "champion"}`.
History = Callable[[Model], Sequence[Mapping[str, str]]]


def no_history(_model: Model) -> Sequence[Mapping[str, str]]:
    """A folder holds one version and knows of no other; a registry does."""
    return ()


def blueprint(
    predictors: Predictors, *, max_body_bytes: int, history: History = no_history
) -> Blueprint:
    """Gives the routes of the pages; `history` tells a model's versions."""
    routes = Blueprint("pages", __name__, template_folder=str(TEMPLATES))
    files = [STATIC / name for name in ("site.css", "combobox.js", "home.js", "icon.svg")]
    assets = Assets(routes, "assets", files)
    shared = {"asset": assets.url, "number": number, "day": day, "cards": cards}

    @routes.record_once
    def tidy(state: BlueprintSetupState) -> None:
        # a third of the page would be the blank lines and indents of the template's own tags
        state.app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}

    @routes.get("/", strict_slashes=False)  # `GET http://host` has no path: no redirect, in HTML
    def home() -> Response:
        # curl and scripts say */* and get the short text that they always got
        offered = request.accept_mimetypes.best_match(["text/plain", "text/html"])
        answer = _text(predictors) if offered != "text/html" else _home()
        answer.vary.add("Accept")
        return answer

    @routes.post("/models/<name>/try")
    def answer_form(name: str) -> Response:
        predictor = predictors.get(name)
        typed = form_body(request, max_body_bytes)
        shown = result(predictor, forms.record_of(predictor.model, typed))
        return _home({name: (typed, shown)}, 200 if shown.errors is None else 422)

    @routes.get("/models/<name>/card")
    def card(name: str) -> Response:
        predictor = predictors.get(name)
        versions = history(predictor.model)
        return page(render_template("card.html", p=predictor, versions=versions, **shared))

    @routes.get("/models/<name>/plots/<file>")
    def plot(name: str, file: str) -> Response:
        data = predictors.get(name).artifact.plots.get(file)
        if data is None:
            abort(404)
        return revalidated(data, "image/png")

    @routes.get("/models/<name>/weights.json")
    def weights(name: str) -> Response:
        document = cards.weights_document(predictors.get(name))
        return Response(encode(document), mimetype="application/json")

    def _home(
        tried: Mapping[str, tuple[Mapping[str, str], Result]] | None = None, status: int = 200
    ) -> Response:
        forms_shown = []
        for predictor in predictors:
            model = predictor.model
            example = forms.texts(model, model.example)
            typed, shown = (tried or {}).get(model.name) or (
                example,
                result(predictor, model.example),
            )
            forms_shown.append(_form(predictor, typed, shown))
        lists = dict(forms.options([field for form in forms_shown for field in form["fields"]]))
        html = render_template("home.html", forms=forms_shown, lists=lists, **shared)
        return page(html, status)

    return routes


def text_blueprint(predictors: Predictors) -> Blueprint:
    """Gives what is left at `/` without the pages."""
    routes = Blueprint("pages", __name__)

    @routes.get("/", strict_slashes=False)
    def home() -> Response:
        return _text(predictors)

    return routes


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
