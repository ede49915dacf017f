"""The settings of the registry, a part of `scoring.settings.Settings`."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, FilePath

from scoring.errors import SettingsError

_PIN: Final = re.compile(r"([a-z][a-z0-9_]*):([1-9][0-9]{0,9})")


def _server(uri: str) -> str:
    try:
        parts = urlsplit(uri)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        parts.port  # noqa: B018  # raises where it is no number
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(
            "the service asks a tracking server by http:// or https://; `make mlflow` starts one "
            "over a local store, and without this variable the models of MODELS_DIR serve"
        )
    return uri.rstrip("/")


def _pins(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = {}
    for pin in value.split(","):
        match = _PIN.fullmatch(pin.strip())
        if not match:
            raise ValueError("pins look like ride:3, several by commas")
        found[match[1]] = match[2]
    return found


class RegistrySettings(BaseModel):
    """What can be set about the registry. Names that MLflow has are MLflow's."""

    mlflow_tracking_uri: Annotated[str, AfterValidator(_server)] | None = Field(
        default=None, description="MLflow server to follow; unset: the models of MODELS_DIR serve"
    )
    mlflow_tracking_username: str | None = Field(
        default=None, description="of the server's basic authentication"
    )
    mlflow_tracking_password: str | None = Field(
        default=None, repr=False, description="of the server's basic authentication"
    )
    mlflow_tracking_token: str | None = Field(
        default=None, repr=False, description="sent as a bearer token"
    )
    mlflow_tracking_insecure_tls: bool = Field(
        default=False, description="true: the server's certificate is not checked"
    )
    mlflow_tracking_server_cert_path: Annotated[FilePath, AfterValidator(Path.absolute)] | None = (
        Field(default=None, description="certificates (PEM) that the server's is checked against")
    )
    mlflow_s3_endpoint_url: str | None = Field(
        default=None,
        pattern="^https?://.",
        description="S3 server of s3:// artifacts, where it is not Amazon's",
    )
    model_alias: str = Field(
        default="champion",
        pattern=r"^[A-Za-z_-][A-Za-z0-9_-]{0,254}$",
        description="alias of the version that serves",
    )
    model_version: Annotated[dict[str, str], BeforeValidator(_pins)] = Field(
        default={}, description="pins a model to a version, whatever the alias says: ride:3"
    )
    model_fallback: Literal["none", "image"] = Field(
        default="none",
        description="image: with no registry and an empty cache, the models of MODELS_DIR serve",
    )
    registry_poll_seconds: float = Field(
        default=15, ge=0.2, le=86_400, description="seconds between two questions to the registry"
    )
    registry_start_seconds: float = Field(
        default=20, ge=1, le=600, description="longest that a start waits for a first version"
    )
    registry_download_seconds: float = Field(
        default=300, ge=1, le=86_400, description="longest that a version's download may take"
    )
    registry_cache: Annotated[Path, AfterValidator(Path.absolute)] = Field(
        default=Path("/tmp/prediction-service"),  # noqa: S108  # its parts are this user's alone
        description="folder for downloaded versions; on a volume it outlives the container",
    )
    registry_keep: int = Field(
        default=3, ge=1, le=1000, description="versions of a model that stay in the cache"
    )
    registry_max_bytes: int = Field(
        default=1024**3, ge=1, description="largest file of a version; a larger one is refused"
    )
    mlflow_webhook_secret: str | None = Field(
        default=None,
        repr=False,
        min_length=16,
        description="of MLflow's webhook; turns POST /hooks/mlflow on",
    )

    @property
    def registry(self) -> str:
        """The server's address as it may be logged: without a name or password in it."""
        return without_credentials(self.mlflow_tracking_uri or "")

    def selector(self, model: str) -> str:
        """Gives what is asked for: an alias, or `v3` for a pinned version (MLflow reserves such
        words, so no alias looks like it)."""
        pinned = self.model_version.get(model)
        return f"v{pinned}" if pinned else self.model_alias

    def check_pins(self, served: Collection[str]) -> None:
        """Raises SettingsError where MODEL_VERSION pins a model that is not served."""
        for name in self.model_version:
            if name not in served:
                there = ", ".join(served)
                raise SettingsError(f"MODEL_VERSION pins '{name}'; the models are: {there}")


def without_credentials(uri: str) -> str:
    """Gives an address without the user and password that it may hold."""
    return re.sub(r"//[^/]*@", "//", uri)


def printable(name: str, value: Any) -> str:
    """Gives a setting's value as an error may show it."""
    if re.search("password|token|secret", name):
        return "(not shown)"
    return repr(without_credentials(value) if isinstance(value, str) else value)
