"""Ask a registry in vain."""

from __future__ import annotations

from typing import Any

import pytest

from scoring.registry.client import Client
from scoring.registry.errors import RegistryUnavailable
from scoring.registry.settings import RegistrySettings


def problem(uri: str, **settings: Any) -> str:
    """Return the message where a version is looked for in vain."""
    with pytest.raises(RegistryUnavailable) as unavailable:
        Client(RegistrySettings(mlflow_tracking_uri=uri, **settings)).find("ride", "champion")
    return str(unavailable.value)
