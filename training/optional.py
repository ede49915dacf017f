"""Packages that `make run` does without: what asks for one says how to have it.

Training on files needs pandas, pyarrow and scikit-learn; MLflow, matplotlib, XGBoost and ONNX are a
gigabyte more, and are imported where they are used.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from training.errors import TrainingError

PACKAGES: Final = ("matplotlib", "mlflow", "onnx", "optuna", "xgboost")


@contextlib.contextmanager
def needed_by(what: str) -> Iterator[None]:
    """Raise TrainingError where an import in this block fails because one of PACKAGES is not
    installed: the line names `what`, such as an option, and the command that installs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in PACKAGES:
            raise
        raise TrainingError(
            f"{what} needs {package}, which is not installed: make setup installs it"
        ) from error
