"""Tell a webhook of an alarm: signed, tried again until it is taken, once a state.

What was told last is kept in the store, so that a command that starts anew tells nothing twice. A
delivery has an id that follows from what it tells: a receiver that was told twice, since we died
before we noted it, knows by that.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import orjson

from monitoring.report import Report
from monitoring.store import Store
from monitoring.words import headline

_TRIES: Final = 3  # in a turn; the next turn tries again
_TIMEOUT_S: Final = 10

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Webhook:
    """Where alarms go."""

    url: str
    secret: str
    pause: Callable[[float], object] = time.sleep

    def tell(self, store: Store, report: Report) -> bool:
        """Tell of a model that came into the state of alarm or left it; return whether everything
        is told that should be."""
        before = store.told(report.model)
        is_alarm, was_alarm = report.state == "alarm", before == "alarm"
        if is_alarm == was_alarm:
            return True
        body = orjson.dumps(
            {
                "model": report.model,
                "state": report.state,
                "before": before or "unknown",
                "window": headline(report),
                "findings": [one.as_json() for one in report.findings],
            }
        )
        said = f"{report.model}/{report.state}/{report.window.end}".encode()
        delivery = hashlib.sha256(said).hexdigest()[:32]
        if not self._sent(delivery, body):
            return False
        with store.writing() as writing:
            writing.note_told(report.model, report.state)
        return True

    def _sent(self, delivery: str, body: bytes) -> bool:
        import requests  # a tenth of the start of a command that tells nobody

        for tried in range(_TRIES):
            if tried:
                self.pause(2.0 ** (tried - 1))
            sent = str(int(time.time()))
            headers = {
                "Content-Type": "application/json",
                "X-Monitoring-Delivery-Id": delivery,
                "X-Monitoring-Timestamp": sent,
                "X-Monitoring-Signature": signature(self.secret, delivery, sent, body),
            }
            try:
                answer = requests.post(
                    self.url, data=body, headers=headers, timeout=_TIMEOUT_S, allow_redirects=False
                )
            except requests.RequestException as error:
                why = type(error).__name__  # its text holds the address, which may hold a secret
            else:
                if 200 <= answer.status_code < 300:
                    return True
                why = f"status {answer.status_code}"
        _log.error("the webhook does not take the alarm (%s); it is tried again next turn", why)
        return False


def signature(secret: str, delivery: str, sent: str, body: bytes) -> str:
    """Return HMAC-SHA256 over `<delivery id>.<unix time>.<body>`, as MLflow signs its webhooks."""
    signed = f"{delivery}.{sent}.".encode() + body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
