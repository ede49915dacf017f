"""The app on both paths, without a socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from serving.app import App, create_app
from serving.server.asgi import AsgiApp
from serving.settings import Settings
from tests.serving.server.apps import Both


@pytest.fixture(scope="module")
def both(app: App) -> Iterator[Both]:
    """Yield a service with both models, without an access log."""
    made = Both(AsgiApp(create_app(Settings(access_log="off"), app.services.predictors)))
    yield made
    made.asgi._executor.close()
