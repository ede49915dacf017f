"""The folder of an artifact where it cannot be written: full disks, foreign folders, links."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scoring.artifact.folder import refuse_foreign
from scoring.artifact.manifest import Manifest
from scoring.artifact.reading import load
from scoring.errors import ArtifactError
from tests.scoring.artifact.writers import FILES, FOLDER, RIDE, names, ours, python
from tests.support import ROOT, write_artifact

# A disk of 64 kB of its own: the first artifact fits on it, the second does not.
FILLS = """
import sys
from pathlib import Path
from scoring.artifact.reading import load
from scoring.models import discover
from tests.support import write_artifact
from scoring.errors import ArtifactError

ride, output = discover()["ride"], Path(sys.argv[1])
kept = write_artifact(ride, output, threshold=0.1)
try:
    write_artifact(ride, output, draw=lambda f: (f / "plot.png").write_bytes(bytes(100_000)))
except ArtifactError as error:
    print(error)
assert load(output / "ride", ride).manifest == kept
print(*sorted(path.name for path in output.iterdir()))
"""


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Manifest]:
    """An artifact in `tmp_path` that must be there, whole and alone, when the test is over."""
    manifest = write_artifact(RIDE, tmp_path, notes=["old"])
    yield manifest
    assert names(tmp_path) == [FOLDER]
    assert names(tmp_path / FOLDER) == FILES
    assert load(tmp_path / FOLDER, RIDE).manifest == manifest


@pytest.mark.slow
@pytest.mark.usefixtures("kept")
def test_a_full_disk_leaves_the_old_artifact(tmp_path: Path) -> None:
    """Full while the plots are drawn, after all else was written."""

    def fill(folder: Path) -> None:
        assert names(folder) == FILES
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(ArtifactError) as caught:
        write_artifact(RIDE, tmp_path, draw=fill)
    target = tmp_path / FOLDER
    assert str(caught.value) == f"{target} cannot be written: the disk is full; it is as it was"


def can_mount() -> bool:
    """Whether a file system of one's own can be mounted where nobody else sees it."""
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.slow
def test_a_disk_that_is_really_full_leaves_the_old_artifact(tmp_path: Path) -> None:
    """On a disk too small for both."""
    if not can_mount():
        pytest.skip("needs the right to mount a small disk")
    mount = 'mount -t tmpfs -o size=64k none "$0" && exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mount, tmp_path, *python(FILLS, tmp_path)],
        env=ours(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    reason = f"{tmp_path / FOLDER} cannot be written: the disk is full; it is as it was"
    assert done.stdout.splitlines() == [reason, FOLDER]


@pytest.mark.slow
@pytest.mark.usefixtures("kept")
def test_a_pair_written_by_half_leaves_the_old_artifact(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Full in the middle of the pair."""

    def half(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(ArtifactError, match="cannot be written: Disk quota exceeded; it is as it"):
        write_artifact(RIDE, tmp_path)
    monkeypatch.undo()


@pytest.mark.slow
@pytest.mark.usefixtures("kept")
def test_a_plot_that_fails_leaves_the_old_artifact(tmp_path: Path) -> None:
    """An error of ours is not hidden, and nothing is left lying about."""

    def fail(_folder: Path) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_artifact(RIDE, tmp_path, draw=fail)


def test_an_output_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Here a file stands where the folder should be."""
    output = tmp_path / "models"
    output.write_text("mine")
    with pytest.raises(ArtifactError) as caught:
        write_artifact(RIDE, output)
    assert str(caught.value).startswith(f"{output / FOLDER} cannot be written: ")
    assert output.read_text() == "mine"


def test_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    """Files that no training wrote are not exchanged for ours."""
    target = tmp_path / FOLDER
    target.mkdir()
    (target / "thesis.txt").write_text("years of work")
    for refuse in (refuse_foreign, lambda _: write_artifact(RIDE, tmp_path)):
        with pytest.raises(ArtifactError) as caught:
            refuse(target)
        message = f"{target} holds files but no manifest.json: name another --output"
        assert str(caught.value) == message
    assert (target / "thesis.txt").read_text() == "years of work"
    assert names(tmp_path) == [FOLDER]


def test_a_file_in_the_folders_place_is_left_alone(tmp_path: Path) -> None:
    """It is not a folder that could be exchanged."""
    target = tmp_path / FOLDER
    target.write_text("mine")
    with pytest.raises(ArtifactError) as caught:
        write_artifact(RIDE, tmp_path)
    assert str(caught.value) == f"{target} is not a folder: name another --output"
    assert target.read_text() == "mine"


def test_a_folder_that_cannot_be_looked_into_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Before the long work."""

    def refuse(_path: int) -> Any:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(ArtifactError) as caught:
        refuse_foreign(tmp_path)
    assert str(caught.value) == f"{tmp_path} cannot be read: Permission denied"


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    """As a volume looks that was just mounted."""
    (tmp_path / FOLDER).mkdir()
    manifest = write_artifact(RIDE, tmp_path)
    assert load(tmp_path / FOLDER, RIDE).manifest == manifest
    assert names(tmp_path) == [FOLDER]


@pytest.mark.slow
def test_a_link_is_followed(tmp_path: Path) -> None:
    """What it points to is exchanged; the link stays."""
    place = tmp_path / "elsewhere"
    write_artifact(RIDE, tmp_path)
    (tmp_path / FOLDER).rename(place)
    (tmp_path / FOLDER).symlink_to(place)
    manifest = write_artifact(RIDE, tmp_path, notes=["new"])
    assert (tmp_path / FOLDER).is_symlink()
    assert load(place, RIDE).manifest == manifest
    assert names(tmp_path) == ["elsewhere", FOLDER]


@pytest.mark.slow
def test_the_old_files_go_with_the_old_folder(tmp_path: Path) -> None:
    """A plot of another estimator would be a lie beside the new one."""
    write_artifact(RIDE, tmp_path, draw=lambda folder: (folder / "old.png").write_bytes(b""))
    write_artifact(RIDE, tmp_path, draw=lambda folder: (folder / "new.png").write_bytes(b""))
    assert names(tmp_path / FOLDER) == sorted([*FILES, "new.png"])
    assert names(tmp_path) == [FOLDER]


def test_a_rename_that_fails_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The first artifact ever, and the disk gives up."""

    def fail(_path: Path, _target: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(ArtifactError, match="cannot be written: Read-only file system; it is as"):
        write_artifact(RIDE, tmp_path)
    assert names(tmp_path) == []
