"""Names, patterns and folders to files."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pyarrow.fs as pafs
import pytest

from batch.errors import BatchError, UsageError
from batch.inputs import files
from batch.inputs.files import find, first_line


def touch(folder: Path, *names: str) -> None:
    """Make files with a byte in them."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")


def names(*given: str) -> list[str]:
    """Return the names of what is found."""
    return [source.name for source in find(given)]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder is empty."""
    monkeypatch.chdir(tmp_path)


def test_a_folder_stands_for_its_files_with_rows(tmp_path: Path) -> None:
    """In order; what is hidden, of a run, or of another kind is left out."""
    touch(tmp_path / "in", "b.csv", "a/c.jsonl.gz", "a/_x/d.csv", ".e.csv", "rejected/f.jsonl",
          "notes.txt.zip", "_g=1/h.parquet", "_SUCCESS")  # fmt: skip
    assert names("in") == ["in/_g=1/h.parquet", "in/a/c.jsonl.gz", "in/b.csv"]
    assert names(str(tmp_path / "in" / "b.csv")) == ["in/b.csv"]


def test_what_a_run_wrote_may_be_scored_again(tmp_path: Path) -> None:
    """Its parts, or its one file: the report beside them holds no rows, elsewhere one may."""
    touch(tmp_path / "out", "part-1.jsonl", "run.json", "_SUCCESS", "rejected/part-1.jsonl",
          "a.csv", "a.csv.run/run.json", "a.csv.run/_SUCCESS", "mine/run.json")  # fmt: skip
    assert names("out") == ["out/a.csv", "out/mine/run.json", "out/part-1.jsonl"]


def test_a_pattern_stands_for_what_it_matches(tmp_path: Path) -> None:
    """Files and folders; a file that has such a name is that file."""
    touch(tmp_path / "in", "a1.csv", "a2.csv", "b1.csv", "d1/x.csv", "odd[1].csv")
    assert names("in/a?.csv") == ["in/a1.csv", "in/a2.csv"]
    assert names("in/d*") == ["in/d1/x.csv"]
    assert names("in/odd[1].csv") == ["in/odd[1].csv"]
    with pytest.raises(UsageError, match=r"there is no file in/z\*"):
        find(["in/z*"])


def test_a_pattern_in_a_store_is_matched_on_the_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below what stands before its first sign."""
    touch(tmp_path / "in", "a1.csv", "sub/a2.csv", "b.csv")
    store = pafs.SubTreeFileSystem(str(tmp_path), pafs.LocalFileSystem())
    monkeypatch.setattr(files, "file_system", lambda name: (store, name.partition("://")[2]))
    assert names("store://in/a*.csv") == ["store://in/a1.csv"]
    assert names("store://in/*a2.csv") == ["store://in/sub/a2.csv"]


def test_folders_names_are_columns(tmp_path: Path) -> None:
    """Decoded, those below the input alone."""
    touch(tmp_path, "k=0/in/year=2021/place=a%20b/=x/a.csv")
    [source] = find(["k=0/in"])
    assert source.partitions == (("year", "2021"), ("place", "a b"))


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    """With what is read."""
    touch(tmp_path, "a.xlsx")
    with pytest.raises(UsageError, match=r"a\.xlsx is of no kind that is read: \.parquet, "):
        find(["a.xlsx"])


def test_a_folder_that_may_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the file system says."""

    def closed(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "in").mkdir()
    monkeypatch.setattr(pafs, "FileSelector", closed)
    with pytest.raises(BatchError, match="in cannot be read: .*Permission denied"):
        find(["in"])


def test_other_file_systems_are_fsspecs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Arrow has none; without fsspec, or without a package for the scheme, it is said what
    to install."""
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(UsageError, match="lake:// is not known here .*install fsspec"):
        files.file_system("lake://a/b")

    def url_to_fs(uri: str) -> tuple[str, str]:
        if uri.startswith("lake://"):
            return "made", "a/b"
        raise ValueError(f"Protocol not known: {uri}")

    fake: Any = types.ModuleType("fsspec")
    fake.core = types.SimpleNamespace(url_to_fs=url_to_fs)
    monkeypatch.setitem(sys.modules, "fsspec", fake)
    monkeypatch.setattr(pafs, "FSSpecHandler", lambda made: ("handler", made))
    monkeypatch.setattr(pafs, "PyFileSystem", lambda handler: ("files", handler))
    assert files.file_system("lake://a/b") == (("files", ("handler", "made")), "a/b")
    with pytest.raises(UsageError, match="sea:// is not known here .Protocol not known"):
        files.file_system("sea://a/b")


def test_a_store_that_cannot_be_reached_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what the address says of credentials."""

    class Away:
        @staticmethod
        def from_uri(_: str) -> None:
            raise OSError("no route to https://me:secret@store/x\nmore")

    monkeypatch.setattr(pafs, "FileSystem", Away)
    with pytest.raises(
        BatchError, match=r"gs://a/b cannot be reached: no route to https://store/x$"
    ):
        files.file_system("gs://a/b")
    assert first_line(ValueError()) == "ValueError"


def test_the_region_is_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a server that is not Amazon's, too."""
    given: dict[str, Any] = {}
    monkeypatch.setattr(pafs, "S3FileSystem", lambda **words: given.update(words))
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.delenv("AWS_REGION", raising=False)
    assert files.file_system("s3://lake/in") == (None, "lake/in")
    assert given == {"endpoint_override": "http://127.0.0.1:9", "region": "eu-west-1"}
