"""The versions that decide what a part's bytes are; without a package that an executor lacks."""

from __future__ import annotations

import platform

import numpy as np
import pyarrow as pa

from scoring import __version__


def versions() -> dict[str, str]:
    """Return them by package, Python's among them."""
    return {
        "prediction-service": __version__,
        "python": platform.python_version(),
        "pyarrow": pa.__version__,
        "numpy": np.__version__,
    }
