"""Files that cannot be read: one line that says what was seen and what to do."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.training.support import RIDE, data_of
from training.data.tables import read, read_raw
from training.errors import TrainingError
from training.sources import source_of


def truncated(folder: Path) -> Path:
    path = data_of(RIDE, folder)
    path.write_bytes(path.read_bytes()[:-200])
    return path


def holed(folder: Path) -> Path:
    path = data_of(RIDE, folder)
    body = path.read_bytes()
    path.write_bytes(body[:4] + bytes(len(body) // 2) + body[4 + len(body) // 2 :])
    return path


def made(name: str, body: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(body)
        return folder / name

    return make


def folder_named(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).mkdir()
        return folder / name

    return make


UNREADABLE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "parquet truncated": (truncated, "a.parquet cannot be read, is it complete? "),
    "parquet with a hole": (holed, "a.parquet cannot be read, is it complete? "),
    "parquet empty": (made("a.parquet", b""), "a.parquet is empty"),
    "parquet is HTML": (made("a.parquet", b"<html>" * 9), "a.parquet holds a web page"),
    "parquet is CSV": (made("a.parquet", b"a,b\n1,2\n"), "a.parquet is a text and no Parquet"),
    "parquet is gzip": (made("a.parquet", gzip.compress(b"a")), "a.parquet is compressed by gzip"),
    "CSV empty": (made("a.csv", b""), "a.csv is empty"),
    "CSV is a spreadsheet": (made("a.csv", b"PK\x03\x04\xff"), "a.csv is a zip or a spreadsheet"),
    "CSV is parquet": (made("a.csv", b"PAR1\xff"), "a.csv is a Parquet file"),
    "CSV is gzip": (made("a.csv", gzip.compress(b"a,b\n1,2\n")), "a.csv is compressed by gzip"),
    "CSV of cp1252": (
        made("a.csv", "a,b\n1,2\ncaf\u00e9,3\n".encode("cp1252")),
        "a.csv: line 3 holds the byte 0xe9, which is not UTF-8 (in Windows-1252 it is '\u00e9'); "
        "save it as UTF-8",
    ),
    "header in cp1252": (
        made("a.csv", "pr\u00e9nom,b\n1,2\n".encode("cp1252")),
        "a.csv: line 1 holds the byte 0xe9",
    ),
    "CSV in UTF-16": (made("a.csv", "a,b\n1,2\n".encode("utf-16")), "a.csv: it is UTF-16; save it"),
    "CSV with semicolons": (
        made("a.CSV", b"PULocationID;DOLocationID\n74;75\n"),
        "a.CSV: its first line, 'PULocationID;DOLocationID', is separated by semicolons; save it "
        "with commas",
    ),
    "CSV with tabs": (
        made("a.csv", b"a\tb\n1\t2\n"),
        "a.csv: its first line, 'a\\tb', is separated",
    ),
    "CSV without a header": (
        made("a.csv", b"74,75,2.5\n74,75,3\n"),
        "a.csv: its first line, '74,75,2.5', holds values and no column names; add a line of names",
    ),
    "gzip cut short": (
        made("a.csv.gz", gzip.compress(b"a,b\n" + os.urandom(9999))[:500]),
        "a.csv.gz cannot be read, is it complete? ",
    ),
    "no gzip": (made("a.csv.gz", b"a,b\n1,2\n"), "a.csv.gz is not compressed, whatever its name"),
    "CSV ragged": (
        made("a.csv", b"a,b\n1,2\n1,2,3\n"),
        "a.csv cannot be read: Expected 2 fields in line 3, saw 3; is a comma or a quote within a",
    ),
    "CSV with a quote": (
        made("a.csv", b'a,b\n"1,2\n1,2\n'),
        "a.csv cannot be read: EOF inside string starting at row 1; is a comma or a quote",
    ),
    "CSV with a column twice": (
        made("a.csv", b"trip_distance,a, trip_distance,a\n1,2,3,4\n".replace(b" ", b"")),
        "a.csv has the column 'trip_distance' twice: leave one out",
    ),
    "another suffix": (made("a.xlsx", b"PK"), "a.xlsx: expected a .parquet, .csv or .csv.gz file"),
    "no suffix": (made("data", b""), "data: expected a .parquet, .csv or .csv.gz file"),
    "an empty folder": (folder_named("data"), "the folder "),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_file_that_cannot_be_read_is_named(case: str, tmp_path: Path) -> None:
    """One line that names the file and the reason, whatever is wrong with it."""
    make, message = UNREADABLE[case]
    with pytest.raises(TrainingError) as caught:
        read(RIDE, source_of(RIDE), [make(tmp_path)])
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
def test_a_file_that_is_not_there_is_named(name: str, tmp_path: Path) -> None:
    """The path as it was given."""
    with pytest.raises(TrainingError) as caught:
        read(RIDE, source_of(RIDE), [tmp_path / name])
    assert str(caught.value) == f"there is no file {tmp_path / name}"


@pytest.mark.parametrize(
    "shape", ["CR", "empty lines", "spaces", "Excel", "Excel's comma", "Excel's in quotes"]
)
def test_a_csv_is_read_as_a_request_reads_it(shape: str, tmp_path: Path) -> None:
    """Lines that end in a carriage return, empty ones before the names, spaces about names, a first
    line that tells Excel the separator."""
    table = data_of(RIDE, tmp_path)
    frame = pd.read_parquet(table)
    text = frame.to_csv(index=False)
    head, _, rest = text.partition("\n")
    text = {
        "CR": text.replace("\n", "\r"),
        "empty lines": "\n\n" + text,
        "spaces": f"{head.replace(',', ' , ')}\n{rest}",
        "Excel": "\ufeffsep=;\r\n" + frame.to_csv(index=False, sep=";", lineterminator="\r\n"),
        "Excel's comma": "sep=,\n" + text,
        "Excel's in quotes": '"sep=,"\r\n' + text,
    }[shape]
    (tmp_path / "b.csv").write_text(text, newline="")
    got = read(RIDE, source_of(RIDE), [tmp_path / "b.csv"]).frame
    pd.testing.assert_frame_equal(got, read(RIDE, source_of(RIDE), [table]).frame)


def test_a_cell_of_spaces_is_empty(tmp_path: Path) -> None:
    """In a column of texts and of numbers, as in a request's CSV."""
    (tmp_path / "a.csv").write_text("word,number\n ,1\na, \n NA ,3\n")
    frame = read_raw([tmp_path / "a.csv"])
    assert frame.isna().to_numpy().tolist() == [[True, False], [False, True], [False, False]]
    assert frame["word"].tolist()[1:] == ["a", " NA "]
