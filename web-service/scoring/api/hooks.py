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

from scoring.api.body import json_body
from scoring.errors import BadSignature
from scoring.jsontext import encode
from scoring.registry.following import Following

MAX_BODY_BYTES: Final = 256 * 1024  # MLflow's own have some hundred
MAX_AGE_S: Final = 300  # of a delivery; MLflow signs each try anew
_DELIVERY: Final = re.compile(r"[A-Za-z0-9-]{8,64}")


def blueprint(following: Following, secret: str) -> Blueprint:
    """Gives the route. Its caller is believed to have sent something lately, once; what it sent is
    not read: the registry itself is asked."""
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
            raise BadSignature("X-MLflow-Signature is not this secret's for this delivery")
        if abs(time.time() - int(sent)) > MAX_AGE_S:
            raise BadSignature(f"the delivery is older than {MAX_AGE_S} seconds; check both clocks")
        if not _first_time(following.cache.seen, delivery):
            raise BadSignature("this delivery has come before")
        following.ask()
        return Response(encode({"status": "asking"}), 202, mimetype="application/json")

    return routes


def signature(secret: str, delivery: str, sent: str, body: bytes) -> str:
    """Gives MLflow's signature: HMAC-SHA256 over `<delivery id>.<unix time>.<body>`."""
    signed = f"{delivery}.{sent}.".encode() + body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _first_time(seen: Path, delivery: str) -> bool:
    """Notes a delivery for all workers and forgets those that are too old to be taken again."""
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
