"""All settings, from the environment, in one frozen object."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FilePath,
    ValidationError,
)

from scoring.errors import SettingsError
from scoring.registry.settings import RegistrySettings, printable


def _names(value: object) -> object:
    return tuple(name.strip() for name in value.split(",")) if isinstance(value, str) else value


def _origin(value: str) -> str:
    if value != "*" and not _ORIGIN.fullmatch(value):
        raise ValueError("origins look like https://shop.example, several by commas, or *")
    return value


_ORIGIN: Final = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_HERE: Final = Path(__file__).resolve().parents[2]


class ServingSettings(BaseModel):
    """What can be set beside the registry; each field is the environment variable of its name in
    capitals."""

    model_config = ConfigDict(frozen=True)

    models: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], ...], BeforeValidator(_names)
    ] = Field(
        default=(),
        description="models to serve, by commas; the first answers `POST /predict`",
    )
    models_dir: Path = Field(
        default=_HERE / "models",
        description="folder that holds one folder a model; `models` next to `web-service`",
    )
    host: str = Field(default="0.0.0.0", description="address to listen on")  # noqa: S104  # a container's only useful one
    port: int = Field(default=9696, ge=1, le=65535, description="port to listen on")
    metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="port of GET /metrics alone; unset: it is a page of PORT",
    )
    workers: int | None = Field(
        default=None, ge=1, le=256, description="worker processes; unset: one a CPU of the quota"
    )
    threads: int = Field(
        default=4, ge=1, le=256, description="threads a worker, for what is not answered at once"
    )
    timeout: int = Field(
        default=30,
        ge=1,
        le=3600,
        description="seconds for a request to come, and for its answer; a worker that hangs longer "
        "is killed",
    )
    graceful_timeout: int = Field(
        default=8, ge=1, le=3600, description="seconds that accepted requests get at a stop"
    )
    drain_seconds: int = Field(
        default=1,
        ge=0,
        le=3600,
        description="seconds at a stop in which connections are still taken, while readiness says "
        "no; a part of GRACEFUL_TIMEOUT",
    )
    keep_alive: int = Field(
        default=75, ge=0, le=3600, description="seconds that an idle connection is kept"
    )
    max_connections: int = Field(
        default=4096, ge=1, le=1_000_000, description="connections a worker; one more gets a 503"
    )
    max_in_flight: int = Field(
        default=64,
        ge=1,
        le=100_000,
        description="requests a worker that a thread answers or that wait for one; one more gets a "
        "503",
    )
    max_body_bytes: int = Field(
        default=1024 * 1024, ge=1, le=1024**3, description="largest body; a larger one is a 413"
    )
    max_records: int = Field(
        default=10_000, ge=1, le=10_000_000, description="most records in one array, else a 413"
    )
    api_keys_file: FilePath | None = Field(
        default=None, description="file of API keys; unset: whoever reaches the port may ask"
    )
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(_names)] = (
        Field(
            default=(),
            description="networks of proxies whose X-Forwarded-For the log believes, by commas",
        )
    )
    cors_origins: Annotated[
        tuple[Annotated[str, AfterValidator(_origin)], ...], BeforeValidator(_names)
    ] = Field(
        default=(), description="sites whose pages may call the service from browsers, by commas"
    )
    pages: Literal["on", "off"] = Field(
        default="on", description="the pages for people: /, /docs and the model cards"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least severe level that is logged"
    )
    log_format: Literal["auto", "json", "text"] = Field(
        default="auto", description="auto: JSON lines, on a terminal text"
    )
    access_log: Literal["on", "errors", "off"] = Field(
        default="on", description="one line a request; errors: of those that were refused or failed"
    )

    prediction_log: Annotated[Path, AfterValidator(Path.absolute)] | None = Field(
        default=None, description="file of predictions, a JSON line each; unset: none is kept"
    )
    prediction_log_max_bytes: int = Field(
        default=100 * 1024 * 1024, ge=1024, description="size at which that file is exchanged"
    )
    prediction_log_keep: int = Field(
        default=10, ge=1, le=100_000, description="full files that are kept beside it"
    )
    prediction_log_omit: Annotated[tuple[str, ...], BeforeValidator(_names)] = Field(
        default=(), description="fields that it leaves out, by commas"
    )
    prediction_log_hash: Annotated[tuple[str, ...], BeforeValidator(_names)] = Field(
        default=(), description="fields that it holds as a hash, by commas"
    )
    prediction_log_secret: str | None = Field(
        default=None, repr=False, min_length=16, description="of those hashes"
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Gives the settings that `environ` asks for; an empty value counts as not set. Raises
        SettingsError with a line that names each bad variable."""
        given = {
            name: environ[name.upper()] for name in cls.model_fields if environ.get(name.upper())
        }
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            wrong = {str(line["loc"][0]): line["msg"] for line in error.errors(include_url=False)}
            lines = [
                f"{name.upper()}={printable(name, given[name])}: {what}"
                for name, what in wrong.items()
            ]
            raise SettingsError("; ".join(lines)) from None


class Settings(RegistrySettings, ServingSettings):
    """Everything that can be set: how to serve, then what to follow."""
