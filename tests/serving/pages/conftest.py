"""The app with all that a page can show."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from scoring.models import discover
from serving.app import create_app
from serving.settings import Settings
from tests.furnished import furnish


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    folder = tmp_path_factory.mktemp("furnished")
    for model in discover().values():
        furnish(model, folder)
    return create_app(Settings(models_dir=folder))


@pytest.fixture
def client(furnished: Flask) -> FlaskClient:
    return furnished.test_client()
