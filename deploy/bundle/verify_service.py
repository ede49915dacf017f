"""The checks of what the service in a bundle is given: its models and its environment."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from deploy.bundle.archive import Bundle
from deploy.environment import Container, problems
from scoring.process.settings import printable
from serving.settings import Settings

STOP_S: Final = 10  # what the platform's `docker stop` grants
_APP: Final = "/app/"  # where the image has the bundle's files
_STAND_IN: Final = "known to the platform alone"


def models(bundle: Bundle) -> Iterator[str]:
    """What is deployed is what was trained, whole, and no instance trains its own."""
    if bundle.by_image:
        return
    for model in bundle.model_names:
        manifest = bundle.json(f"models/{model}/manifest.json")
        if not manifest:
            yield f"models/{model}/manifest.json is missing: every instance would train a model"
        for file, digest in _files(manifest):
            name = f"models/{model}/{file}"
            if name not in bundle.entries:
                yield f"{name} is missing, and its manifest names it"
            elif hashlib.sha256(bundle.bytes(name)).hexdigest() != digest:
                yield f"{name} is not the file of its manifest: the sha256 differs"


def environment(bundle: Bundle) -> Iterator[str]:
    """The service starts with its environment, at the port that the platform's nginx asks."""
    with tempfile.TemporaryDirectory() as folder:
        shipped = None
        if not bundle.by_image and not any(models(bundle)):
            shipped = Path(folder, "models")
            for name in bundle.below("models/"):
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(bundle.bytes(name))
        container = Container(
            port=bundle.port or Settings.model_fields["port"].default,
            stop_s=STOP_S,
            has_file=lambda path: _ships(bundle, path),
            has_tracing=bundle.by_image or ("ARG", "OTEL=") not in bundle.instructions,
        )
        yield from problems(given(bundle), container, shipped, bundle.model_names)


def given(bundle: Bundle) -> dict[str, str]:
    """Return the environment of the container, with a stand-in for each secret in it."""
    # any text is a good token; an address or a number that is kept as a secret is left out
    secret = [name for name in bundle.secret_names if "not shown" in printable(name.lower(), "")]
    found = bundle.environment | dict.fromkeys(secret, _STAND_IN)
    if "MLFLOW_TRACKING_URI" in bundle.secret_names:
        found["MLFLOW_TRACKING_URI"] = "https://mlflow.invalid"  # with its details, not in vain
    return found


def _ships(bundle: Bundle, path: str) -> bool:
    name = path.removeprefix(_APP).rstrip("/")
    return name in bundle.entries or bool(bundle.below(f"{name}/"))


def _files(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    parts = [manifest, manifest.get("compiled") or {}]
    return [(part["file"], part["sha256"]) for part in parts if "file" in part]
