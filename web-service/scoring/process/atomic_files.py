"""Write a file whole or not at all: write aside in its folder, then rename.

Home-made, as the standard library has no such function and the packages for it are unmaintained.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


def write_file(path: Path, data: bytes) -> None:
    """Write `data` to `path`, replacing what is there.

    Raises OSError where the folder is missing or cannot be written, or where `path` is something
    other than a regular file. A reader sees the old content or the new, never a part of it.
    """
    with replacing(path) as file:
        file.write(data)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield a binary file, open for reading and writing, that takes the place of `path` at the end.

    `Path(file.name)` is where it is written, in the folder of `path` so that the rename stays
    within one file system; whoever writes by that name need not touch the file object. An exception
    within the block removes it and leaves `path` as it was. The content reaches the disk before the
    rename: after a power failure `path` is not an empty file. The mode follows the umask, as with
    `open`. Raises OSError as `write_file` does.
    """
    if path.exists() and not path.is_file():  # as root, the rename would replace /dev/stdout
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    aside = path.with_name(f".{secrets.token_hex(8)}.tmp")  # any name that fits a folder has room
    file = aside.open("x+b")
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:  # also Control-C, and the exit of a signal's handler
        aside.unlink(missing_ok=True)
        raise
