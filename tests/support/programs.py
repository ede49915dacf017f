"""Programs that a machine may or may not have."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

# Debian puts daemons where a user's PATH does not look
_FOLDERS = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


def skip_or_fail(reason: str) -> NoReturn:
    """Skip the test with `reason` on somebody's own machine; continuous integration installs
    everything that tests need, so fail it there."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def installed(*names: str, package: str = "") -> str:
    """Return the path of the first of these programs that is installed; without any, skip the test
    (or fail it, see `skip_or_fail`). `package` is Debian's, if it is not called after the first."""
    for name in names:
        if found := shutil.which(name, path=_FOLDERS):
            return found
    skip_or_fail(f"{names[0]} is not installed: apt-get install {package or names[0]}")
