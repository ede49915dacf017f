"""gunicorn's target, `predict:front`; `python web-service/predict.py` runs a development server."""

from __future__ import annotations

import os
import sys

from scoring.app import create_app
from scoring.errors import StartError
from scoring.server.front import Front
from scoring.settings import Settings

try:
    settings = Settings.from_env(os.environ)
    app = create_app(settings)
    front = Front(app, settings)
except StartError as error:
    sys.exit(f"prediction-service cannot start: {error}")

if __name__ == "__main__":
    # Flask's own server, without its debugger: that one runs code for whoever reaches the port
    if app.extensions["following"]:
        app.extensions["following"].watch()
    app.run(host="127.0.0.1", port=settings.port, debug=False)
