"""Versions on disk by digest, with two small files per model: what serves, and how polling goes.

    <REGISTRY_CACHE>/<registry>/ask                          touched: poll the registry now
                                ride/versions/<digest>/      an artifact, and ref.json
                                ride/champion.current.json   which of them serves
                                ride/champion.status.json    when the registry was polled, and more

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
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scoring.errors import SettingsError
from scoring.process.atomic_files import write_file
from scoring.registry.changes import Change
from scoring.registry.settings import RegistrySettings

_ORIGIN: Final = "ref.json"
_ABANDONED_S: Final = 3600  # an incoming folder this old belongs to nobody any more


class _State(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class VersionRef(_State):
    """What the registry calls a version, and what tells it from another one of the same number."""

    number: str
    created: int  # milliseconds since 1970, by the registry's clock
    source: str
    model: str  # its registered name

    @property
    def title(self) -> str:
        """The version as log lines name it."""
        return f"{self.model} {self.number}"

    @property
    def day(self) -> datetime:
        """When it was registered, in UTC."""
        return datetime.fromtimestamp(self.created / 1000, UTC)


class Current(_State):
    """The version that serves: the registry's, and the folder in `versions/` that holds it."""

    ref: VersionRef = Field(validation_alias="origin", serialization_alias="origin")
    digest: str
    since: float  # seconds since 1970
    changes: list[Change] = []  # how it came to it, the oldest first


class Refusal(_State):
    """Why a version of the registry does not serve."""

    version: str
    reason: str
    at: float  # seconds since 1970


class Status(_State):
    """How polling goes. Times are seconds since 1970."""

    asked: float | None = None  # when the last poll ended, well or not
    busy: str | None = None  # what is being downloaded
    stale_since: float | None = None  # since when the registry does not say what should serve
    problem: str | None = None
    absent: bool = False  # the registry has answered: there is no such model, alias or version
    refused: Refusal | None = None  # of the version that the registry asks for
    # loaded, refused, failed: versions; unanswered: polls
    counts: dict[str, int] = {}


_S = TypeVar("_S", bound=_State)


class ModelCache:
    """One model's part of the cache, and what one selector (an alias, or `v3`) says of it."""

    def __init__(self, folder: Path, selector: str) -> None:
        self.versions = folder / "versions"
        self._folder = folder
        self.current_path = folder / f"{selector}.current.json"
        self._status_path = folder / f"{selector}.status.json"

    def current(self) -> Current | None:
        """Return what serves; None if nothing does, or if its folder has gone."""
        current = _read(self.current_path, Current)
        return current if current and self.holds(current.digest) else None

    def status(self) -> Status:
        """Return the last status written; an empty one before the first."""
        return _read(self._status_path, Status) or Status()

    def write_status(self, status: Status) -> None:
        """Write the status; raises OSError."""
        _write(self._status_path, status)

    def holds(self, digest: str) -> bool:
        """Return whether the version of that digest is here and was not invalidated."""
        return (self.versions / digest / _ORIGIN).is_file()

    def find(self, ref: VersionRef) -> str | None:
        """Return the digest under which a version lies here, or None."""
        for path in self.versions.glob(f"*/{_ORIGIN}"):
            if _read(path, VersionRef) == ref:
                return path.parent.name
        return None

    def find_number(self, number: str) -> tuple[str, VersionRef] | None:
        """Return digest and reference of the newest folder that holds the version `number`."""
        for path in self._by_age():
            ref = _read(path, VersionRef)
            if ref and ref.number == number:
                return path.parent.name, ref
        return None

    @contextlib.contextmanager
    def staging_dir(self) -> Iterator[Path]:
        """Yield an empty folder on the cache's disk, which is removed when the block ends."""
        path = Path(tempfile.mkdtemp(prefix="incoming-", dir=self._folder))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def store(self, validated: Path, digest: str, ref: VersionRef) -> None:
        """Move a validated folder to its place."""
        target = self.versions / digest
        if self.holds(digest):  # the same files under another number, or by another process
            _write(target / _ORIGIN, ref)
            return
        _write(validated / _ORIGIN, ref)
        if target.exists():  # invalidated or half removed
            shutil.rmtree(target)
        validated.rename(target)

    def publish(self, current: Current) -> None:
        """Make `current` what serves."""
        self.touch(current.digest)
        _write(self.current_path, current)

    def touch(self, digest: str) -> None:
        """Make a version the newest one, the last to be pruned."""
        os.utime(self.versions / digest / _ORIGIN)

    def invalidate(self, digest: str) -> None:
        """Forget a version, so that it is downloaded again when it is needed."""
        with contextlib.suppress(OSError):
            (self.versions / digest / _ORIGIN).unlink()

    def prune(self, keep: int) -> None:
        """Remove all versions but the `keep` newest and those that serve, and abandoned downloads.

        A version is invalidated before its files go, so that no reader meets half of one.
        """
        serving = {
            current.digest
            for path in self._folder.glob("*.current.json")
            if (current := _read(path, Current))
        }
        for path in self._by_age()[keep:]:
            if path.parent.name not in serving:
                path.unlink(missing_ok=True)
                shutil.rmtree(path.parent, ignore_errors=True)
        for path in self._folder.glob("incoming-*"):
            if time.time() - path.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(path, ignore_errors=True)

    def _by_age(self) -> list[Path]:
        """Return the origin files of all versions, the newest first."""
        dated = []
        for path in self.versions.glob(f"*/{_ORIGIN}"):
            with contextlib.suppress(FileNotFoundError):  # another process has just pruned it
                dated.append((path.stat().st_mtime, path))
        return [path for _, path in sorted(dated, reverse=True)]


class RegistryCache:
    """One registry's part of REGISTRY_CACHE."""

    def __init__(self, settings: RegistrySettings) -> None:
        name = hashlib.sha256(settings.registry.encode()).hexdigest()[:12]
        self.root = settings.registry_cache / name
        self._settings = settings
        self._ask_path = self.root / "ask"
        self.seen = self.root / "seen"

    def prepare(self, models: list[str]) -> None:
        """Make the folders, which belong to this user alone: what lies here is loaded.

        Raises SettingsError with what to do.
        """
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

    def is_complete(self, models: list[str]) -> bool:
        """Return False where somebody has removed the folders."""
        return all(path.is_dir() for path in self._folders(models))

    def _folders(self, models: list[str]) -> list[Path]:
        return [self.root, self.seen, *(self.root / model / "versions" for model in models)]

    def for_model(self, model: str) -> ModelCache:
        """Return the part of one model, for the selector that the settings name."""
        return ModelCache(self.root / model, self._settings.selector(model))

    def lock_path(self, models: list[str]) -> Path:
        """Return the file that the one poller of these models and selectors holds locked."""
        words = ",".join(f"{model}={self._settings.selector(model)}" for model in models)
        return self.root / f"poller-{hashlib.sha256(words.encode()).hexdigest()[:12]}.lock"

    def ask(self) -> None:
        """Ask for a poll now instead of at the next turn."""
        self._ask_path.touch()

    def asked(self) -> int:
        """Return a number that changes with every `ask`."""
        try:
            return self._ask_path.stat().st_mtime_ns
        except OSError:
            return 0


def _read(path: Path, kind: type[_S]) -> _S | None:
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _write(path: Path, state: _State) -> None:
    write_file(path, state.model_dump_json(by_alias=True).encode())
