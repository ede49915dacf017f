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
import posixpath
import shlex
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, get_args
from urllib.parse import urlsplit

from gunicorn.config import Config
from gunicorn.errors import ConfigError
from pydantic.types import PathType
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from scoring.errors import StartError
from scoring.models import discover, select
from scoring.process import otel
from serving.app import create_app
from serving.server import options
from serving.settings import Settings

MODELS_DIR: Final = "/app/models"  # of the image
MODEL_CODE: Final = "/app/model_code"
_ENDS_AT_ONCE: Final = ("daemon", "check_config", "print_config")  # options of gunicorn
_FILE_OPTIONS: Final = ("certfile", "keyfile", "ca_certs")
# Files that libraries of the service look for by themselves.
_FILES_OF_OTHERS: Final = (
    "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "AWS_CA_BUNDLE",
    "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "OTEL_EXPORTER_OTLP_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_KEY", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
)  # fmt: skip
_CERTIFICATES: Final = "/etc/ssl/certs/"  # of the base image


@dataclass(frozen=True)
class Container:
    """What the service meets in its container."""

    port: int  # where callers, or the proxy, reach it
    stop_s: float  # from the request to stop until it is killed
    writable: tuple[str, ...] = ("/tmp", "/dev/shm")  # noqa: S108  # folders in the container
    mounted: tuple[str, ...] = ()  # folders whose content is not known here
    has_file: Callable[[str], bool] = lambda _path: False  # or a folder, beside the base image's
    has_tracing: bool = True  # whether the image was built with OTEL=1

    def holds(self, path: str) -> bool:
        """Return whether there may be such a file or folder in the container."""
        there = _below(path, self.mounted) or path.startswith(_CERTIFICATES)
        return there or self.has_file(path)


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
        found += _untraced(environ, container)
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
    for name in (*_file_settings(), *_FILES_OF_OTHERS):
        path = environ.get(name, "").strip()
        if path and not container.holds(path):
            yield f"{name}={path}: the container has no such file"


def _unreachable(
    environ: Mapping[str, str], settings: Settings, container: Container
) -> Iterator[str]:
    if settings.port != container.port:
        yield f"PORT={settings.port}: requests come in at port {container.port}"
    if not _every_address(settings.host):
        yield f"HOST={settings.host}: not reachable from outside the container; 0.0.0.0 is"
    yield from _arguments(environ, container)
    if settings.graceful_timeout >= container.stop_s:
        yield (
            f"GRACEFUL_TIMEOUT={settings.graceful_timeout}: the container is killed "
            f"{container.stop_s:g} s after it is asked to stop"
        )
    given = PurePosixPath(environ.get("MODELS_DIR") or MODELS_DIR)
    if given != PurePosixPath(MODELS_DIR) and not _below(str(given), container.mounted):
        yield f"MODELS_DIR={given}: the container's models are in {MODELS_DIR}"
    yield from _unwritable(environ, container)
    for name, path in _code_folders(environ, container):
        yield f"{name} names {path}: the container has no such folder"
    host = urlsplit(settings.mlflow_tracking_uri or "").hostname or ""
    if _is_loopback(host):
        yield f"MLFLOW_TRACKING_URI names {host}, which is the container itself"


def _untraced(environ: Mapping[str, str], container: Container) -> Iterator[str]:
    """Raise SettingsError for traces that cannot be sent; the files were looked for already."""
    others = {name: v for name, v in environ.items() if name not in _FILES_OF_OTHERS}
    if (asks := otel.asked_by(others)) and not container.has_tracing:
        yield f"{asks} asks for traces, and the image is built without OTEL=1"


def _unwritable(environ: Mapping[str, str], container: Container) -> Iterator[str]:
    folders = (*container.writable, *container.mounted)
    for name in ("PREDICTION_LOG", "REGISTRY_CACHE"):
        path = environ.get(name, "").strip()
        if path and not _below(path, folders):
            writable = " and ".join(container.writable)
            yield f"{name}={path}: the service may write only below {writable}"
        elif name == "PREDICTION_LOG" and posixpath.normpath(path) in folders:
            yield f"{name}={path}: this is a folder; name a file in it"


def _code_folders(environ: Mapping[str, str], container: Container) -> Iterator[tuple[str, str]]:
    """Yield MODEL_CODE and each of its folders that is not in the container."""
    for word in environ.get("MODEL_CODE", "").split(":"):
        path = word.strip()
        if path and not (_below(path, (MODEL_CODE,)) or container.holds(path)):
            yield "MODEL_CODE", path


def _below(path: str, folders: tuple[str, ...]) -> bool:
    plain = PurePosixPath(posixpath.normpath(path))
    return any(plain.is_relative_to(folder) for folder in folders)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _every_address(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _arguments(environ: Mapping[str, str], container: Container) -> Iterator[str]:
    """What gunicorn reads past our settings."""
    words = environ.get("GUNICORN_CMD_ARGS", "")
    shown, cfg = f"GUNICORN_CMD_ARGS={words!r}", Config()
    try:
        given = _given(cfg, words)
    except ValueError as error:
        yield f"{shown} is refused by gunicorn: {error}"
        return
    if given["bind"]:
        yield f"{shown} goes past HOST and PORT: leave --bind out"
    for name in _ENDS_AT_ONCE:
        if given[name]:
            yield f"{shown}: the container would end at once; leave --{name.replace('_', '-')} out"
    for name in _FILE_OPTIONS:
        if given[name] and not container.holds(given[name]):
            yield f"{shown}: the container has no such file as {given[name]}"
    if (given["graceful_timeout"] or 0) >= container.stop_s:
        yield f"{shown}: the container is killed {container.stop_s:g} s after it is asked to stop"
    try:
        options.refuse(cfg, {})
    except StartError as error:
        yield f"{shown}: {error}"


def _given(cfg: Config, words: str) -> dict[str, Any]:
    """Set what gunicorn's command line `words` give; return every option, None where not given.

    Raises ValueError for what gunicorn refuses.
    """
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint), contextlib.redirect_stdout(io.StringIO()):
            given = vars(cfg.parser().parse_args(shlex.split(words)))
        for name, value in given.items():
            if value is not None and name in cfg.settings:
                cfg.set(name, value)
    except (SystemExit, TypeError, ConfigError) as error:
        last = complaint.getvalue().strip().rpartition("\n")[2]
        raise ValueError(last or f"it ends with {error}") from None
    return given


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
