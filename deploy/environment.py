"""The environment of a container, checked by the code that will read it there.

    problems(environ, container, models_dir)   a line for each reason why the service would not
                                               start, or would not be reached

What is checked: the settings (`Settings.from_env`), a start over the models that are shipped
(`create_app`, without the registry), and what only the container decides: its port, its files, the
time that a stop may take.
"""

from __future__ import annotations

import contextlib
import io
import ipaddress
import shlex
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, get_args

from gunicorn.config import Config
from pydantic.types import PathType
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from scoring.errors import StartError
from scoring.models import discover, select
from serving.app import create_app
from serving.settings import Settings

MODELS_DIR: Final = "/app/models"  # of the image
_CERTIFICATES: Final = "/etc/ssl/certs/"  # of the base image


@dataclass(frozen=True)
class Container:
    """What the service meets in its container."""

    port: int  # where callers, or the proxy, reach it
    stop_s: float  # from the request to stop until it is killed
    writable: tuple[str, ...] = ("/tmp", "/dev/shm")  # noqa: S108  # folders in the container
    mounted: tuple[str, ...] = ()  # folders whose content is not known here
    has_file: Callable[[str], bool] = lambda path: path.startswith(_CERTIFICATES)


def problems(
    environ: Mapping[str, str],
    container: Container,
    models_dir: Path | None = None,
    names: Collection[str] | None = None,
) -> list[str]:
    """Return a line for each thing in `environ` that the service in `container` cannot do.

    `models_dir` is a folder with the models that are shipped; None: they are not at hand, and only
    the settings are checked. `names` are the models that the shipped code has; None: those that
    ours has.
    """
    missing = list(_missing_files(environ, container))
    try:
        settings = Settings.from_env(_with_stand_ins(environ))
        found = [*missing, *_unreachable(environ, settings, container)]
        if models_dir is not None and not found:
            _start(settings, models_dir, names)
    except StartError as error:
        return [*missing, str(error)]
    return found


def _file_settings() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        if any(isinstance(part, PathType) for part in _parts(field.annotation, *field.metadata)):
            yield name.upper()


def _parts(*annotations: Any) -> Iterator[Any]:
    for annotation in annotations:
        yield annotation
        yield from _parts(*get_args(annotation))


def _with_stand_ins(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with a file that exists here for each that exists there.

    It holds certificates in PEM, which some settings ask of their file.
    """
    names = {name for name in _file_settings() if environ.get(name)}
    return {**environ, **dict.fromkeys(names, DEFAULT_CA_BUNDLE_PATH)}


def _missing_files(environ: Mapping[str, str], container: Container) -> Iterator[str]:
    for name in _file_settings():
        path = environ.get(name, "")
        if path and not (_below(path, container.mounted) or container.has_file(path)):
            yield f"{name}={path}: the container has no such file"


def _unreachable(
    environ: Mapping[str, str], settings: Settings, container: Container
) -> Iterator[str]:
    if settings.port != container.port:
        yield f"PORT={settings.port}: requests come in at port {container.port}"
    if not _every_address(settings.host):
        yield f"HOST={settings.host}: not reachable from outside the container; 0.0.0.0 is"
    yield from _arguments(environ.get("GUNICORN_CMD_ARGS", ""))
    if settings.graceful_timeout >= container.stop_s:
        yield (
            f"GRACEFUL_TIMEOUT={settings.graceful_timeout}: the container is killed "
            f"{container.stop_s:g} s after it is asked to stop"
        )
    given = PurePosixPath(environ.get("MODELS_DIR") or MODELS_DIR)
    if given != PurePosixPath(MODELS_DIR) and not _below(str(given), container.mounted):
        yield f"MODELS_DIR={given}: the container's models are in {MODELS_DIR}"
    for name in ("PREDICTION_LOG", "REGISTRY_CACHE"):
        path = environ.get(name)
        if path and not _below(path, (*container.writable, *container.mounted)):
            writable = " and ".join(container.writable)
            yield f"{name}={path}: the service may write only below {writable}"


def _below(path: str, folders: tuple[str, ...]) -> bool:
    return any(PurePosixPath(path).is_relative_to(folder) for folder in folders)


def _every_address(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _arguments(words: str) -> Iterator[str]:
    """What gunicorn reads past our settings."""
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            given = Config().parser().parse_args(shlex.split(words))
    except (SystemExit, ValueError) as error:
        last = complaint.getvalue().strip().rpartition("\n")[2] or error
        yield f"GUNICORN_CMD_ARGS={words!r} is refused by gunicorn: {last}"
        return
    if given.bind:
        yield f"GUNICORN_CMD_ARGS={words!r} goes past HOST and PORT: leave --bind out"


def _start(settings: Settings, models_dir: Path, names: Collection[str] | None) -> None:
    """Start the app as the container does, but for the registry, which is another machine's.

    Raises StartError.
    """
    known = {name: found for name, found in discover().items() if names is None or name in names}
    served = tuple(select(settings.models, known))
    settings.check_pins(list(served))
    with tempfile.TemporaryDirectory() as folder:
        here: dict[str, Any] = {"models_dir": models_dir, "mlflow_tracking_uri": None}
        here |= {"models": served, "api_keys_file": None}  # the file is a stand-in
        if settings.prediction_log:
            here["prediction_log"] = Path(folder, "log")
        create_app(settings.model_copy(update=here))
