"""Settings of a worker that come from environment variables; the registry's and the prediction
log's are those of the service."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from scoring.observers import log_settings
from scoring.observers.log_settings import PredictionLogSettings
from scoring.registry.settings import RegistrySettings


class StreamSettings(RegistrySettings, PredictionLogSettings):
    """What the environment says."""

    details_of: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **RegistrySettings.details_of,
        **log_settings.DETAILS,
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
