"""The files of one folder, on this disk or in an object store, each written whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow.fs as pafs

from batch.inputs.files import file_system
from scoring.process.atomic_files import replacing, write_file


class Storage:
    """Reads, writes, moves and deletes files below one folder."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._files, path = file_system(uri)
        self._root = path.rstrip("/")
        self.local = Path(self._root) if isinstance(self._files, pafs.LocalFileSystem) else None

    def write(self, name: str, data: bytes, *, aside: str = "") -> None:
        """Write a file; a reader sees all of it or nothing. `aside` is that of `writing`."""
        with self.writing(name, aside=aside) as file:
            file.write(data)

    @contextlib.contextmanager
    def writing(self, name: str, *, aside: str = "") -> Iterator[BinaryIO]:
        """Yield a binary file that appears under its name when the block ends well.

        On a disk it is written as `aside` until then, in whose folder a killed process leaves what
        it had; without it, in the folder of `name`.
        """
        if self.local:
            path = self.local / (aside or name)
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as file:
                yield file
            if aside:
                self.move(aside, name)
            return
        # an object appears when its upload is completed; one that is not closed never does
        stream = self._files.open_output_stream(self._path(name))
        yield stream
        stream.close()

    def read(self, name: str) -> bytes | None:
        """Return a file's content; None where there is no such file."""
        try:
            with self._files.open_input_stream(self._path(name)) as stream:
                found: bytes = stream.read()
                return found
        except FileNotFoundError:
            return None

    def pieces(self, name: str, size: int = 1 << 22) -> Iterator[bytes]:
        """Yield a file's content in pieces."""
        with self._files.open_input_stream(self._path(name)) as stream:
            while piece := stream.read(size):
                yield piece

    def exists(self, name: str) -> bool:
        """Tell whether there is such a file."""
        return bool(self._files.get_file_info(self._path(name)).is_file)

    def list(self, folder: str = "") -> list[str]:
        """Return the names of all files below a folder, in order."""
        base = self._path(folder).rstrip("/")
        selector = pafs.FileSelector(base, allow_not_found=True, recursive=True)
        infos = self._files.get_file_info(selector)
        return sorted(i.path[len(self._root) :].strip("/") for i in infos if i.is_file)

    def move(self, name: str, to: str) -> None:
        """Give a file another name, in the place of what has it; where the file is not there any
        more and the other is, that was done before."""
        if not self.exists(name) and self.exists(to):
            return
        if self.local:
            (self.local / to).parent.mkdir(parents=True, exist_ok=True)
            (self.local / name).replace(self.local / to)
        else:
            self._files.move(self._path(name), self._path(to))

    def delete(self, name: str) -> None:
        """Delete a file, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            self._files.delete_file(self._path(name))

    def delete_folder(self, name: str) -> None:
        """Delete a folder with all that is in it, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            self._files.delete_dir(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root


def write_local(path: Path, data: bytes) -> None:
    """Write a file of this disk, whole or not at all; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, data)
