"""Names everything in MLflow by one rule, and sets the environment of its client.

experiment            the registered model's name         ride-duration
registered model      Model.registered_name               ride-duration
logged model          the same                            ride-duration
run                   <estimator>-<UTC time>              LinearRegression-20211105-142530
metric                <split>_<metric>                    test_rmse
aliases               champion (serves), previous (served before it)
                      staging, production, archived: the tutorials' words, kept as well
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import Final

CHAMPION: Final = "champion"
PREVIOUS: Final = "previous"
STAGING: Final = "staging"  # the newest version
PRODUCTION: Final = "production"  # always where CHAMPION is
ARCHIVED: Final = "archived"  # the last one that was archived

DEFAULT_STORE: Final = "sqlite:///mlflow.db"


def run_name(estimator: str, now: datetime) -> str:
    """Return a run's name."""
    return f"{estimator}-{now:%Y%m%d-%H%M%S}"


def tracking_uri() -> str:
    """Return MLFLOW_TRACKING_URI, or the embedded store in the current folder.

    Also sets time-outs, so that an unreachable server is an error within seconds; MLflow's own
    defaults take minutes.
    """
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    return os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_STORE
