"""Versions on disk, by digest, and two small files a model that say what serves and how it goes.

    <REGISTRY_CACHE>/<registry>/ask                          touched: ask the registry now
                                ride/versions/<digest>/      an artifact, and origin.json
                                ride/champion.current.json   which of them serves
                                ride/champion.status.json    when the registry was asked, and more

Every file is written aside and renamed: a reader sees the old one or the new one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from scoring.errors import SettingsError
from scoring.registry.settings import RegistrySettings

_ORIGIN: Final = "origin.json"
_ABANDONED_S: Final = 3600  # an incoming folder this old belongs to nobody any more


class _State(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Origin(_State):
    """What the registry calls a version, and all that tells it from another one of its number."""

    number: str
    created: int  # milliseconds since 1970, by the registry's clock
    source: str
    model: str  # its registered name

    @property
    def title(self) -> str:
        return f"{self.model} {self.number}"


class Current(_State):
    """The version that serves: the registry's, and the folder in `versions/` that holds it."""

    origin: Origin
    digest: str
    since: float  # seconds since 1970


class Refusal(_State):
    """Why a version of the registry does not serve."""

    version: str
    reason: str
    at: float  # seconds since 1970


class Status(_State):
    """How the following goes. Times are seconds since 1970; `counts` are metric-ready."""

    asked: float | None = None  # when the last question ended, well or not
    busy: str | None = None  # what is being fetched
    stale_since: float | None = None  # since when the registry does not say what should serve
    problem: str | None = None
    refused: Refusal | None = None  # of the version that the registry asks for
    counts: dict[str, int] = {}  # loaded, refused, failed: versions; away: questions


_S = TypeVar("_S", bound=_State)


class Shelf:
    """One model's part of the cache."""

    def __init__(self, folder: Path, selector: str) -> None:
        self.versions = folder / "versions"
        self._folder = folder
        self.current_path = folder / f"{selector}.current.json"
        self._status_path = folder / f"{selector}.status.json"

    def current(self) -> Current | None:
        """Gives what serves; None if nothing does, or its folder is gone."""
        found = _read(self.current_path, Current)
        return found if found and self.holds(found.digest) else None

    def status(self) -> Status:
        return _read(self._status_path, Status) or Status()

    def write_status(self, status: Status) -> None:
        _write(self._status_path, status)

    def holds(self, digest: str) -> bool:
        return (self.versions / digest / _ORIGIN).is_file()

    def find(self, origin: Origin) -> str | None:
        """Gives the digest under which a version lies here, None if it does not."""
        for path in self.versions.glob(f"*/{_ORIGIN}"):
            if _read(path, Origin) == origin:
                return path.parent.name
        return None

    def find_number(self, number: str) -> tuple[str, Origin] | None:
        """Gives the newest folder that holds the version of that number."""
        found = [(path.stat().st_mtime, path) for path in self.versions.glob(f"*/{_ORIGIN}")]
        for _, path in sorted(found, reverse=True):
            if (origin := _read(path, Origin)) and origin.number == number:
                return path.parent.name, origin
        return None

    @contextlib.contextmanager
    def aside(self) -> Iterator[Path]:
        """Gives an empty folder on the cache's disk that is gone when the block ends."""
        path = Path(tempfile.mkdtemp(prefix="incoming-", dir=self._folder))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def store(self, proven: Path, digest: str, origin: Origin) -> None:
        """Moves a proven folder to its place."""
        _write(proven / _ORIGIN, origin)
        target = self.versions / digest
        if target.exists():  # half-removed, or that of another number: nobody serves from it
            shutil.rmtree(target)
        proven.rename(target)

    def publish(self, current: Current) -> None:
        """Makes `current` what serves."""
        os.utime(self.versions / current.digest / _ORIGIN)  # what serves is the newest
        _write(self.current_path, current)

    def discard(self, digest: str) -> None:
        """Forgets a version, so that it is fetched again if it is asked for."""
        with contextlib.suppress(OSError):
            (self.versions / digest / _ORIGIN).unlink()

    def tidy(self, keep: int) -> None:
        """Removes all versions but the `keep` newest and those that serve, and abandoned downloads.
        A removed one is hidden first: no reader ever meets half a version."""
        serving = {
            found.digest
            for path in self._folder.glob("*.current.json")
            if (found := _read(path, Current))
        }
        there = sorted(
            self.versions.glob(f"*/{_ORIGIN}"), key=lambda path: path.stat().st_mtime, reverse=True
        )
        for path in there[keep:]:
            if path.parent.name not in serving:
                path.unlink()
                shutil.rmtree(path.parent, ignore_errors=True)
        for path in self._folder.glob("incoming-*"):
            if time.time() - path.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(path, ignore_errors=True)


class Cache:
    """One registry's part of REGISTRY_CACHE."""

    def __init__(self, settings: RegistrySettings) -> None:
        name = hashlib.sha256(settings.registry.encode()).hexdigest()[:12]
        self.root = settings.registry_cache / name
        self._settings = settings
        self.ask_path = self.root / "ask"
        self.seen = self.root / "seen"

    def prepare(self, models: list[str]) -> None:
        """Makes the folders, or raises SettingsError with what to do. They belong to this user and
        to nobody else: what lies here is loaded."""
        try:
            for folder in self._folders(models):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            owner = self.root.stat().st_uid
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise SettingsError(
                f"REGISTRY_CACHE={self._settings.registry_cache} cannot be written: "
                f"{error.strerror}; name a folder that can, in a container a volume or a tmpfs"
            ) from error
        if hasattr(os, "geteuid") and owner not in (os.geteuid(), 0):
            raise SettingsError(
                f"REGISTRY_CACHE={self._settings.registry_cache} belongs to another user; "
                "name a folder of your own"
            )

    def there(self, models: list[str]) -> bool:
        """False where somebody has removed the folders."""
        return all(path.is_dir() for path in self._folders(models))

    def _folders(self, models: list[str]) -> list[Path]:
        return [self.root, self.seen, *(self.root / model / "versions" for model in models)]

    def shelf(self, model: str) -> Shelf:
        return Shelf(self.root / model, self._settings.selector(model))

    def lock_path(self, models: list[str]) -> Path:
        """Gives the file that the one follower of these models and selectors holds locked."""
        words = ",".join(f"{model}={self._settings.selector(model)}" for model in models)
        return self.root / f"follower-{hashlib.sha256(words.encode()).hexdigest()[:12]}.lock"

    def ask(self) -> None:
        """Asks for a question to the registry now instead of at the next turn."""
        self.ask_path.touch()

    def asked(self) -> int:
        """Gives a number that changes with every `ask`."""
        try:
            return self.ask_path.stat().st_mtime_ns
        except OSError:
            return 0


def _read(path: Path, kind: type[_S]) -> _S | None:
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _write(path: Path, state: _State) -> None:
    handle, aside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(state.model_dump_json())
            file.flush()
            os.fsync(file.fileno())
        Path(aside).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(aside).unlink()
        raise
