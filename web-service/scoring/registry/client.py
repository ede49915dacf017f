"""The registry's REST interface, as much of it as following an alias takes."""

from __future__ import annotations

import json
import logging
from typing import Any, Final
from urllib.parse import urlsplit

import requests

from scoring import __version__
from scoring.registry.cache import Origin
from scoring.registry.errors import Absent, Away
from scoring.registry.settings import RegistrySettings

_API: Final = "/api/2.0/mlflow"
_MAX_ANSWER: Final = 4 * 1024 * 1024  # bytes; a version's answer is about one thousand
_CONNECT_S: Final = 3.05
_READ_S: Final = 10.0

_log = logging.getLogger(__name__)


class Client:
    """Asks one MLflow server. Each wait for a byte is bounded; the sum of them is the caller's."""

    def __init__(self, settings: RegistrySettings) -> None:
        self.server = settings.mlflow_tracking_uri or ""
        self.shown = settings.registry
        self._session = session = requests.Session()
        session.headers["User-Agent"] = f"prediction-service/{__version__}"
        if settings.mlflow_tracking_username or settings.mlflow_tracking_password:
            session.auth = (
                settings.mlflow_tracking_username or "",
                settings.mlflow_tracking_password or "",
            )
        elif settings.mlflow_tracking_token:
            session.auth = _Bearer(settings.mlflow_tracking_token)
        if settings.mlflow_tracking_insecure_tls:
            session.verify = False
            logging.captureWarnings(capture=True)  # urllib3 warns at every request
        elif settings.mlflow_tracking_server_cert_path:
            session.verify = str(settings.mlflow_tracking_server_cert_path)

    def find(self, name: str, selector: str) -> tuple[Origin, dict[str, str]]:
        """Gives the version of the registered model `name` that `selector` means (an alias, or `v3`
        for version 3), and its tags. Raises Absent or Away."""
        number = selector[1:] if selector[0] == "v" and selector[1:].isdigit() else None
        if number:
            found = self._get("/model-versions/get", name=name, version=number)
        else:
            found = self._get("/registered-models/alias", name=name, alias=selector)
        try:
            version = found["model_version"]
            origin = Origin(
                number=str(int(version["version"])),
                created=int(version["creation_timestamp"]),
                source=str(version.get("source") or ""),
                model=name,
            )
            tags = {str(tag["key"]): str(tag["value"]) for tag in version.get("tags", [])}
        except (KeyError, TypeError, ValueError) as error:
            raise Away(f"{self.shown} answered with no model version") from error
        return origin, tags

    def artifact_uri(self, origin: Origin) -> str:
        """Gives the place of a version's files."""
        found = self._get(
            "/model-versions/get-download-uri", name=origin.model, version=origin.number
        )
        uri = found.get("artifact_uri")
        if not isinstance(uri, str) or not uri:
            raise Away(f"{self.shown} names no place for the files of {origin.title}")
        return uri

    def open(self, url: str, **query: str) -> requests.Response:
        """Gives a streaming answer of the server with status 200. Raises Away, and
        FileNotFoundError for a 404."""
        response = self._send(url, query)
        if response.status_code == 404:
            response.close()
            raise FileNotFoundError(url)
        if response.status_code != 200:
            raise Away(self._unexpected(response))
        return response

    def json(self, url: str, **query: str) -> dict[str, Any]:
        """Gives the JSON object at `url`; raises Away for anything else."""
        try:
            with self.open(url, **query) as response:
                return self._object(response)
        except FileNotFoundError:
            raise Away(
                f"{self.shown} has no {urlsplit(url).path}: is it an MLflow server?"
            ) from None

    def _get(self, path: str, **query: str) -> dict[str, Any]:
        with self._send(f"{self.server}{_API}{path}", query) as response:
            if response.status_code == 200:
                return self._object(response)
            if response.status_code in (400, 404) and (absent := self._absence(response)):
                raise Absent(absent)
            raise Away(self._unexpected(response))

    def _send(self, url: str, query: dict[str, str]) -> requests.Response:
        try:
            return self._session.get(
                url,
                params=query,
                timeout=(_CONNECT_S, _READ_S),
                stream=True,
                allow_redirects=False,  # a login page is no answer, and no place for credentials
            )
        except requests.RequestException as error:
            raise Away(f"{self.shown} does not answer: {_short(error)}") from error

    def _absence(self, response: requests.Response) -> str | None:
        """Gives MLflow's own words where it says that there is no such model, alias or version."""
        try:
            found = self._object(response)
        except Away:
            return None
        codes = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
        if found.get("error_code") not in codes:
            return None
        return _line(str(found.get("message", "there is no such version")))

    def _unexpected(self, response: requests.Response) -> str:
        status = response.status_code
        response.close()
        if status in (401, 403):
            return (
                f"{self.shown} refuses us (HTTP {status}): check MLFLOW_TRACKING_USERNAME and "
                "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
            )
        if 300 <= status < 400:
            host = urlsplit(response.headers.get("Location", "")).hostname or "elsewhere"
            return f"{self.shown} redirects to {_line(host)}: is there a login before it?"
        return f"{self.shown} answered HTTP {status}"

    def _object(self, response: requests.Response) -> dict[str, Any]:
        body = b""
        try:
            for chunk in response.iter_content(65536):
                body += chunk
                if len(body) > _MAX_ANSWER:
                    raise Away(f"{self.shown} answers without an end")
            found = json.loads(body)
        except requests.RequestException as error:
            raise Away(f"{self.shown} broke off its answer: {_short(error)}") from error
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            kind = response.headers.get("Content-Type", "nothing known").partition(";")[0]
            raise Away(f"{self.shown} answered {_line(kind)}, not JSON: is it an MLflow server?")
        return found


class _Bearer(requests.auth.AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _short(error: requests.RequestException) -> str:
    """The kind of failure, in words that hold no address and no password."""
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted (MLFLOW_TRACKING_SERVER_CERT_PATH)"
    if isinstance(error, requests.Timeout):
        return "no byte came in time"
    if isinstance(error, requests.ConnectionError):
        return "no connection, or it broke"
    return type(error).__name__


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:300]
