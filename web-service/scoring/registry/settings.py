"""Settings of the model registry."""

from __future__ import annotations

import re
import ssl
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, FilePath

from scoring.errors import SettingsError
from scoring.process.addresses import NO_PORT, trouble_of
from scoring.process.secret_values import of_login
from scoring.process.settings import ModelSettings, without_credentials

# What MLflow's own client can do to reach a server, and this one cannot.
_NOT_SUPPORTED: Final = {
    "MLFLOW_TRACKING_AUTH": "sign in with MLFLOW_TRACKING_USERNAME and _PASSWORD or _TOKEN",
    "MLFLOW_TRACKING_AWS_SIGV4": "sign in with MLFLOW_TRACKING_USERNAME and _PASSWORD or _TOKEN",
    "MLFLOW_TRACKING_CLIENT_CERT_PATH": "put a proxy that shows it before the server",
    "MLFLOW_WORKSPACE": "register the model in the default workspace, the one that is asked",
    "MLFLOW_S3_IGNORE_TLS": "name the store's certificates in AWS_CA_BUNDLE",
}
_PIN: Final = re.compile(r"([a-z][a-z0-9_]*):([1-9][0-9]{0,9})")


def _server(uri: str) -> str:
    trouble = trouble_of(uri)
    if not trouble and re.search(r"[?# ]", uri):
        raise ValueError(
            "must be the server's address alone, without ?, # or a space: http://HOST:5000, not "
            "what a browser shows of a page there"
        )
    if trouble == NO_PORT:
        raise ValueError(trouble)
    if trouble:
        raise ValueError(
            "the service asks a tracking server by http:// or https://; `make mlflow` starts one "
            "over a local store, and without this variable the models of MODELS_DIR serve"
        )
    return uri.rstrip("/")


def _token(value: str) -> str:
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise ValueError("must be the token alone: ASCII characters, without a space")
    return value


def _user(value: str) -> str:
    if ":" in value:
        raise ValueError("must not hold a colon, which ends a name in basic authentication")
    return value


def certificates(path: Path) -> Path:
    """Return `path`; raise ValueError where it holds no certificate that TLS could trust."""
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:
        reason = error.strerror if not isinstance(error, ssl.SSLError) else error.reason
        raise ValueError(f"must be a file of PEM certificates ({reason or error})") from None
    return path


def _store(uri: str) -> str:
    if trouble_of(uri):
        raise ValueError("must be an address such as http://minio:9000")
    return uri


def _alias(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_-][A-Za-z0-9_-]{0,254}", value):
        raise ValueError("must be an alias alone, of letters, digits, - and _, such as champion")
    if value.lower() == "latest" or re.fullmatch(r"[vV][0-9]+", value):
        raise ValueError(
            "is no alias in MLflow, which keeps such words for itself; MODEL_VERSION=ride:3 pins a "
            "version"
        )
    return value


def _pins(value: object) -> object:
    if not isinstance(value, str):
        return value
    found: dict[str, str] = {}
    for pin in value.split(","):
        match = _PIN.fullmatch(pin.strip())
        if not match:
            raise ValueError("pins look like ride:3, several by commas")
        if found.get(match[1], match[2]) != match[2]:
            raise ValueError(f"pins '{match[1]}' to two versions")
        found[match[1]] = match[2]
    return found


class RegistrySettings(ModelSettings):
    """What can be set about the registry. Names that MLflow has are MLflow's."""

    # what another version than the one at hand is asked for by
    of_a_registry: ClassVar[tuple[str, ...]] = ("MODEL_ALIAS", "MODEL_VERSION")
    details_of: ClassVar[Mapping[str, tuple[str, ...]]] = {"MLFLOW_TRACKING_URI": of_a_registry}

    mlflow_tracking_uri: Annotated[str, AfterValidator(_server)] | None = Field(
        default=None,
        description="Address of the MLflow server whose registry is followed; unset: the "
        "models of MODELS_DIR are served.",
    )
    mlflow_tracking_username: Annotated[str, AfterValidator(_user)] | None = Field(
        default=None, description="User name for the MLflow server's basic authentication."
    )
    mlflow_tracking_password: str | None = Field(
        default=None,
        repr=False,
        description="Password for the MLflow server's basic authentication.",
    )
    mlflow_tracking_token: Annotated[str, AfterValidator(_token)] | None = Field(
        default=None, repr=False, description="Bearer token that is sent to the MLflow server."
    )
    mlflow_tracking_insecure_tls: bool = Field(
        default=False, description="`true` accepts any certificate of the MLflow server."
    )
    mlflow_tracking_server_cert_path: (
        Annotated[FilePath, AfterValidator(Path.absolute), AfterValidator(certificates)] | None
    ) = Field(
        default=None,
        description="File of certificates (PEM) that the MLflow server's certificate is "
        "checked against.",
    )
    mlflow_s3_endpoint_url: Annotated[str, AfterValidator(_store)] | None = Field(
        default=None,
        description="Address of the S3 server for s3:// artifacts, where it is not Amazon's.",
    )
    model_alias: Annotated[str, AfterValidator(_alias)] = Field(
        default="champion",
        description="Alias of the version to serve.",
    )
    model_version: Annotated[dict[str, str], BeforeValidator(_pins)] = Field(
        default={},
        description="Versions to serve instead of the alias's, such as `ride:3`, separated "
        "by commas.",
    )
    model_fallback: Literal["none", "image"] = Field(
        default="none",
        description="`image` serves the models of MODELS_DIR while the registry is "
        "unavailable and the cache is empty.",
    )
    registry_poll_seconds: float = Field(
        default=15, ge=0.2, le=86_400, description="Seconds between two polls of the registry."
    )
    registry_start_seconds: float = Field(
        default=20,
        ge=1,
        le=600,
        description="Maximum seconds that the start waits for a first version.",
    )
    registry_download_seconds: float = Field(
        default=300,
        ge=1,
        le=86_400,
        description="Maximum seconds that the download of a version may take.",
    )
    registry_cache: Annotated[Path, AfterValidator(Path.absolute)] = Field(
        default=Path("/tmp/prediction-service"),  # noqa: S108  # its parts are this user's alone
        description="Folder for downloaded versions; put it on a volume to keep them when "
        "the container is replaced.",
    )
    registry_keep: int = Field(
        default=3,
        ge=1,
        le=1000,
        description="Number of versions of a model that are kept in the cache.",
    )
    registry_max_bytes: int = Field(
        default=1024**3,
        ge=1,
        description="Maximum bytes of one file of a version; a version with a larger one is"
        " refused.",
    )
    mlflow_webhook_secret: str | None = Field(
        default=None,
        repr=False,
        min_length=16,
        description="Secret of MLflow's webhook, at least 16 characters; setting it enables"
        " POST /hooks/mlflow.",
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Return the settings in `environ`; raises SettingsError as the base class does.

        Also for a login of which a half is missing.
        """
        settings = super().from_env(environ)
        login = settings.mlflow_tracking_username, settings.mlflow_tracking_password
        if settings.mlflow_tracking_uri and any(login) and not all(login):
            raise SettingsError(
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD belong together: set both, "
                "or neither"
            )
        return settings

    @classmethod
    def check_environment(cls, environ: Mapping[str, str]) -> None:
        """Raise SettingsError for variables that are set in vain, as far as that can be known."""
        super().check_environment(environ)
        tracking, registry = (
            environ.get(f"MLFLOW_{name}_URI", "").strip() for name in ("TRACKING", "REGISTRY")
        )
        if registry and registry.rstrip("/") != tracking.rstrip("/"):
            other = "names another server than" if tracking else "is set without"
            raise SettingsError(
                f"MLFLOW_REGISTRY_URI={without_credentials(registry)!r} {other} "
                "MLFLOW_TRACKING_URI, the one server that is asked: set MLFLOW_TRACKING_URI to the "
                "server that has the registered models, and unset MLFLOW_REGISTRY_URI"
            )
        for name, instead in _NOT_SUPPORTED.items():
            if tracking and environ.get(name, "").strip() not in ("", "default"):
                raise SettingsError(f"{name} is set, and is not supported here: {instead}")

    def secrets(self) -> set[str]:
        """Return the texts that must not be logged, in every form in which they may appear."""
        login = of_login(self.mlflow_tracking_username, self.mlflow_tracking_password)
        return super().secrets() | login

    @property
    def registry(self) -> str:
        """The server's address as it may be logged: without a name or password in it."""
        return without_credentials(self.mlflow_tracking_uri or "")

    def selector(self, model: str) -> str:
        """Return what is asked for: an alias, or `v3` for a pinned version.

        MLflow reserves such words, so no alias looks like it.
        """
        pinned = self.model_version.get(model)
        return f"v{pinned}" if pinned else self.model_alias

    def check_pins(self, served: Collection[str]) -> None:
        """Raise SettingsError where MODEL_VERSION pins a model that is not served."""
        for name in self.model_version:
            if name not in served:
                there = ", ".join(served)
                raise SettingsError(f"MODEL_VERSION pins '{name}'; the models are: {there}")
