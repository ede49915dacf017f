"""The versions that decide what a part's bytes are; without a package that an executor lacks."""

from __future__ import annotations

import platform
from importlib.metadata import version

from scoring import __version__


def versions() -> dict[str, str]:
    """Return them by package, Python's among them."""
    return {
        "prediction-service": __version__,
        "python": platform.python_version(),
        "pyarrow": version("pyarrow"),
        "numpy": version("numpy"),
    }
