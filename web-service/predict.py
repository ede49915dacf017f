"""gunicorn's target is `predict:asgi_app`; `python web-service/predict.py` is for development."""

from __future__ import annotations

from scoring.errors import StartError
from scoring.process.logs import refuse_start
from serving.app import create_app
from serving.server.asgi import AsgiApp

try:
    app = create_app()
    asgi_app = AsgiApp(app)
except StartError as error:
    refuse_start(error)

if __name__ == "__main__":
    # Flask's own server, without its debugger: that one runs code for whoever reaches the port
    if app.services.reloader:
        app.services.reloader.watch()
    app.run(host="127.0.0.1", port=app.services.settings.port, debug=False)
