"""Files appear whole, and what a killed process leaves is where the next run throws it away."""

from __future__ import annotations

from pathlib import Path

import pytest

from batch.outputs.staging import Staging
from batch.outputs.storage import Storage


def names(folder: Path) -> set[str]:
    """Return the files below a folder."""
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_a_file_is_written_within_the_folder_for_what_is_unfinished(tmp_path: Path) -> None:
    """The place of its name has nothing until it is whole, and nothing is left beside it."""
    with Storage(str(tmp_path)).writing("run.json", aside="_unfinished/run.json") as file:
        file.write(b"{}")
        assert {name.partition("/")[0] for name in names(tmp_path)} == {"_unfinished"}
    assert names(tmp_path) == {"run.json"}
    assert (tmp_path / "run.json").read_bytes() == b"{}"


@pytest.mark.parametrize("output", ["out", "out.csv"])
def test_what_a_killed_run_was_writing_is_thrown_away(tmp_path: Path, output: str) -> None:
    """Also what it had of `run.json`, of a single file, and of a part."""
    staging = Staging(str(tmp_path / output))
    staging.shaped("csv")
    unfinished = Path(staging.aside)
    for folder in (unfinished, unfinished / "ledger"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".0123456789abcdef.tmp").write_bytes(b"half")
    staging.write_file("part-0", b"1\n")

    def merge(parts: object) -> None:
        with staging.writing_file() as file:
            file.write(b"1\n")

    staging.publish(["part-0"], {}, merge=merge, kept=[])
    staging.storage.delete_folder(unfinished.name)
    assert not [name for name in names(tmp_path) if name.endswith(".tmp")]
