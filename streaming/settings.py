"""Settings of a worker that come from environment variables; the registry's and the prediction
log's are those of the service."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field

from scoring.observers import log_setup
from scoring.process.settings import comma_separated
from scoring.registry.settings import RegistrySettings


class StreamSettings(RegistrySettings):
    """What the environment says."""

    details_of: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **RegistrySettings.details_of,
        **log_setup.DETAILS,
    }

    host: str = Field(default="0.0.0.0", description="address of /health and /metrics")  # noqa: S104  # a container's only useful address
    port: int = Field(default=9696, ge=0, le=65535, description="port of /health and /metrics")
    graceful_timeout: float = Field(
        default=10, ge=0, description="seconds that a stop may take to make a batch final"
    )
    stream_state: Path = Field(
        default=Path(f"/tmp/prediction-service-stream-{os.geteuid()}"),  # noqa: S108  # this user's alone
        description="folder of what was at hand when a worker died",
    )
    stream_name: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9_.-]{1,100}$",
        description="name of the worker within its group; the host's by default",
    )  # fmt: skip
    redis_username: str | None = Field(default=None, description="of Redis")
    redis_password: str | None = Field(default=None, repr=False, description="of Redis")
    prediction_log: Annotated[Path, AfterValidator(Path.absolute)] | None = Field(
        default=None, description="file to which each prediction is written; unset: none is kept"
    )
    prediction_log_max_bytes: int = Field(
        default=100 * 1024 * 1024, ge=1024, description="size at which the log begins a new file"
    )
    prediction_log_keep: int = Field(
        default=10, ge=1, le=100_000, description="number of full files of the log that are kept"
    )
    prediction_log_omit: Annotated[tuple[str, ...], BeforeValidator(comma_separated)] = Field(
        default=(), description="fields that the log leaves out, by commas"
    )
    prediction_log_hash: Annotated[tuple[str, ...], BeforeValidator(comma_separated)] = Field(
        default=(), description="fields that the log holds as a hash, by commas"
    )
    prediction_log_secret: str | None = Field(
        default=None, repr=False, min_length=16, description="of those hashes"
    )
    prediction_log_id: Annotated[tuple[str, ...], BeforeValidator(comma_separated)] = Field(
        default=(), description="ids beside an event's fields that the log keeps, by commas"
    )
