"""Every reason why the platform would refuse a bundle, or serve it wrongly, found without AWS.

A check takes the bundle and gives a line for each thing that is wrong; `CHECKS` says how to mend
it. A new check is a function with a line there, and a case in tests/deploy/test_verify.py.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from deploy.bundle.archive import Bundle
from deploy.bundle.verify_settings import body_size, health_path, known_options
from scoring.settings import Settings

MAX_BYTES: Final = 500 * 1024 * 1024
PORT: Final = Settings.model_fields["port"].default

_STAGES: Final = ("prebuild", "predeploy", "postdeploy")
_COMPOSE: Final = re.compile(r"(docker-)?compose(\.[a-z]+)*\.ya?ml")
_SECRET_FILES: Final = re.compile(
    r"(^|/)(\.env(\..*)?|\.netrc|\.pypirc|\.pgpass|\.git-credentials|credentials|id_(rsa|dsa|ecdsa|ed25519)"
    r"|[^/]*\.(pem|key|p12|pfx|jks))$|(^|/)\.(aws|ssh|git)/"
)
_SECRETS: Final = {
    "a private key": re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "an AWS access key": re.compile(rb"\b(AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a GitHub token": re.compile(rb"\bgh[pousr]_[A-Za-z0-9]{36}"),
    "an address with a password": re.compile(
        rb"\b(https?|postgres(ql)?|s3)://[^/@\s:'\"{}<$]+:[^/@\s'\"{}<$]+@"
    ),
}


class Problem(NamedTuple):
    """What a check found, and how to mend it."""

    check: str
    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.check}: {self.what}\n    {self.mend}"


def problems(path: Path) -> list[Problem]:
    """Gives everything that is wrong with the bundle at `path`."""
    try:
        bundle = Bundle(path)
    except (OSError, zipfile.BadZipFile) as error:
        return [Problem("layout", f"{path} is no zip: {error}", "make eb-bundle")]
    return [
        Problem(check.__name__.replace("_", " "), what, mend)
        for check, mend in CHECKS.items()
        for what in check(bundle)
    ]


def layout(bundle: Bundle) -> Iterator[str]:
    """One way to run, at the top and not in a folder; every part that the platform reads."""
    for name in ("Dockerfile", "Dockerrun.aws.json"):
        if any(entry.count("/") and entry.endswith(f"/{name}") for entry in bundle.entries):
            yield f"{name} is in a folder; the platform looks for it at the top"
    both = [name for name in ("Dockerfile", "Dockerrun.aws.json") if name in bundle.entries]
    if len(both) != 1:
        yield f"expected a Dockerfile or a Dockerrun.aws.json, found {' and '.join(both) or 'none'}"
    needed = ["Pipfile.lock", "web-service/gunicorn.conf.py", "web-service/predict.py"]
    for name in needed if "Dockerfile" in both else ():
        if name not in bundle.entries:
            yield f"{name} is not there"
    for folder in (".ebextensions/", ".platform/nginx/conf.d/", ".platform/hooks/"):
        if not bundle.below(folder):
            yield f"{folder} is empty or not there"


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
            yield f"{name}: it would take the Dockerfile's place, and nginx away"


def secrets(bundle: Bundle) -> Iterator[str]:
    """Bundles are kept in S3 for years, for everyone who may deploy."""
    for name in bundle.entries:
        if _SECRET_FILES.search(name):
            yield f"{name}: a file of this name holds secrets"
            continue
        content = bundle.bytes(name)
        for what, pattern in _SECRETS.items():
            if pattern.search(content):
                yield f"{name} holds {what}"


def port(bundle: Bundle) -> Iterator[str]:
    """The platform's nginx asks the one port that it can read off the file."""
    if bundle.by_image:
        ports = bundle.json("Dockerrun.aws.json").get("Ports")
        found = [p.get("ContainerPort") for p in ports or () if isinstance(p, dict)]
        if [str(number) for number in found] != [str(PORT)]:
            yield f"Dockerrun.aws.json has the ports {found}, gunicorn listens on {PORT}"
        return
    exposed = [argument for name, argument in bundle.instructions if name == "EXPOSE"]
    if len(exposed) != 1:
        yield f"the Dockerfile has {len(exposed)} EXPOSE lines: without one a deployment aborts"
    for argument in exposed:
        if not argument.isdigit():
            yield f"EXPOSE {argument}: the platform reads one number, without variables"
        elif int(argument) != PORT:
            yield f"EXPOSE {argument}, and gunicorn listens on {PORT}"


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


def models(bundle: Bundle) -> Iterator[str]:
    """What is deployed is what was trained, whole, and no instance trains its own."""
    if bundle.by_image:
        return
    known = [
        name.rpartition("/")[2].removesuffix(".py")
        for name in bundle.below("web-service/scoring/models/")
        if re.fullmatch(r"[a-z][a-z0-9_]*\.py", name.rpartition("/")[2])
    ]
    for model in known:
        manifest = bundle.json(f"models/{model}/manifest.json")
        if not manifest:
            yield f"models/{model}/manifest.json is not there: every instance would train a model"
            continue
        parts = [manifest, manifest.get("compiled") or {}]
        for file, digest in [(p["file"], p["sha256"]) for p in parts if "file" in p]:
            name = f"models/{model}/{file}"
            if name not in bundle.entries:
                yield f"{name} is not there, and its manifest names it"
            elif hashlib.sha256(bundle.bytes(name)).hexdigest() != digest:
                yield f"{name} is not the file of its manifest: the sha256 differs"


CHECKS: Final[dict[Callable[[Bundle], Iterator[str]], str]] = {
    layout: "make eb-bundle, which puts everything at the top of the zip; see .ebignore",
    names: "make eb-bundle; what is in deploy/elastic-beanstalk/.ebextensions is called *.config",
    size: "leave files out by .ebignore, or ship an image: make eb-bundle EB_IMAGE=...",
    compose_file: "leave it out by .ebignore; ours is deploy/compose.yaml, which is not in it",
    secrets: "leave it out by .ebignore, change the secret, and keep it in Secrets Manager",
    port: "write the port as a number, once, the same as PORT's default in scoring/settings.py",
    exec_form: 'write it as a JSON array: CMD ["gunicorn", "-c", "..."]',
    image_name: "name the image by a tag of its own or its digest: repository@sha256:...",
    hooks: "chmod +x, line ends of Unix, #!/bin/bash in the first line; make eb-bundle again",
    known_options: "see AWS's list of options; what is new there is entered in options.yaml",
    health_path: "set it in deploy/elastic-beanstalk/.ebextensions/01-service.config",
    body_size: "set it in .platform/nginx/conf.d, in 10_limits.conf and in 10_problems.conf",
    models: "make train, then make eb-bundle",
}  # fmt: skip
