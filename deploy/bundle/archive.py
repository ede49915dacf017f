"""A bundle, opened: its files, and what its Dockerfile says."""

from __future__ import annotations

import json
import re
import shlex
import zipfile
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from deploy.bundle import options
from deploy.bundle.options import ENVIRONMENT, SECRETS


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile in capitals with their arguments, in order."""
    lines = [line for line in dockerfile.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    words = [line.split(None, 1) for line in joined.splitlines() if line.strip()]
    return [(w[0].upper(), w[1].strip() if len(w) > 1 else "") for w in words]


def _variables(argument: str) -> dict[str, str]:
    """Return what an ENV line sets, but for values made of others, which only the build knows."""
    words = shlex.split(argument)
    if words and "=" not in words[0]:  # the old form: ENV NAME some words
        words = [f"{words[0]}={' '.join(words[1:])}"]
    pairs = [word.partition("=") for word in words]
    return {name: value for name, _, value in pairs if "$" not in value}


class Bundle:
    """An opened bundle."""

    def __init__(self, path: Path) -> None:
        """Open the zip at `path`; raise zipfile.BadZipFile where it is not one."""
        self.path = path
        self._archive = zipfile.ZipFile(path)
        self.entries = {info.filename: info for info in self._archive.infolist()}

    def text(self, name: str) -> str:
        """Return a file as text."""
        return self._archive.read(name).decode("utf-8", "replace")

    def bytes(self, name: str) -> bytes:
        """Return a file as bytes."""
        return self._archive.read(name)

    def below(self, folder: str) -> list[str]:
        """Return the names of the files in a folder."""
        return [name for name in self.entries if name.startswith(folder) and name[-1] != "/"]

    def json(self, name: str) -> dict[str, Any]:
        """Return the JSON object in a file, an empty one for anything else."""
        try:
            found = json.loads(self.bytes(name)) if name in self.entries else {}
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @cached_property
    def instructions(self) -> list[tuple[str, str]]:
        """The Dockerfile's instructions, empty without a Dockerfile."""
        return instructions(self.text("Dockerfile")) if "Dockerfile" in self.entries else []

    @cached_property
    def environment(self) -> dict[str, str]:
        """The variables that the container starts with: the Dockerfile's, then the options'."""
        found: dict[str, str] = {}
        for name, argument in self.instructions:
            if name == "FROM":
                found = {}  # of another stage
            elif name == "ENV":
                found |= _variables(argument)
        for _, namespace, key, value in self.settings[0]:
            if namespace == ENVIRONMENT:
                found[key] = str(value)
        return found

    @property
    def secret_names(self) -> list[str]:
        """The variables whose values the platform fetches when a machine starts."""
        return [name for _, namespace, name, _ in self.settings[0] if namespace == SECRETS]

    @property
    def ports(self) -> list[str]:
        """The ports that the platform can read: the Dockerrun's, or the Dockerfile's EXPOSE."""
        if self.by_image:
            ports = self.json("Dockerrun.aws.json").get("Ports")
            return [str(p.get("ContainerPort")) for p in ports or () if isinstance(p, dict)]
        return [argument for name, argument in self.instructions if name == "EXPOSE"]

    @property
    def port(self) -> int | None:
        """The port that the platform's nginx asks, None unless there is exactly one."""
        return int(self.ports[0]) if len(self.ports) == 1 and self.ports[0].isdigit() else None

    @property
    def model_names(self) -> list[str]:
        """The models that the bundle's code knows."""
        names = [name.rpartition("/")[2] for name in self.below("web-service/scoring/models/")]
        return sorted(
            name.removesuffix(".py") for name in names if re.fullmatch(r"[a-z][a-z0-9_]*\.py", name)
        )

    @property
    def by_image(self) -> bool:
        """Return whether the bundle names an image in the place of the code."""
        return "Dockerrun.aws.json" in self.entries

    @cached_property
    def settings(self) -> tuple[list[tuple[str, str, str, Any]], list[str]]:
        """File, namespace, name and value of every option in .ebextensions; and a line for each
        file that is not YAML."""
        found, unreadable = [], []
        for file in sorted(self.below(".ebextensions/")):
            try:
                document = yaml.safe_load(self.text(file))
            except yaml.YAMLError as error:
                unreadable.append(f"{file} is not YAML: {str(error).splitlines()[0]}")
            else:
                found += [(file, *option) for option in options.settings(document)]
        return found, unreadable
