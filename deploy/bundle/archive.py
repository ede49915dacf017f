"""A bundle, opened: its files, and what its Dockerfile says."""

from __future__ import annotations

import json
import zipfile
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from deploy.bundle import options


class Bundle:
    """An opened bundle."""

    def __init__(self, path: Path) -> None:
        """Raises zipfile.BadZipFile for what is no zip."""
        self.path = path
        self._archive = zipfile.ZipFile(path)
        self.entries = {info.filename: info for info in self._archive.infolist()}

    def text(self, name: str) -> str:
        return self._archive.read(name).decode("utf-8", "replace")

    def bytes(self, name: str) -> bytes:
        return self._archive.read(name)

    def below(self, folder: str) -> list[str]:
        return [name for name in self.entries if name.startswith(folder) and name[-1] != "/"]

    def json(self, name: str) -> dict[str, Any]:
        """Gives a JSON object, an empty one for anything else."""
        try:
            found = json.loads(self.bytes(name)) if name in self.entries else {}
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @cached_property
    def instructions(self) -> list[tuple[str, str]]:
        """The Dockerfile's instructions in capitals with their arguments, in order."""
        if "Dockerfile" not in self.entries:
            return []
        lines = [x for x in self.text("Dockerfile").splitlines() if not x.lstrip().startswith("#")]
        joined = "\n".join(lines).replace("\\\n", " ")
        words = [line.split(None, 1) for line in joined.splitlines() if line.strip()]
        return [(w[0].upper(), w[1].strip() if len(w) > 1 else "") for w in words]

    @property
    def by_image(self) -> bool:
        return "Dockerrun.aws.json" in self.entries

    @cached_property
    def settings(self) -> tuple[list[tuple[str, str, str, Any]], list[str]]:
        """File, namespace, name and value of every option in .ebextensions; and a line for each
        file that is no YAML."""
        found, unreadable = [], []
        for file in sorted(self.below(".ebextensions/")):
            try:
                document = yaml.safe_load(self.text(file))
            except yaml.YAMLError as error:
                unreadable.append(f"{file} is no YAML: {str(error).splitlines()[0]}")
            else:
                found += [(file, *option) for option in options.settings(document)]
        return found, unreadable
