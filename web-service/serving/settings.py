"""All settings, from the environment, in one frozen object."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_interface, ip_network
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    FilePath,
)

from scoring.errors import SettingsError
from scoring.limits import Limits
from scoring.observers import log_settings
from scoring.observers.log_settings import PredictionLogSettings
from scoring.process import cpus
from scoring.process.addresses import trouble_of
from scoring.process.settings import ModelSettings, comma_separated
from scoring.registry.settings import RegistrySettings
from serving.prefix import PREFIX


def _origin(value: str) -> str:
    match = _ORIGIN.fullmatch(value)
    if value != "*" and not (match and int(match[1] or 0) <= _LAST_PORT):
        raise ValueError(
            f"{value!r} is not an origin: write a scheme and a host without a path, such as "
            "https://shop.example, or * for every site"
        )
    return value


_ORIGIN: Final = re.compile(r"https?://[A-Za-z0-9.-]+(?::([0-9]{1,5}))?")
_LAST_PORT: Final = 65535


def _prefix(value: str) -> str:
    if not PREFIX.fullmatch(value):
        raise ValueError(
            "must be a path that begins with a slash and does not end with one, such as "
            "/predictions, of letters, digits and . _ ~ -"
        )
    return value


def _network(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        network = ip_network(value)
    except ValueError:
        try:
            inside = ip_interface(value)
        except ValueError:
            raise ValueError(f"{value!r} is not a network such as 10.0.0.0/8 or fd00::/8") from None
        whole, alone = inside.network, inside.ip
        raise ValueError(f"{value} is one address in {whole}: write {whole} or {alone}") from None
    mapped = network.network_address.ipv4_mapped if network.version == 6 else None
    return ip_network((mapped, network.prefixlen - 96)) if mapped else network


def _monitor(value: str) -> str:
    """Return the address of a monitor, or an absolute folder."""
    if value.startswith("/"):
        return value
    if trouble := trouble_of(value):
        raise ValueError(f"{trouble}; or it is an absolute folder")
    return value


_OF_THE_LOG = {"PREDICTION_LOG": (*log_settings.DETAILS["PREDICTION_LOG"], "FEEDBACK")}


class ServingSettings(PredictionLogSettings, ModelSettings):
    """Settings of the HTTP service."""

    details_of: ClassVar[Mapping[str, tuple[str, ...]]] = _OF_THE_LOG

    host: str = Field(default="0.0.0.0", description="Address to listen on.")  # noqa: S104  # a container's only useful one
    port: int = Field(default=9696, ge=1, le=_LAST_PORT, description="Port to listen on.")
    metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=_LAST_PORT,
        description="Port that serves GET /metrics and nothing else; unset: it is served on PORT.",
    )
    workers: int | None = Field(
        default=None,
        ge=1,
        le=256,
        description="Number of worker processes; unset: one for each CPU of the quota.",
    )
    web_concurrency: int | None = Field(
        default=None,
        ge=1,
        le=256,
        description="Number of worker processes, by the name that gunicorn and platforms "
        "use; WORKERS takes precedence.",
    )
    threads: int = Field(
        default=4,
        ge=1,
        le=256,
        description="Threads of each worker, for requests that the fast path does not answer.",
    )
    timeout: int = Field(
        default=30,
        ge=1,
        le=3600,
        description="Seconds that a request may take to arrive, and its answer to be ready;"
        " a worker that hangs longer is killed.",
    )
    graceful_timeout: int = Field(
        default=8,
        ge=1,
        le=3600,
        description="Seconds that accepted requests have to finish when the service stops.",
    )
    drain_seconds: int = Field(
        default=1,
        ge=0,
        le=3600,
        description="Seconds of GRACEFUL_TIMEOUT in which new connections are still "
        "accepted while readiness answers 503.",
    )
    keep_alive: int = Field(
        default=75,
        ge=0,
        le=3600,
        description="Seconds that an idle connection is kept open; 0: each is closed after "
        "its answer.",
    )
    max_connections: int = Field(
        default=4096,
        ge=1,
        le=1_000_000,
        description="Maximum open connections per worker; further ones are answered 503.",
    )
    max_in_flight: int = Field(
        default=64,
        ge=1,
        le=100_000,
        description="Maximum requests per worker that run in a thread or wait for one; "
        "further ones are answered 503.",
    )
    max_body_bytes: int = Field(
        default=Limits.max_body_bytes,
        ge=1,
        le=1024**3,
        description="Maximum bytes of a request's body; larger ones are answered 413.",
    )
    max_records: int = Field(
        default=Limits.max_records,
        ge=1,
        le=10_000_000,
        description="Maximum records in one request; more are answered 413.",
    )
    max_errors: int = Field(
        default=Limits.max_errors,
        ge=1,
        le=100_000,
        description="Maximum number of bad fields that one answer lists.",
    )
    api_keys_file: FilePath | None = Field(
        default=None,
        description="File with the hashes of the API keys; unset: no key is asked for.",
    )
    trusted_proxies: Annotated[
        tuple[Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)], ...],
        BeforeValidator(comma_separated),
    ] = Field(
        default=(),
        description="Networks of proxies, separated by commas, whose X-Forwarded-For and "
        "X-Forwarded-Prefix are believed.",
    )
    script_name: Annotated[str, AfterValidator(_prefix)] | None = Field(
        default=None,
        description="Path below which the service is mounted, such as `/predictions`.",
    )
    cors_origins: Annotated[
        tuple[Annotated[str, AfterValidator(_origin)], ...], BeforeValidator(comma_separated)
    ] = Field(
        default=(),
        description="Sites whose pages may call the service from a browser, separated by "
        "commas; `*` for all.",
    )
    pages: Literal["on", "off"] = Field(
        default="on", description="`on` serves the pages for people: /, /docs and the model cards."
    )
    access_log: Literal["on", "errors", "off"] = Field(
        default="on",
        description="`on` logs one line for each request, `errors` only those that were "
        "refused or failed.",
    )
    monitoring_url: Annotated[str, AfterValidator(_monitor)] | None = Field(
        default=None,
        description="Address of `python -m monitoring watch`, or the folder of its --reports; the "
        "pages show the last report's state; unset: they show none.",
    )
    feedback: Literal["on", "off"] = Field(
        default="off",
        description="`on` serves POST /feedback/<model>, which writes what came true to the "
        "prediction log.",
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Return the settings in `environ`; raises SettingsError as the base class does.

        Also for two that cannot both be had.
        """
        settings = super().from_env(environ)
        if settings.metrics_port == settings.port:
            raise SettingsError(
                f"METRICS_PORT={settings.metrics_port}: this is the port of the service itself; "
                "name another, or unset it to have GET /metrics there"
            )
        drain, whole = settings.drain_seconds, settings.graceful_timeout
        if drain > whole:
            raise SettingsError(
                f"DRAIN_SECONDS={drain} is a part of GRACEFUL_TIMEOUT={whole}, and cannot be more"
            )
        return settings

    @property
    def worker_processes(self) -> int:
        """The number of workers: WORKERS, else WEB_CONCURRENCY, else one for each CPU."""
        return self.workers or self.web_concurrency or cpus.available()

    @property
    def limits(self) -> Limits:
        """The upper bounds of a request, as one object."""
        return Limits(
            max_body_bytes=self.max_body_bytes,
            max_records=self.max_records,
            max_errors=self.max_errors,
        )


class Settings(RegistrySettings, ServingSettings):
    """Everything that can be set: how to serve, then what to follow."""

    details_of: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **_OF_THE_LOG,
        "MLFLOW_TRACKING_URI": (*RegistrySettings.of_a_registry, "MLFLOW_WEBHOOK_SECRET"),
    }
