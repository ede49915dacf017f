"""The registry's REST interface, as much of it as following an alias takes."""

from __future__ import annotations

import json
import warnings
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

import requests
from requests.auth import HTTPBasicAuth

from scoring import __version__
from scoring.registry import failures
from scoring.registry.cache import VersionRef
from scoring.registry.changes import Change, changes
from scoring.registry.errors import RegistryUnavailable, VersionNotFound
from scoring.registry.settings import RegistrySettings

_API: Final = "/api/2.0/mlflow"
_MAX_ANSWER: Final = 4 * 1024 * 1024  # bytes; a version's answer is about one thousand
_CONNECT_SECONDS: Final = 3.05
_READ_SECONDS: Final = 10.0


class Client:
    """Asks one MLflow server. Each wait for a byte is bounded; the sum of them is the caller's."""

    def __init__(self, settings: RegistrySettings) -> None:
        self.server = settings.mlflow_tracking_uri or ""
        self.shown = settings.registry
        self.login = "it was asked without a login"  # for messages
        self._session = session = _Session()
        session.headers["User-Agent"] = f"prediction-service/{__version__}"
        name, password = settings.mlflow_tracking_username, settings.mlflow_tracking_password
        if name and password:
            # bytes, as requests would have to write text as Latin-1
            session.auth = HTTPBasicAuth(name.encode(), password.encode())
            self.login = "it was asked as MLFLOW_TRACKING_USERNAME with MLFLOW_TRACKING_PASSWORD"
        elif settings.mlflow_tracking_token:
            session.auth = _Bearer(settings.mlflow_tracking_token)
            self.login = "it was asked with MLFLOW_TRACKING_TOKEN"
        elif (parts := urlsplit(self.server)).username:
            # said here, as a netrc file's would go before it
            login = unquote(parts.username), unquote(parts.password or "")
            session.auth = HTTPBasicAuth(login[0].encode(), login[1].encode())
            self.login = "it was asked with the login in MLFLOW_TRACKING_URI"
        elif requests.utils.get_netrc_auth(self.server):
            self.login = "it was asked with the login that the netrc file has for it"
        if settings.mlflow_tracking_insecure_tls:
            session.verify = False
            warnings.filterwarnings("ignore", "Unverified HTTPS request")  # it was asked for
        elif settings.mlflow_tracking_server_cert_path:
            session.verify = str(settings.mlflow_tracking_server_cert_path)

    def find(self, name: str, selector: str) -> tuple[VersionRef, dict[str, str]]:
        """Return the version of the registered model `name` that `selector` means, and its tags.

        `selector` is an alias, or `v3` for version 3. Raises RegistryUnavailable, and
        VersionNotFound.
        """
        number = selector[1:] if selector[0] == "v" and selector[1:].isdigit() else None
        if number:
            answer = self._get("/model-versions/get", name=name, version=number)
        else:
            answer = self._get("/registered-models/alias", name=name, alias=selector)
        try:
            version = answer["model_version"]
            ref = VersionRef(
                number=str(int(version["version"])),
                created=int(version["creation_timestamp"]),
                source=str(version.get("source") or ""),
                model=name,
            )
            tags = {str(tag["key"]): str(tag["value"]) for tag in version.get("tags", [])}
        except (KeyError, TypeError, ValueError) as error:
            raise RegistryUnavailable(f"{self.shown} answered with no model version") from error
        return ref, tags

    def changes(self, name: str) -> list[Change]:
        """Return which version of the registered model `name` served since when, the oldest first;
        none where nobody has kept it. Raises RegistryUnavailable, and VersionNotFound."""
        model = self._get("/registered-models/get", name=name).get("registered_model")
        try:
            tags = {str(tag["key"]): str(tag["value"]) for tag in (model or {}).get("tags", [])}
        except (KeyError, TypeError, AttributeError):
            return []
        return changes(tags)

    def artifact_uri(self, ref: VersionRef) -> str:
        """Return where a version's files are, of a `runs:/` or `models:/m-` source as well."""
        answer = self._get("/model-versions/get-download-uri", name=ref.model, version=ref.number)
        uri = self._text(answer.get("artifact_uri"), ref.title)
        kind, _, rest = uri.partition(":/")
        identifier, _, path = rest.lstrip("/").partition("/")
        if kind == "runs" and identifier:
            answer = self._get("/runs/get", run_id=identifier)
            root = answer.get("run", {}).get("info", {}).get("artifact_uri")
        elif kind == "models" and identifier.startswith("m-"):
            answer = self._get(f"/logged-models/{quote(identifier, safe='')}")
            root = answer.get("model", {}).get("info", {}).get("artifact_uri")
        else:
            return uri
        root = self._text(root, f"{ref.title}, {kind}:/{identifier}")
        return f"{root.rstrip('/')}/{path.strip('/')}" if path.strip("/") else root

    def open(self, url: str, **query: str) -> requests.Response:
        """Return a streaming answer with status 200.

        Raises RegistryUnavailable, and FileNotFoundError for a 404.
        """
        response = self._send(url, query)
        if response.status_code == 404:
            response.close()
            raise FileNotFoundError(url)
        if response.status_code != 200:
            raise self._unexpected(response)
        return response

    def json(self, url: str, **query: str) -> dict[str, Any]:
        """Return the JSON object at `url`; raises RegistryUnavailable for anything else."""
        try:
            with self.open(url, **query) as response:
                return self._object(response)
        except FileNotFoundError:
            raise RegistryUnavailable(
                f"{self.shown} has no {urlsplit(url).path}: is it an MLflow server?"
            ) from None

    def _get(self, path: str, **query: str) -> dict[str, Any]:
        with self._send(f"{self.server}{_API}{path}", query) as response:
            if response.status_code == 200:
                return self._object(response)
            body = self._body(response)
            if response.status_code in (400, 404) and (absent := _absence(body)):
                raise VersionNotFound(absent)
            raise self._unexpected(response, body)

    def _send(self, url: str, query: dict[str, str]) -> requests.Response:
        try:
            return self._session.get(
                url,
                params=query,
                timeout=(_CONNECT_SECONDS, _READ_SECONDS),
                stream=True,
                allow_redirects=False,  # a login page is no answer, and no place for credentials
            )
        except (requests.RequestException, OSError, ValueError) as error:
            # OSError: a certificate file that is not there; ValueError: what no header may hold
            raise RegistryUnavailable(
                failures.unreachable(self.shown, self.server, error)
            ) from error

    def _text(self, uri: object, what: str) -> str:
        if not isinstance(uri, str) or not uri:
            raise RegistryUnavailable(f"{self.shown} names no place for the files of {what}")
        return uri

    def _unexpected(
        self, response: requests.Response, body: bytes | None = None
    ) -> RegistryUnavailable:
        if body is None:
            body = self._body(response)
        response.close()
        return RegistryUnavailable(failures.unexpected(self.shown, response, body, self.login))

    def _body(self, response: requests.Response) -> bytes:
        body = b""
        try:
            for chunk in response.iter_content(65536):
                body += chunk
                if len(body) > _MAX_ANSWER:
                    raise RegistryUnavailable(f"{self.shown} answers without an end")
        except (requests.RequestException, OSError) as error:
            raise RegistryUnavailable(
                f"{self.shown} broke off its answer: {failures.reason(error)}"
            ) from error
        return body

    def _object(self, response: requests.Response) -> dict[str, Any]:
        body = self._body(response)
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            kind = response.headers.get("Content-Type", "nothing known").partition(";")[0]
            raise RegistryUnavailable(
                f"{self.shown} answered {failures.words(kind)}, not JSON: is it an MLflow server?"
            ) from None
        if not isinstance(answer, dict):
            raise RegistryUnavailable(
                f"{self.shown} answered JSON that is no object: is it an MLflow server?"
            )
        return answer


class _Session(requests.Session):
    """A session whose `verify` is not overridden by REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE."""

    def merge_environment_settings(
        self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> Any:
        """Return the settings of one request; an unset `verify` is the session's."""
        verify = self.verify if verify is None else verify
        return super().merge_environment_settings(url, proxies, stream, verify, cert)


class _Bearer(requests.auth.AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _absence(body: bytes) -> str | None:
    """Return MLflow's own words where it says that there is no such model, alias or version."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    codes = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
    if not isinstance(answer, dict) or answer.get("error_code") not in codes:
        return None
    return failures.words(str(answer.get("message", "there is no such version")))
