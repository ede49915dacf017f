"""What gunicorn and the app log beside requests: as every process of ours does,
`scoring.process.logs`."""

from __future__ import annotations

from typing import Any

from scoring.process import logs
from serving.server.gunicorn_api import Logger as GunicornLogger
from serving.settings import Settings


def logger_class(settings: Settings) -> type[GunicornLogger]:
    """Return a logger for gunicorn that logs as `settings` say.

    It leaves requests to us: gunicorn does not know their route and model.
    """

    class Logger(GunicornLogger):
        @property
        def access_log_enabled(self) -> bool:
            return False

        def setup(self, cfg: Any) -> None:
            super().setup(cfg)
            logs.configure(settings)
            self.error_log.handlers = []
            self.error_log.propagate = True
            self.error_log.setLevel(settings.log_level.upper())

    return Logger
