"""The home page: each model's form, what it answers, and the same as a request."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from flask import Response, render_template, request, url_for

from scoring.engine import Predictors
from scoring.intervals import PARAMETER
from scoring.predictor import Predictor
from serving.fields import example
from serving.pages import forms, snippets, whatif
from serving.pages.answers import Result, result
from serving.pages.assets import page
from serving.pages.names import unknown
from serving.pages.sure import LEVEL, gives_intervals
from serving.services import Services

_log = logging.getLogger(__name__)


class Home:
    """The page over the models that are served now; `shared` is what its template needs."""

    def __init__(self, services: Services, shared: Mapping[str, Any]) -> None:
        self._services = services
        self._shared = shared

    def negotiated(self) -> Response:
        """Return the page, or the short text where a browser does not ask."""
        # curl and scripts say */* and get the short text that they always got
        offered = request.accept_mimetypes.best_match(["text/plain", "text/html"])
        text = offered != "text/html"
        answer = short_text(self._services.predictors) if text else self._page({}, 200, "")
        answer.vary.add("Accept")
        return answer

    def tried(self, predictor: Predictor, typed: Mapping[str, str], only: str = "") -> Response:
        """Return the page with the answer to what was typed into a model's form, or what is wrong
        with it; of all forms, or of one model's `only`."""
        found = result(predictor, forms.record_of(predictor.model, typed))
        if found.errors is not None:
            # a name that is not in its list is told with the nearest ones
            found = replace(found, errors={**found.errors, **unknown(predictor.model, typed)})
        fields = forms.completed(predictor.model, typed)
        status = 200 if found.errors is None else 422
        return self._page({predictor.model.name: (fields, found)}, status, only)

    def linked(self, predictor: Predictor) -> Response:
        """Return the page of one model, with the record in the address or the example."""
        model = predictor.model
        typed = request.args.to_dict() or forms.texts(model, example(model))
        answer = self.tried(predictor, typed, only=model.name)
        answer.vary.add("Accept")
        return answer

    def _page(
        self, tried: Mapping[str, tuple[Mapping[str, str], Result]], status: int, only: str
    ) -> Response:
        """Return the page of all forms, or of one model's `only`.

        What was `tried`, by model, is shown with its result, the others with their example. A model
        whose form fails breaks no other's.
        """
        forms_shown: list[dict[str, Any]] = []
        broken: list[Predictor] = []
        for predictor in self._services.predictors:
            model = predictor.model
            if only not in ("", model.name):
                continue
            try:
                record = example(model)
                typed, shown = tried.get(model.name) or (
                    forms.texts(model, record),
                    result(predictor, record),
                )
                forms_shown.append(self._form(predictor, typed, shown))
            except Exception:  # noqa: BLE001  # whatever it is, the page is every model's
                _log.exception("the form of model '%s' cannot be shown", model.name)
                broken.append(predictor)
        lists = dict(forms.options([field for form in forms_shown for field in form["fields"]]))
        found = {"forms": forms_shown, "broken": broken, "lists": lists}
        limits = self._services.settings.limits
        return page(render_template("home.html", limits=limits, **found, **self._shared), status)

    def _form(
        self, predictor: Predictor, typed: Mapping[str, str], shown: Result
    ) -> dict[str, Any]:
        url = f"{request.url_root}predict/{predictor.model.name}"
        copied = f"{url}?{PARAMETER}={LEVEL:g}" if gives_intervals(predictor) else url
        record = forms.record_of(predictor.model, typed)
        with_key = self._services.keys is not None
        return {
            "p": predictor,
            "fields": forms.inputs(predictor.model),
            "typed": typed,
            "result": shown,
            "errors": shown.errors or {},
            "url": url,
            "link": f"{url_for('catalogue.one_model', name=predictor.model.name)}?"
            + urlencode(forms.query_of(predictor.model, record)),
            "curl": snippets.curl(copied, record, with_key=with_key),
            "requests": snippets.requests(copied, record, with_key=with_key),
            "record": json.dumps(record),
            "variations": whatif.variations(predictor, self._services.settings.max_records),
        }


def short_text(predictors: Predictors) -> Response:
    """Return what is served in a few lines of plain text."""
    lines = ["Predictions over HTTP. POST a JSON record to:", ""]
    lines += [f"  /predict/{p.model.name}  {p.model.title}" for p in predictors]
    lines += ["", "GET /models shows each model's record, an example and its metrics.", ""]
    return Response("\n".join(lines), mimetype="text/plain")
