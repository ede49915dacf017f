"""Files are written whole or not at all."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from scoring.process.atomic_files import replacing, write_file


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def write_half(path: Path, error: type[BaseException]) -> None:
    with replacing(path) as file:
        file.write(b"half")
        raise error


def test_a_file_is_written(tmp_path: Path) -> None:
    """The content is there, and nothing else is left in the folder."""
    write_file(tmp_path / "new", b"content")
    assert (tmp_path / "new").read_bytes() == b"content"
    assert names(tmp_path) == ["new"]


def test_a_file_is_replaced(tmp_path: Path) -> None:
    """A reader that has the old file open still reads the old content, whole."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with path.open("rb") as reader:
        write_file(path, b"new, and longer")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new, and longer"


def test_the_old_content_stays_until_the_end(tmp_path: Path) -> None:
    """While it is written, the new content is beside the old one, in the same folder."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with replacing(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
        assert Path(file.name).parent == tmp_path
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_everything_as_it_was(tmp_path: Path, error: type[BaseException]) -> None:
    """Whatever stops the writing, the old file stays and the new one is removed."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(error):
        write_half(path, error)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_full_disk_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the content cannot reach the disk, the rename does not happen."""

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("scoring.process.atomic_files.os.fsync", full)
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(OSError, match="No space left"):
        write_file(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_the_content_reaches_the_disk_before_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it is written at the fsync, and the old name still has the old content."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    seen = []

    def sync(descriptor: int) -> None:
        seen.append((os.fstat(descriptor).st_size, path.read_bytes()))

    monkeypatch.setattr("scoring.process.atomic_files.os.fsync", sync)
    write_file(path, b"twelve bytes")
    assert seen == [(12, b"old")]


def test_others_may_read_what_they_might_read_before(tmp_path: Path) -> None:
    """The mode is that of any new file of this process, not that of a secret."""
    write_file(tmp_path / "ours", b"")
    (tmp_path / "usual").touch()
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_the_longest_name_fits(tmp_path: Path) -> None:
    """The name written aside is short, however long that of the file is."""
    path = tmp_path / ("n" * 255)
    write_file(path, b"content")
    assert path.read_bytes() == b"content"


def test_a_library_may_write_and_seek(tmp_path: Path) -> None:
    """An archive, whose directory is written last, can be made in it."""
    with replacing(tmp_path / "a.zip") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("name", "content")
    assert zipfile.ZipFile(tmp_path / "a.zip").read("name") == b"content"


def test_a_program_may_write_by_name(tmp_path: Path) -> None:
    """What takes a path and no file object writes to the file's name."""
    with replacing(tmp_path / "file") as file:
        Path(file.name).write_bytes(b"by name")
    assert (tmp_path / "file").read_bytes() == b"by name"


def test_a_device_is_not_replaced(tmp_path: Path) -> None:
    """A pipe or /dev/stdout is refused: the rename would put a file in its place."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(OSError, match="not a regular file"):
            write_file(path, b"")
    assert names(tmp_path) == ["pipe"]


def test_a_missing_folder_says_so(tmp_path: Path) -> None:
    """The folder is the caller's to make."""
    with pytest.raises(FileNotFoundError):
        write_file(tmp_path / "missing" / "file", b"")
