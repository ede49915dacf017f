"""POST /predict and POST /predict/<model>."""

from __future__ import annotations

from flask import Blueprint, Response, request
from gunicorn.http.errors import ParseException

from scoring.errors import UnreadableBody, UnsupportedMedia
from scoring.jsontext import encode
from scoring.service import Predictors, predict


def blueprint(predictors: Predictors, *, max_records: int) -> Blueprint:
    """Gives the routes that predict."""
    routes = Blueprint("predictions", __name__)

    @routes.post("/predict", defaults={"name": None})
    @routes.post("/predict/<name>")
    def answer(name: str | None) -> Response:
        predictor = predictors.get(name)
        result = predict(predictor, _json_body(), max_records=max_records)
        return Response(
            encode(result),
            mimetype="application/json",
            headers={"Model-Version": predictor.version},
        )

    return routes


def _json_body() -> bytes:
    """Gives the body's bytes if they are declared as plain JSON; a body of another kind is not
    read. Raises 413 as soon as more bytes have come than MAX_BODY_BYTES."""
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if not request.is_json or charset not in {"utf-8", "utf8", "us-ascii"}:
        raise UnsupportedMedia("send the record as JSON, with Content-Type: application/json")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMedia("send the body as it is, without a Content-Encoding")
    try:
        return request.get_data(cache=False)
    except (ParseException, OSError) as error:
        # gunicorn reads chunks as we ask for them: a malformed one shows here
        raise UnreadableBody("the body could not be read to its end") from error
