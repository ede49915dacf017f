"""What a run reads of an environment that it may share with the service."""

from __future__ import annotations

import pytest

from batch.settings import BatchSettings
from scoring.errors import SettingsError
from serving.settings import Settings


def test_the_services_environment_can_be_a_runs() -> None:
    """One file of variables serves both: what only the service reads is no misspelling."""
    both = {name.upper(): "" for name in Settings.model_fields}
    assert BatchSettings.from_env(both | {"PREDICTION_LOG": "/tmp/log"}) == BatchSettings()


def test_a_misspelling_is_one_here_too() -> None:
    """A field that must not be logged is not logged."""
    with pytest.raises(SettingsError, match="PREDICTION_LOG_OMITS is not a setting"):
        BatchSettings.from_env({"PREDICTION_LOG_OMITS": "gender"})
