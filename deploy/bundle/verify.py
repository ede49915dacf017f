"""Every reason why the platform would refuse a bundle, or serve it wrongly, found without AWS.

A check takes the bundle and yields a line for each thing that is wrong; `CHECKS` says how to mend
it. A new check is a function with a line there, and a case in tests/deploy/test_verify.py.
"""

from __future__ import annotations

import json
import re
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.plugins.ip_public import IPPublicDetector

from deploy.bundle.archive import Bundle
from deploy.bundle.verify_service import environment, models
from deploy.bundle.verify_settings import body_size, health_path, known_options

MAX_BYTES: Final = 500 * 1024 * 1024

_STAGES: Final = ("prebuild", "predeploy", "postdeploy")
_COMPOSE: Final = re.compile(r"(docker-)?compose(\.[a-z]+)*\.ya?ml")
_SECRET_FILES: Final = re.compile(
    r"(^|/)(\.env(\..*)?|\.netrc|\.pypirc|\.pgpass|\.git-credentials|credentials|id_(rsa|dsa|ecdsa|ed25519)"
    r"|[^/]*\.(pem|key|p12|pfx|jks))$|(^|/)\.(aws|ssh|git)/"
)


class Problem(NamedTuple):
    """What a check found, and how to mend it."""

    check: str
    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.check}: {self.what}\n    {self.mend}"


def problems(path: Path) -> list[Problem]:
    """Return everything that is wrong with the bundle at `path`."""
    try:
        bundle = Bundle(path)
    except (OSError, zipfile.BadZipFile) as error:
        return [Problem("layout", f"{path} is not a zip: {error}", "make eb-bundle")]
    return [
        Problem(check.__name__.replace("_", " "), what, mend)
        for check, mend in CHECKS.items()
        for what in check(bundle)
    ]


def layout(bundle: Bundle) -> Iterator[str]:
    """There is one way to run it, at the top of the zip, and every part that the platform reads."""
    for name in ("Dockerfile", "Dockerrun.aws.json"):
        if any(entry.count("/") and entry.endswith(f"/{name}") for entry in bundle.entries):
            yield f"{name} is in a folder; the platform looks for it at the top"
    both = [name for name in ("Dockerfile", "Dockerrun.aws.json") if name in bundle.entries]
    if len(both) != 1:
        held = " and ".join(both) or "neither"
        yield f"it holds {held}; one of Dockerfile and Dockerrun.aws.json is needed"
    needed = ["Pipfile.lock", "web-service/gunicorn.conf.py", "web-service/predict.py"]
    for name in needed if "Dockerfile" in both else ():
        if name not in bundle.entries:
            yield f"{name} is missing"
    for folder in (".ebextensions/", ".platform/nginx/conf.d/", ".platform/hooks/"):
        if not bundle.below(folder):
            yield f"{folder} is empty or missing"


def names(bundle: Bundle) -> Iterator[str]:
    """Every file is unpacked where it is read."""
    for name in bundle.entries:
        if name.startswith("/") or ".." in name.split("/") or "\\" in name:
            yield f"{name} would be unpacked elsewhere"
        elif name.startswith(".ebextensions/") and not name.endswith((".config", "/")):
            yield f"{name}: of .ebextensions only *.config is read"


def size(bundle: Bundle) -> Iterator[str]:
    """The platform takes 500 MB."""
    found = bundle.path.stat().st_size
    if found >= MAX_BYTES:
        yield f"{found} bytes, and the platform takes less than {MAX_BYTES}"


def compose_file(bundle: Bundle) -> Iterator[str]:
    """A compose file at the top takes over, and removes nginx."""
    for name in bundle.entries:
        if _COMPOSE.fullmatch(name.rpartition("/")[2]):
            yield f"{name}: the platform would use it instead of the Dockerfile, and start no nginx"


@cache
def _detectors() -> list[RegexBasedDetector]:
    """Return detect-secrets' patterns of whole secrets; an address of a machine is not one."""
    classes: Iterable[type[Any]] = get_mapping_from_secret_type_to_class().values()
    patterns = [found for found in classes if issubclass(found, RegexBasedDetector)]
    return [found() for found in patterns if found is not IPPublicDetector]


def secrets(bundle: Bundle) -> Iterator[str]:
    """Bundles are kept in S3 for years, for everyone who may deploy."""
    for name in bundle.entries:
        if _SECRET_FILES.search(name):
            yield f"{name}: a file of this name holds secrets"
            continue
        content = bundle.text(name)
        for detector in _detectors():
            if any(detector.analyze_string(content)):
                yield f"{name} holds a secret: {detector.secret_type}"


def port(bundle: Bundle) -> Iterator[str]:
    """The platform's nginx asks the one port that it can read off the file."""
    where = "Ports in Dockerrun.aws.json" if bundle.by_image else "EXPOSE in the Dockerfile"
    if len(bundle.ports) != 1:
        yield f"{where}: {len(bundle.ports)} instead of one; without one a deployment is aborted"
    for found in bundle.ports:
        if not found.isdigit():
            yield f"{where}: {found}; the platform reads one number, without variables"


def exec_form(bundle: Bundle) -> Iterator[str]:
    """In the shell form a shell is the first process, and no stop reaches gunicorn."""
    commands = [(n, a) for n, a in bundle.instructions if n in ("CMD", "ENTRYPOINT")]
    if not bundle.by_image and not commands:
        yield "the Dockerfile starts nothing: it has no CMD"
    for name, argument in commands:
        try:
            words = json.loads(argument)
        except ValueError:
            words = None
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            yield f"{name} {argument[:60]} is in the shell form"


def image_name(bundle: Bundle) -> Iterator[str]:
    """What is deployed, and rolled back to, is one image and no other."""
    if not bundle.by_image:
        return
    dockerrun = bundle.json("Dockerrun.aws.json")
    if str(dockerrun.get("AWSEBDockerrunVersion")) != "1":
        yield "Dockerrun.aws.json is not of version 1, the one of the single-container platform"
    image = dockerrun.get("Image")
    name = str(image.get("Name", "")) if isinstance(image, dict) else ""
    tag = name.rpartition("/")[2].partition(":")[2]
    if not name:
        yield "Dockerrun.aws.json names no image"
    elif "@sha256:" not in name and tag in ("", "latest"):
        yield f"{name} means another image tomorrow"


def hooks(bundle: Bundle) -> Iterator[str]:
    """The platform runs executable files of a few folders, and Linux reads the first line."""
    for folder in (".platform/hooks/", ".platform/confighooks/"):
        for name in bundle.below(folder):
            stage = name.removeprefix(folder).partition("/")[0]
            if stage not in _STAGES:
                yield f"{name}: hooks are in {', '.join(_STAGES)}"
            if not bundle.entries[name].external_attr >> 16 & stat.S_IXUSR:
                yield f"{name} is not executable"
            content = bundle.bytes(name)
            if b"\r" in content:
                yield f"{name} has Windows' line ends"
            if not content.startswith(b"#!"):
                yield f"{name} does not begin with #!"


CHECKS: Final[dict[Callable[[Bundle], Iterator[str]], str]] = {
    layout: "make eb-bundle, which puts everything at the top of the zip; see .ebignore",
    names: "make eb-bundle; what is in deploy/elastic-beanstalk/.ebextensions is called *.config",
    size: "leave files out by .ebignore, or ship an image: make eb-bundle EB_IMAGE=...",
    compose_file: "leave it out by .ebignore; ours is deploy/compose.yaml, which is not in it",
    secrets: "leave it out by .ebignore, change the secret, and keep it in Secrets Manager",
    port: "write the port as a number, once",
    exec_form: 'write it as a JSON array: CMD ["gunicorn", "-c", "..."]',
    image_name: "name the image by a tag of its own or its digest: repository@sha256:...",
    hooks: "chmod +x, line ends of Unix, #!/bin/bash in the first line; make eb-bundle again",
    known_options: "see AWS's list of options; what is new there is entered in options.yaml",
    health_path: "set it in deploy/elastic-beanstalk/.ebextensions/01-service.config",
    body_size: "set it in .platform/nginx/conf.d, in 10_limits.conf and in 10_problems.conf",
    models: "make train, then make eb-bundle",
    environment: "change EB_SETTINGS, or the ENV and EXPOSE lines of the Dockerfile",
}  # fmt: skip
