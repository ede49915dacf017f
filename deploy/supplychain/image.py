"""What an image holds, by asking it: its own Python lists Python's packages, dpkg Debian's."""

from __future__ import annotations

import json
import subprocess
from typing import Final

from pydantic import BaseModel, ValidationError

_START_S: Final = 60

# runs inside, where only the standard library is sure to be there
_LIST: Final = """
import glob, importlib.metadata, json, platform, subprocess

def found(pattern):
    folders = glob.glob(pattern)
    return {d.name: d.version for d in importlib.metadata.distributions(path=folders)}

ask = ["dpkg-query", "-W", "-f", "${Package}\\t${Version}\\t${Architecture}\\n"]
debian = [line.split("\\t") for line in subprocess.check_output(ask, text=True).splitlines()]
system = platform.freedesktop_os_release()
print(json.dumps({
    "python": platform.python_version(),
    "locked": found("/opt/venv/lib/python3*/site-packages"),
    "base": found("/usr/local/lib/python3*/site-packages"),
    "debian": debian,
    "release": f"{system['ID']}-{system.get('VERSION_ID', '')}",
}))
"""


class ImageError(Exception):
    """An image cannot be asked, or is not ours; the message says what to do."""


class Contents(BaseModel):
    """What an image holds."""

    python: str
    locked: dict[str, str]  # name -> version: what the lock had pip install
    base: dict[str, str]  # what came with the base image's Python
    debian: list[tuple[str, str, str]]  # package, version, architecture
    release: str  # debian-12


def contents(image: str) -> Contents | None:
    """Return what `image` holds, or None without Docker or without such an image.

    Raises ImageError where the image exists and cannot be asked.
    """
    try:
        known = _docker("image", "inspect", "--format", "{{.Id}}", image)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if known.returncode:
        return None
    try:
        # by its id: the name may mean another image by now
        told = _docker(
            "run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL",
            "--entrypoint", "python", known.stdout.strip(), "-c", _LIST,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ImageError(f"the image {image} did not start within {_START_S} s") from None
    try:
        return Contents.model_validate(json.loads(told.stdout))
    except (ValueError, ValidationError) as error:
        last = (told.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ImageError(f"the image {image} does not say what it holds: {last}") from error


def _docker(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", *words], capture_output=True, text=True, check=False, timeout=_START_S
    )
