"""A prediction's whole answer, status to body: the same on the fast path and through Flask."""

from __future__ import annotations

from typing import Final, NamedTuple

from scoring.engine import predict, predict_quickly
from scoring.errors import RequestError
from scoring.limits import Limits
from scoring.observers.observer import NO_CALLER, Caller, PredictionObserver
from scoring.predictor import Predictor
from scoring.values.strict_json import encode
from serving.http import problems

JSON: Final = "application/json"


class Reply(NamedTuple):
    """What goes back, whichever way the request came."""

    status: int
    media_type: str
    body: bytes
    version: str  # of the model that was asked


def reply(
    predictor: Predictor,
    body: bytes,
    *,
    limits: Limits,
    explain: bool = False,
    interval: float | None = None,
    observer: PredictionObserver | None = None,
    caller: Caller = NO_CALLER,
) -> Reply:
    """Return the answer to a JSON body, or the problem with it; only a fault of ours raises."""
    try:
        result = predict(
            predictor, body, limits=limits, explain=explain, interval=interval,
            observer=observer, caller=caller,
        )  # fmt: skip
    except RequestError as error:
        return Reply(error.status, problems.MEDIA_TYPE, problems.document(error), predictor.version)
    return Reply(200, JSON, encode(result), predictor.version)


def quick_reply(
    predictor: Predictor,
    body: bytes,
    *,
    limits: Limits,
    observer: PredictionObserver | None = None,
    caller: Caller = NO_CALLER,
) -> Reply | None:
    """Return the same answer to a large array that is quickly scored, None where it is not."""
    try:
        result = predict_quickly(predictor, body, limits=limits, observer=observer, caller=caller)
    except RequestError as error:
        return Reply(error.status, problems.MEDIA_TYPE, problems.document(error), predictor.version)
    return Reply(200, JSON, encode(result), predictor.version) if result else None
