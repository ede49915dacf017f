"""The bill of materials of the image, in CycloneDX 1.6.

With an image: what is in it, which must be what the lock says. Without: what the lock says, where
the packages of S3, OTEL, BATCH and STREAM are optional.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from packageurl import PackageURL

from deploy.supplychain.image import Contents, ImageError, contents
from deploy.supplychain.lock import GROUPS, OPTIONAL, LockError, requirements
from scoring.process.atomic_files import write_file

PROJECT: Final = Path("web-service/pyproject.toml")


def document(image: str) -> tuple[str, str]:
    """Return a bill of materials, and one line that says what it describes.

    It describes `image`, or the lock where that image does not exist. Raises LockError, or
    ImageError where the image was not built from this lock.
    """
    held = contents(image)
    bom = locked()
    if held is None:
        text = f"{len(bom.components)} Python packages of the lock (no image {image} to ask)"
    else:
        keep_installed(bom, held)
        text = f"the image {image}: {len(held.locked)} locked Python packages, "
        for component in of_base(held):
            bom.components.add(component)
        text += f"Python {held.python}, {len(held.debian)} packages of {held.release}"
    bom.dependencies = []
    if bom.metadata.component:  # flat: who needs whom is not in the lock
        bom.register_dependency(bom.metadata.component, bom.components)
    return serialised(bom), text


def locked() -> Bom:
    """Return the packages that the lock puts into an image, with hashes."""
    words = [
        sys.executable, "-m", "cyclonedx_py", "requirements", "-", "--sv", "1.6",
        "--pyproject", str(PROJECT), "--short-PURLs",
    ]  # fmt: skip
    done = subprocess.run(
        words, input=requirements(*GROUPS), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise LockError(f"cyclonedx-py cannot read the requirements: {done.stderr.strip()[-500:]}")
    bom: Bom = Bom.from_json(json.loads(done.stdout))  # type: ignore[attr-defined]  # made by a decorator
    always = {_plain(name) for name, _ in _pins(requirements(*(set(GROUPS) - set(OPTIONAL))))}
    for component in bom.components:
        wanted = _plain(component.name) in always
        component.scope = ComponentScope.REQUIRED if wanted else ComponentScope.OPTIONAL
        component.description = None  # the requirement's line, which the rest of the entry says
    return bom


def keep_installed(bom: Bom, held: Contents) -> None:
    """Remove from `bom` the locked packages that the image does not hold.

    Raises ImageError where the image has another version, or a package that is not locked.
    """
    installed = {_plain(name): version for name, version in held.locked.items()}
    wrong, kept = [], []
    for component in bom.components:
        version = installed.pop(_plain(component.name), None)
        if version is None:
            continue
        if version != component.version:
            wrong.append(f"{component.name} {version}, locked is {component.version}")
        component.scope = ComponentScope.REQUIRED
        kept.append(component)
    bom.components = kept  # anew: the set finds its members by what was just changed
    wrong += [f"{name} {version}, which is not locked" for name, version in installed.items()]
    if wrong:
        raise ImageError(f"the image is not of this lock: {'; '.join(wrong)}; run make image")


def of_base(held: Contents) -> Iterator[Component]:
    """Return what the base image brings: Python, what came with it, and Debian's packages."""
    python = PackageURL("generic", None, "python", held.python)
    yield _component("python", held.python, python, ComponentType.PLATFORM)
    for name, version in held.base.items():
        yield _component(name, version, PackageURL("pypi", None, _plain(name), version))
    for name, version, architecture in held.debian:
        where = {"arch": architecture, "distro": held.release}
        vendor = held.release.partition("-")[0]
        yield _component(name, version, PackageURL("deb", vendor, name, version, where))


def serialised(bom: Bom) -> str:
    """Return the document as JSON, valid by CycloneDX's schema; raise LockError otherwise."""
    text = JsonV1Dot6(bom).output_as_string(indent=1)
    if problem := problem_of(text):
        raise LockError(f"the bill of materials is not valid: {problem}")
    return text


def problem_of(text: str) -> str | None:
    """Return why a document is not valid by CycloneDX's own schema, or None."""
    # three seconds to import, which none but a finished document needs
    from cyclonedx.validation.json import JsonStrictValidator

    found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    return None if found is None else str(found)[:500]


def write(text: str, path: Path) -> None:
    """Write the document to `path`, whole or not at all; its folder is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, text.encode())


def _component(
    name: str, version: str, purl: PackageURL, kind: ComponentType = ComponentType.LIBRARY
) -> Component:
    found = ComponentScope.REQUIRED
    return Component(
        name=name, version=version, purl=purl, bom_ref=str(purl), type=kind, scope=found
    )


def _pins(text: str) -> Iterator[tuple[str, str]]:
    for match in re.finditer(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;]+)", text, re.MULTILINE):
        yield match[1], match[2]


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
