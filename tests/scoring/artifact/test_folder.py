"""The folder of an artifact: the old or the new, whoever reads or is killed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from scoring.artifact.folder import refuse_foreign
from scoring.artifact.manifest import MANIFEST, Manifest
from scoring.artifact.reading import load, read_manifest
from scoring.models import Model
from serving.app import create_app
from serving.settings import Settings
from tests.scoring.artifact.writers import FILES, FOLDER, RIDE, names, ours, python
from tests.support import ROOT, tiny_pair, write_artifact, write_pair

# A writer that says when its folder is filled, and then waits to be killed.
HANGS = """
import sys
from scoring.models import discover
from tests.support import write_artifact

def hang(folder):
    (folder / "plot.png").write_bytes(b"half")
    print(*sorted(path.name for path in folder.iterdir()), flush=True)
    sys.stdin.read()

write_artifact(discover()["ride"], __import__("pathlib").Path(sys.argv[1]), draw=hang)
"""
# A writer that says when it is between its renames, and then waits to be killed.
HANGS_BETWEEN = """
import sys
from pathlib import Path
from scoring.models import discover
from tests.support import write_artifact

rename = Path.rename

def hang(path, target):
    rename(path, target)
    if Path(target).name.endswith(".old"):
        print("between", flush=True)
        sys.stdin.read()

Path.rename = hang
write_artifact(discover()["ride"], Path(sys.argv[1]), notes=["never seen"])
"""


@pytest.mark.slow
def test_a_reader_meanwhile_finds_the_old_pair_or_the_new_one(tmp_path: Path) -> None:
    """Twenty times over: the folder is always there, and its files belong together."""
    pairs = [tiny_pair(RIDE), tiny_pair(RIDE, sort=False)]
    over = threading.Event()
    seen: set[tuple[str, float]] = set()
    failures: list[BaseException] = []
    written = set()

    def write(number: int) -> None:
        manifest = write_pair(tmp_path, RIDE, pairs[number % 2], threshold=number / 100)
        written.add((manifest.sha256, manifest.threshold))

    def poll() -> None:
        try:
            while not over.is_set():
                manifest = load(tmp_path / FOLDER, RIDE).manifest
                seen.add((manifest.sha256, manifest.threshold))
        except BaseException as error:  # noqa: BLE001  # told to the test, which runs elsewhere
            failures.append(error)

    write(0)
    reader = threading.Thread(target=poll)
    reader.start()
    for number in range(1, 21):
        write(number)
    over.set()
    reader.join()
    assert failures == []
    assert len({digest for digest, _ in seen}) == 2
    assert seen <= written


@pytest.mark.slow
def test_writers_at_the_same_time_leave_one_of_theirs(tmp_path: Path) -> None:
    """Eight of them: none fails, and nothing of the others stays."""
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: write_artifact(RIDE, tmp_path, seed=n), range(24)))
    assert load(tmp_path / FOLDER, RIDE).manifest in made
    assert names(tmp_path) == [FOLDER]


@pytest.mark.slow
def test_a_writer_that_is_killed_leaves_the_old_artifact(tmp_path: Path) -> None:
    """SIGKILL at the last moment: the new files are all there, but not in place."""
    manifest = write_artifact(RIDE, tmp_path, notes=["old"])
    with subprocess.Popen(
        python(HANGS, tmp_path),
        env=ours(),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline().split() == [
            "lin_reg.bin",
            MANIFEST,
            "plot.png",
            "scorer.json",
        ]
        writer.kill()
    assert load(tmp_path / FOLDER, RIDE).manifest == manifest
    assert names(tmp_path / FOLDER) == FILES


@contextlib.contextmanager
def between_its_renames(output: Path) -> Iterator[None]:
    """Have another process write the ride, stopped between its renames; killed at the end."""
    with subprocess.Popen(
        python(HANGS_BETWEEN, output),
        env=ours(),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "between\n"
        yield
        writer.kill()


@pytest.mark.slow
def test_a_reader_between_the_renames_finds_the_old_artifact(tmp_path: Path) -> None:
    """While the writer is there, and after it was killed there, also through a link."""
    output, linked = tmp_path / "models", tmp_path / "linked"
    manifest = write_artifact(RIDE, output, notes=["old"])
    linked.mkdir()
    (linked / FOLDER).symlink_to(output / FOLDER)
    with between_its_renames(output):
        assert not (output / FOLDER).exists()
        assert load(output / FOLDER, RIDE).manifest == manifest
    assert load(output / FOLDER, RIDE).manifest == manifest
    assert load(linked / FOLDER, RIDE).manifest == manifest


@pytest.mark.slow
def test_the_next_write_puts_right_what_a_killed_one_left(tmp_path: Path) -> None:
    """Also if it is killed in turn, at any moment: the old artifact is never lost."""
    manifest = write_artifact(RIDE, tmp_path, notes=["old"])
    for _ in range(2):
        with between_its_renames(tmp_path):
            pass
        assert load(tmp_path / FOLDER, RIDE).manifest == manifest
    manifest = write_artifact(RIDE, tmp_path, notes=["new"])
    assert load(tmp_path / FOLDER, RIDE).manifest == manifest
    assert not (tmp_path / ".ride.old").exists()


@pytest.mark.slow
def test_a_service_starts_from_what_a_killed_writer_left(tmp_path: Path) -> None:
    """And answers as before."""
    write_artifact(RIDE, tmp_path, notes=["old"])
    with between_its_renames(tmp_path):
        pass
    app = create_app(Settings(models_dir=tmp_path, models=(FOLDER,)))
    assert app.test_client().get(f"/models/{FOLDER}").get_json()["notes"] == ["old"]


@pytest.mark.slow
def test_an_old_folder_that_stayed_goes_with_the_next_write(tmp_path: Path) -> None:
    """The writer was killed after its renames, as it removed the old files."""
    write_artifact(RIDE, tmp_path, notes=["older"])
    (tmp_path / FOLDER).rename(tmp_path / ".ride.old")
    current = write_artifact(RIDE, tmp_path / "elsewhere", notes=["old"])
    (tmp_path / "elsewhere" / FOLDER).rename(tmp_path / FOLDER)
    (tmp_path / "elsewhere").rmdir()
    assert load(tmp_path / FOLDER, RIDE).manifest == current
    manifest = write_artifact(RIDE, tmp_path, notes=["new"])
    assert load(tmp_path / FOLDER, RIDE).manifest == manifest
    assert names(tmp_path) == [FOLDER]


@pytest.mark.slow
def test_a_folder_replaced_while_it_is_read_is_read_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The old manifest with the new pair would look like a damaged file."""
    write_artifact(RIDE, tmp_path)
    pair = tiny_pair(RIDE, sort=False)
    written: list[Manifest] = []

    def replaced_meanwhile(folder: Path, model: Model) -> Manifest:
        found = read_manifest(folder, model)
        if not written:
            written.append(write_pair(tmp_path, RIDE, pair))
        return found

    monkeypatch.setattr("scoring.artifact.reading.read_manifest", replaced_meanwhile)
    assert load(tmp_path / FOLDER, RIDE).manifest == written[0]


@pytest.mark.slow
def test_a_folder_that_another_writer_replaces_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of a folder that is being removed is not somebody else's."""
    write_artifact(RIDE, tmp_path)
    target, old, listed = tmp_path / FOLDER, tmp_path / ".ride.old", os.listdir

    def meanwhile(folder: Any) -> list[str]:
        """Move the folder away and begin to remove it, just before it is listed."""
        monkeypatch.setattr(os, "listdir", listed)
        target.rename(old)
        (old / MANIFEST).unlink()
        return listed(folder if isinstance(folder, int) else old)

    monkeypatch.setattr(os, "listdir", meanwhile)
    refuse_foreign(target)
    assert not target.exists()
