"""POST /hooks/mlflow: MLflow's signed webhook, which says "ask the registry now" and no more."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, request

from scoring.errors import BadSignature
from scoring.registry.reloader import ModelReloader
from serving.http.body import json_body
from serving.responses import json_response

MAX_BODY_BYTES: Final = 256 * 1024  # MLflow's own have a few hundred
MAX_AGE_S: Final = 300  # of a delivery; MLflow signs each try anew
_DELIVERY: Final = re.compile(r"[A-Za-z0-9-]{8,64}")


def blueprint(reloader: ModelReloader, secret: str) -> Blueprint:
    """Return the route.

    A delivery proves that MLflow sent something lately and once; its content is not read: the
    registry itself is asked.
    """
    routes = Blueprint("hooks", __name__)

    @routes.post("/hooks/mlflow")
    def mlflow() -> Response:
        delivery = request.headers.get("X-MLflow-Delivery-Id", "")
        sent = request.headers.get("X-MLflow-Timestamp", "")
        given = request.headers.get("X-MLflow-Signature", "")
        body = json_body(request, MAX_BODY_BYTES)
        if not _DELIVERY.fullmatch(delivery) or not re.fullmatch(r"[0-9]{1,12}", sent):
            raise BadSignature("the headers X-MLflow-Delivery-Id and X-MLflow-Timestamp are needed")
        expected = signature(secret, delivery, sent, body)
        if not hmac.compare_digest(given.encode("latin-1", "replace"), expected.encode()):
            raise BadSignature(
                "X-MLflow-Signature does not fit this delivery: is the webhook's secret that of "
                "MLFLOW_WEBHOOK_SECRET?"
            )
        if abs(time.time() - int(sent)) > MAX_AGE_S:
            raise BadSignature(f"the delivery is older than {MAX_AGE_S} seconds; check both clocks")
        if not _first_time(reloader.cache.seen, delivery):
            raise BadSignature("this delivery has come before")
        reloader.ask()
        return json_response({"status": "asking"}, 202)

    return routes


def signature(secret: str, delivery: str, sent: str, body: bytes) -> str:
    """Return MLflow's signature: HMAC-SHA256 over `<delivery id>.<unix time>.<body>`."""
    signed = f"{delivery}.{sent}.".encode() + body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _first_time(seen: Path, delivery: str) -> bool:
    """Note a delivery for all workers, and say whether it is new.

    Those that are too old to be accepted again are forgotten.
    """
    for path in seen.iterdir():
        try:
            if time.time() - path.stat().st_mtime > 2 * MAX_AGE_S:
                path.unlink()
        except FileNotFoundError:
            continue  # another worker was faster
    try:
        (seen / delivery).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
