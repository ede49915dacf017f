"""A model's folder in its place: replaced whole by writers, found by readers.

Neither the standard library nor a package of ours exchanges two folders in one step. It takes two:

    ride -> .ride.old        the new folder, complete and on the disk -> ride        .ride.old goes

Whoever is killed between the two leaves `.ride.old` alone: readers take it for `ride`, and the next
write puts it back before it does anything else.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from scoring.artifact.manifest import MANIFEST
from scoring.errors import ArtifactError


def in_place(folder: Path) -> Path:
    """Return the folder to read: `folder`, or the old one where a writer is between its renames or
    was killed there."""
    if os.path.exists(folder / MANIFEST):  # noqa: PTH110  # Path.exists raises where it may not look
        return folder
    old = _old(folder.resolve())
    return old if os.path.exists(old / MANIFEST) else folder  # noqa: PTH110  # as above


def identity(folder: Path) -> object:
    """Return what differs as soon as another folder is in this one's place."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return folder, found.st_ino, found.st_mtime_ns


def refuse_foreign(target: Path) -> None:
    """Raise ArtifactError where `target` is there already and is no artifact.

    Another writer may replace it meanwhile: one folder is opened and looked into, and what was
    replaced while it was looked at is looked at again.
    """
    try:
        while not _is_artifact_or_empty(target):
            pass
    except NotADirectoryError as error:
        if not target.parent.is_dir():
            return  # there is nothing; making its parents will say why that cannot be
        raise ArtifactError(f"{target} is not a folder: name another --output") from error
    except OSError as error:
        raise ArtifactError(f"{target} cannot be read: {error.strerror}") from error


def _is_artifact_or_empty(target: Path) -> bool:
    """Return False where it was replaced meanwhile, so that nothing can be said."""
    try:
        held = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return True
    try:
        names = os.listdir(held)  # noqa: PTH208  # of what is open, whatever its name is by now
        if not names or MANIFEST in names:
            return True
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(held), target.stat()):
                raise ArtifactError(
                    f"{target} holds files but no {MANIFEST}: name another --output"
                )
        return False
    finally:
        os.close(held)


def replace_folder(target: Path, fill: Callable[[Path], None]) -> None:
    """Put a folder that `fill` filled in the place of `target`.

    A reader finds the old files or the new ones, and a writer that is killed leaves the old ones
    or the new ones. Raises ArtifactError where `target` is no artifact or cannot be written.
    """
    refuse_foreign(target)
    target = target.resolve()  # of a link, what it points to: that can be renamed
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=f".{target.name}.", dir=target.parent, ignore_cleanup_errors=True
        ) as name:
            aside = Path(name)
            fill(aside)
            for path in aside.iterdir():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
            aside.chmod(0o755)  # the temporary 0700 would keep the service's user out
            with _one_writer(target.parent):
                _put(aside, target)
    except OSError as error:
        full = error.errno == errno.ENOSPC
        reason = "the disk is full" if full else error.strerror or type(error).__name__
        raise ArtifactError(f"{target} cannot be written: {reason}; it is as it was") from error


def _old(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


@contextlib.contextmanager
def _one_writer(parent: Path) -> Iterator[None]:
    """Keep other writers from renaming within `parent`. The lock ends with its process."""
    held = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):  # some network file systems lock no folder
            fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _put(aside: Path, target: Path) -> None:
    """Rename `aside` to `target`, after what a killed writer left there was put right."""
    old = _old(target)
    if old.exists():
        if (target / MANIFEST).exists():
            shutil.rmtree(old)
        else:
            old.rename(target)
    try:
        aside.rename(target)  # where nothing is, or an empty folder
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    else:
        return
    target.rename(old)
    try:
        aside.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)  # what stays, the next write removes
