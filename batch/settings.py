"""Settings of a run that come from environment variables: the registry's, and of the prediction log
which fields it leaves out or hashes, as the service has them."""

from __future__ import annotations

from typing import ClassVar

from scoring.observers.log_settings import LoggedFieldSettings
from scoring.registry.settings import RegistrySettings


class BatchSettings(RegistrySettings, LoggedFieldSettings):
    """What the environment says."""

    of_others: ClassVar[tuple[str, ...]] = (
        "PREDICTION_LOG", "PREDICTION_LOG_MAX_BYTES", "PREDICTION_LOG_KEEP", "PREDICTION_LOG_ID",
        "PREDICTION_LOG_REFUSED",
    )  # fmt: skip
