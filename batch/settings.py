"""Settings of a run that come from environment variables: the registry's, and of the prediction log
which fields it leaves out or hashes, as the service has them."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from scoring.process.settings import comma_separated
from scoring.registry.settings import RegistrySettings


class BatchSettings(RegistrySettings):
    """What the environment says."""

    of_others: ClassVar[tuple[str, ...]] = (
        "PREDICTION_LOG", "PREDICTION_LOG_MAX_BYTES", "PREDICTION_LOG_KEEP", "PREDICTION_LOG_ID",
    )  # fmt: skip

    prediction_log_omit: Annotated[tuple[str, ...], BeforeValidator(comma_separated)] = Field(
        default=(), description="fields that the log leaves out, by commas"
    )
    prediction_log_hash: Annotated[tuple[str, ...], BeforeValidator(comma_separated)] = Field(
        default=(), description="fields that the log holds as a hash, by commas"
    )
    prediction_log_secret: str | None = Field(
        default=None, repr=False, min_length=16, description="of those hashes"
    )
