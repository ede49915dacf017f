"""Settings of the prediction log, which every use of a model shares that keeps one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from scoring.process.settings import EnvironmentSettings, comma_separated

Names = Annotated[tuple[str, ...], BeforeValidator(comma_separated)]


class LoggedFieldSettings(EnvironmentSettings):
    """Which fields of a record a prediction log holds, and how."""

    prediction_log_omit: Names = Field(
        default=(), description="Fields that the prediction log leaves out, separated by commas."
    )
    prediction_log_hash: Names = Field(
        default=(),
        description="Fields that the prediction log replaces by a keyed hash, separated by commas.",
    )
    prediction_log_secret: str | None = Field(
        default=None,
        repr=False,
        min_length=16,
        description="Key of those hashes, at least 16 characters.",
    )


class PredictionLogSettings(LoggedFieldSettings):
    """The log's file, what of a record it holds, and which ids beside it."""

    prediction_log: Annotated[Path, AfterValidator(Path.absolute)] | None = Field(
        default=None,
        description="File to which each prediction is written as a line of JSON; unset: "
        "none is kept.",
    )
    prediction_log_max_bytes: int = Field(
        default=100 * 1024 * 1024,
        ge=1024,
        description="Size in bytes at which the prediction log starts a new file.",
    )
    prediction_log_keep: int = Field(
        default=10,
        ge=1,
        le=100_000,
        description="Number of full files of the prediction log that are kept.",
    )
    prediction_log_id: Names = Field(
        default=(),
        description="Ids that callers put beside a record's fields and the prediction log keeps, "
        "separated by commas.",
    )
    prediction_log_refused: Literal["on", "off"] = Field(
        default="off",
        description="`on` writes a line for each request that is refused for its records, too: "
        "which fields were bad and why, without values.",
    )


_NAMES: Final = [name.upper() for name in PredictionLogSettings.model_fields]
# What is set in vain without a log, for `EnvironmentSettings.details_of`.
DETAILS: Final[Mapping[str, tuple[str, ...]]] = {
    "PREDICTION_LOG": tuple(name for name in _NAMES if name != "PREDICTION_LOG")
}
