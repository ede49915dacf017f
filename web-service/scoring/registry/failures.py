"""Say why a server could not be asked: what was seen, in its own words, then what to do."""

from __future__ import annotations

import json
import os
import re
import ssl
from http.client import BadStatusLine, RemoteDisconnected
from typing import Final, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies

import requests
from requests.utils import select_proxy, should_bypass_proxies

from scoring.process.settings import without_credentials

_E = TypeVar("_E", bound=BaseException)

_LONGEST: Final = 300  # characters of a server's own words
_TAG: Final = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
# OpenSSL's words for a file of certificates that holds none.
_NO_BUNDLE: Final = ("NO_CERTIFICATE_OR_CRL_FOUND", "PEM", "NO_START_LINE")
# how an alert and a handshake begin
_TLS_RECORDS: Final = ("\x15\x03", "\x16\x03")
_BUNDLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # in the order of requests


def unreachable(shown: str, server: str, error: Exception) -> str:
    """Return the message where no answer came from `server`, whose address is `shown`."""
    return f"{shown} does not answer: {reason(error)}{_remedy(server, error)}{_proxy(server)}"


def unexpected(shown: str, response: requests.Response, body: bytes, login: str) -> str:
    """Return the message for an answer that is not what was asked for."""
    status = response.status_code
    if 300 <= status < 400:
        to = urlsplit(response.headers.get("Location", ""))
        place = words(to.hostname or to.path) or "elsewhere"
        return f"{shown} redirects to {place}: is there a login before it?"
    said = _said(body)
    message = f"{shown} answered HTTP {status}" + (f": {said!r}" if said else "")
    if "host header" in said.lower():
        host = urlsplit(shown).netloc
        message += f"; start the MLflow server with --allowed-hosts {host}"
    elif status == 401 or (status == 403 and not _is_json(body)):
        message += (
            f"; {login}: check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
            "MLFLOW_TRACKING_TOKEN"
        )
    elif status == 403:
        message += f"; {login}, and that user may not read the model: give it READ, or another"
    elif status == 407 or "proxy" in said.lower():
        message += "; a proxy asks for a login"
    elif "https" in said.lower() and status == 400:
        message += "; write https:// in MLFLOW_TRACKING_URI"
    return message + _proxy(response.url)


def reason(error: BaseException) -> str:
    """Return the kind of failure in words that hold no address and no password."""
    if inner := _inner(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({words(inner.verify_message)})"
    if tls := _inner(error, ssl.SSLError):
        return f"TLS with it failed ({words((tls.reason or 'unknown').lower().replace('_', ' '))})"
    if isinstance(error, requests.Timeout):
        connecting = isinstance(error, requests.ConnectTimeout)
        return "no connection within 3 s" if connecting else "no byte came within 10 s"
    if isinstance(error, requests.exceptions.InvalidSchema):
        return "it was not asked: a SOCKS proxy cannot be used here"
    if isinstance(error, requests.exceptions.InvalidURL):  # also of a proxy
        return "it was not asked: the address cannot be read"
    if line := _no_http(error):
        return f"what came is no HTTP: {words(line)!r}"
    if isinstance(error, requests.RequestException | OSError):
        if system := _inner(error, OSError, strerror=True):
            return words(system.strerror or "")
        if isinstance(error, requests.ConnectionError):
            return "no connection, or it broke"
    return type(error).__name__


def words(text: str) -> str:
    """Return a server's own words on one line, bounded, and printable."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."


def taken_from_outside(*names: str) -> str:
    """Return which of these environment variables are set, for a message; else nothing."""
    there = [name for name in names if os.environ.get(name)]
    return f" (with {', '.join(there)} of the environment)" if there else ""


def _remedy(server: str, error: Exception) -> str:
    if inner := _inner(error, ssl.SSLCertVerificationError):
        if "mismatch" in inner.verify_message.lower() or "expired" in inner.verify_message.lower():
            return "; the server needs a certificate that is valid for this address"
        bundle = next((name for name in _BUNDLES if os.environ.get(name)), None)
        taken = f" instead of {bundle}, which was used," if bundle else ""
        return f"; name its authority's in MLFLOW_TRACKING_SERVER_CERT_PATH{taken}"
    if tls := _inner(error, ssl.SSLError):
        plain = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH")
        if any(word in (tls.reason or "") for word in plain):
            return "; does it speak plain HTTP there? Then write http:// in MLFLOW_TRACKING_URI"
        return _bundle() if any(word in (tls.reason or "") for word in _NO_BUNDLE) else ""
    if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
        return _bundle()  # what requests raises for a file of certificates that is not there
    if server.startswith("http://") and (
        _inner(error, ConnectionResetError) or _no_http(error)[:2] in _TLS_RECORDS
    ):
        return "; does it want TLS? Then write https:// in MLFLOW_TRACKING_URI"
    return ""


def _no_http(error: BaseException) -> str:
    """Return the first line of an answer that is none of HTTP; nothing of any other failure."""
    found = _inner(error, BadStatusLine)
    return "" if found is None or isinstance(found, RemoteDisconnected) else str(found.args[0])


def _bundle() -> str:
    bundle = next((name for name in _BUNDLES if os.environ.get(name)), None)
    return f"; {bundle}={os.environ[bundle]!r} cannot be used" if bundle else ""


def _proxy(server: str) -> str:
    """Return which proxy of the environment was asked instead of the server itself."""
    host = urlsplit(server).hostname or ""
    if should_bypass_proxies(server, no_proxy=None):
        return ""
    proxy = select_proxy(server, getproxies())
    if not proxy:
        return ""
    values = {name: os.environ.get(name) or os.environ.get(name.lower()) for name in _PROXIES}
    name = next((name for name, value in values.items() if value == proxy), "its proxy")
    return f" (by way of {name}={without_credentials(proxy)}; NO_PROXY={host} goes without)"


def _inner(error: BaseException, kind: type[_E], *, strerror: bool = False) -> _E | None:
    """Return the exception of that kind among the causes, which libraries wrap in their own."""
    waiting, seen = [error], set()
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, kind) and (not strerror or getattr(each, "strerror", None)):
            return each
        more = (each.__cause__, each.__context__, getattr(each, "reason", None), *each.args)
        waiting += [one for one in more if isinstance(one, BaseException)]
    return None


def _said(body: bytes) -> str:
    """Return the message of an answer: a field of its JSON, or the text of its page."""
    text = body[:65536].decode("utf-8", "replace")
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return words(_TAG.sub(" ", text))
    if isinstance(answer, dict):
        named = (answer.get(name) for name in ("message", "detail", "error", "error_code"))
        return words(next((value for value in named if isinstance(value, str) and value), ""))
    return ""


def _is_json(body: bytes) -> bool:
    return body.lstrip().startswith(b"{")
