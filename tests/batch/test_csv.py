"""CSV: cells as a CSV request has them, separators and encodings named, damaged files said."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scoring.errors import InvalidRecords
from scoring.limits import Limits
from scoring.predictor import Predictor
from serving.protocols.lines import csv_records
from tests.batch.conftest import Ended
from tests.batch.support import CHURN, RIDE

Batch = Callable[..., Ended]

HEAD = "PULocationID,DOLocationID,trip_distance,note\n"
CELLS = [
    "74", "74.0", "74.", "7.4e1", "+74", " 74 ", "-74", "074", "0x4A", "1_0", "74.5", "1e400",
    "nan", "inf", "", "true", "\uff19", "999999999999999999999999", "74,5", '" 74"', "1e-400",
]  # fmt: skip


def outcome(predictor: Predictor, line: str) -> Any:
    """Return what a CSV request of one line is answered: a duration, or the problems."""
    try:
        [value] = csv_records((HEAD + line).encode(), RIDE, limits=Limits())
        return predictor.one(value).answers[0]["duration"]
    except InvalidRecords as error:
        return [(one.field, one.problem) for one in error.errors]


@pytest.mark.slow
@pytest.mark.parametrize("place", [0, 2])
def test_every_cell_is_what_a_request_makes_of_it(
    batch: Batch, tmp_path: Path, models_dir: Path, place: int
) -> None:
    """Odd cells of a whole number and of a number: the same answers, the same refusals; whether the
    block is plain or not."""
    predictor = Predictor.from_folder(models_dir / "ride", RIDE)
    for number, cell in enumerate(CELLS):
        if "," in cell:
            continue  # a line of five cells is told otherwise
        row = ["74", "75", "2.5", "x"]
        row[place] = cell
        line = ",".join(row) + "\n"
        (tmp_path / "a.csv").write_text(HEAD + "74,75,1.5,y\n" + line, encoding="utf-8")
        assert batch("ride", "a.csv", "--output", f"out{number}.jsonl").status == 0
        rows = (tmp_path / f"out{number}.jsonl").read_text(encoding="utf-8").splitlines()
        told = list((tmp_path / f"out{number}.jsonl.run").glob("rejected/*.jsonl"))
        if told:
            [refused] = told[0].read_text(encoding="utf-8").splitlines()
            found: Any = [(e["field"], e["problem"]) for e in json.loads(refused)["errors"]]
            assert len(rows) == 1
        else:
            found = json.loads(rows[1])["duration"]
        assert found == outcome(predictor, line), cell


def test_another_encoding_is_named_and_then_read(batch: Batch, tmp_path: Path) -> None:
    """UTF-8 unless it is said; the refusal says which byte, and which encoding it may be."""
    text = HEAD + "74,75,2.5,Café\n" * 3
    for encoding in ("cp1252", "utf-16"):
        (tmp_path / "a.csv").write_text(text, encoding=encoding)
        ended = batch("ride", "a.csv", "--output", f"{encoding}.jsonl")
        assert ended.status == 2
        assert f"a.csv is not UTF-8: byte {0 if encoding == 'utf-16' else 58} cannot" in ended.err
        assert f"--encoding {encoding}" in ended.err
        assert not (tmp_path / f"{encoding}.jsonl").exists()
        words = ("ride", "a.csv", "--output", f"{encoding}.jsonl", "--encoding", encoding)
        assert batch(*words).status == 0
        rows = (tmp_path / f"{encoding}.jsonl").read_text(encoding="utf-8").splitlines()
        assert [json.loads(row)["note"] for row in rows] == ["Café"] * 3
    ended = batch("ride", "a.csv", "--output", "x.jsonl", "--encoding", "klingon")
    assert (ended.status, "not an encoding that Python knows" in ended.err) == (2, True)


def test_text_that_ends_within_a_character_is_said(batch: Batch, tmp_path: Path) -> None:
    """The last byte of a file that was cut."""
    (tmp_path / "a.csv").write_bytes((HEAD + "74,75,2.5,Café").encode()[:-1])
    ended = batch("ride", "a.csv", "--output", "out.jsonl")
    assert ended.status == 2
    assert "a.csv is not UTF-8" in ended.err


def test_another_separator_is_named_and_then_read(batch: Batch, tmp_path: Path) -> None:
    """A file of one column asks; with --separator it is read, and quotes hold separators."""
    (tmp_path / "a.csv").write_text(
        HEAD.replace(",", ";") + '74;75;2.5;"one; two"\n', encoding="utf-8"
    )
    ended = batch("ride", "a.csv", "--output", "out.jsonl")
    assert (ended.status, "--separator ';'" in ended.err) == (2, True)
    assert batch("ride", "a.csv", "--output", "out.jsonl", "--separator", ";").status == 0
    [row] = (tmp_path / "out.jsonl").read_text().splitlines()
    assert json.loads(row)["note"] == "one; two"
    ended = batch("ride", "a.csv", "--output", "x.jsonl", "--separator", ";;")
    assert (ended.status, "--separator takes one character" in ended.err) == (2, True)


@pytest.mark.parametrize("separator", [";", ","])
def test_excels_line_of_the_separator_is_named(
    batch: Batch, tmp_path: Path, separator: str
) -> None:
    """Whatever --separator says."""
    text = f"sep={separator}\r\n" + (HEAD + "74,75,2.5,a\n").replace(",", separator)
    (tmp_path / "a.csv").write_text(text, encoding="utf-8-sig", newline="")
    for more in ((), ("--separator", separator)):
        ended = batch("ride", "a.csv", "--output", "out.jsonl", *more)
        assert ended.status == 2
        assert (
            f"a.csv: line 1 is Excel's sep= line; leave it out (tail -n +2), and say "
            f"--separator '{separator}'" in ended.err
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "separator", "line"),
    [
        ("ride", ",", "74,75,2.5"),
        ("ride", "\t", "74\t75\t2.5"),
        ("churn", ",", "female,0,yes,no,1,no,no phone service,dsl,no,yes,no,no,no,no,"
         "month-to-month,yes,electronic check,29.85,29.85"),
    ],
)  # fmt: skip
def test_a_file_without_a_line_of_names_is_said_to_be_one(
    batch: Batch, tmp_path: Path, name: str, separator: str, line: str
) -> None:
    """With what its first line holds and what should stand there; columns that are numbers are
    names where --column says so."""
    (tmp_path / "a.csv").write_text(f"{line}\n{line}\n")
    words = (name, "a.csv", "--output", "out.csv", "--separator", separator)
    ended = batch(*words)
    assert ended.status == 2
    shown = " ".join(line[:100].split())
    assert f"a.csv begins with values ({shown}) and not with a line of column names" in ended.err
    model = {"ride": RIDE, "churn": CHURN}[name]
    assert " ".join(separator.join(model.record.model_fields).split()) in ended.err
    if name == "ride":
        pairs = zip(model.record.model_fields, line.split(separator), strict=True)
        columns = [word for pair in pairs for word in ("--column", "=".join(pair))]
        assert batch(*words, *columns).status == 0


@pytest.mark.slow
def test_a_gzip_that_was_cut_publishes_nothing(batch: Batch, tmp_path: Path) -> None:
    """As a download that broke off; whole, it is read."""
    text = HEAD + "".join(f"{n % 265 + 1},75,{n % 97 / 7},{n * n}\n" for n in range(50_000))
    whole = gzip.compress(text.encode())
    (tmp_path / "a.csv.gz").write_bytes(whole[: len(whole) * 2 // 3])
    ended = batch("ride", "a.csv.gz", "--output", "out.parquet")
    assert ended.status == 1
    assert "a.csv.gz cannot be read, is it complete?" in ended.err
    assert not (tmp_path / "out.parquet").exists()
    (tmp_path / "a.csv.gz").write_bytes(whole)
    assert batch("ride", "a.csv.gz", "--output", "out.parquet", "--restart").status == 0


def test_an_empty_file_and_a_broken_quote_are_said(batch: Batch, tmp_path: Path) -> None:
    """Neither is a table."""
    (tmp_path / "a.csv").write_bytes(b"")
    ended = batch("ride", "a.csv", "--output", "out.csv")
    assert (ended.status, "a.csv is empty" in ended.err) == (2, True)
    (tmp_path / "a.csv").write_text(HEAD + '74,75,2.5,"open\n74,75,2.5,x\n')
    ended = batch("ride", "a.csv", "--output", "out.csv")
    assert ended.status in (0, 1)
    if ended.status == 0:  # then the open cell holds the rest, as csv itself reads it
        with (tmp_path / "out.csv").open(newline="") as file:
            assert [row["note"] for row in csv.DictReader(file)] == ["open\n74,75,2.5,x\n"]
    else:
        assert "cannot be read as CSV" in ended.err


def test_empty_lines_before_the_names_are_none_and_a_bare_carriage_return_is_said(
    batch: Batch, tmp_path: Path
) -> None:
    """The first are left out, as a request's are; of the second it is said what to do."""
    (tmp_path / "a.csv").write_text("\n\r\n" + HEAD + "74,75,2.5,x\n", newline="")
    assert batch("ride", "a.csv", "--output", "out.csv").status == 0
    [row] = csv.DictReader((tmp_path / "out.csv").read_text().splitlines())
    assert row["note"] == "x"
    (tmp_path / "a.csv").write_text((HEAD + "74,75,2.5,x\n").replace("\n", "\r"), newline="")
    ended = batch("ride", "a.csv", "--output", "other.csv")
    assert (ended.status, "let them end in a line feed" in ended.err) == (2, True)


def test_written_csv_is_read_back(batch: Batch, tmp_path: Path) -> None:
    """Quotes, line ends and unseen categories in one cell."""
    note = 'a "quoted", cell\nof two lines'
    with io.StringIO(newline="") as text:
        writer = csv.writer(text)
        writer.writerows([HEAD.strip().split(","), ["264", "265", "2.5", note]])
        (tmp_path / "a.csv").write_text(text.getvalue(), encoding="utf-8", newline="")
    assert batch("ride", "a.csv", "--output", "out.csv").status == 0
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        [row] = csv.DictReader(file)
    assert row["note"] == note
    assert row["unseen"] == "PU_DO=264_265"


def test_a_last_line_without_an_end_is_of_the_block_before_it(
    batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is scored, in its order, and makes no part of its own."""
    monkeypatch.setattr("batch.inputs.text.BLOCK_BYTES", 400)
    lines = [f"74,75,{n}.5,n{n}" for n in range(60)]
    for name, end in (("with", "\n"), ("without", "")):
        (tmp_path / f"{name}.csv").write_text(HEAD + "\n".join(lines) + end)
        ended = batch("ride", f"{name}.csv", "--output", name)
        assert ended.status == 0, ended.err
    parts = {path.name: path.read_bytes() for path in (tmp_path / "with").glob("part-*")}
    assert len(parts) > 1
    assert {p.name: p.read_bytes() for p in (tmp_path / "without").glob("part-*")} == parts
