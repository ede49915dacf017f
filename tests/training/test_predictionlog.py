"""Prediction logs as tables: what the service has written, read back as columns."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import pytest

from scoring.models import discover
from scoring.observers.log_lines import Entry, Lines
from scoring.observers.observer import Caller
from scoring.predictor import Predictor
from tests.support import records
from training.predictionlog import main


def write(path: Path, models_dir: Path, *names: str) -> None:
    """Write a log as the service does, of some rows of each model."""
    lines = Lines((), (), "")
    data = b""
    for number, name in enumerate(names):
        model = discover()[name]
        predictor = Predictor.from_folder(models_dir / name, model)
        entry = Entry(
            1.7e9 - number,
            Caller(f"id-{number}", "shop"),
            predictor,
            predictor.many(records(model, 4)),
        )
        data += b"".join(lines.of(entry))
    path.write_bytes(data)


@pytest.mark.slow
def test_logs_become_one_table_in_the_order_of_time(
    models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fields and results are columns of their own."""
    write(tmp_path / "1", models_dir, "ride", "churn")
    write(tmp_path / "2", models_dir, "churn", "ride")
    output = tmp_path / "rides.parquet"
    words = [str(tmp_path / "1"), str(tmp_path / "2"), "--model", "ride", "--output", str(output)]
    assert main(words) == 0
    assert capsys.readouterr().out == f"10 predictions in {output}\n"
    found = pd.read_parquet(output)
    assert list(found.columns) == ["time", "request_id", "key", "version", "digest", "index",
                                   "score", "unseen", "PULocationID", "DOLocationID",
                                   "trip_distance", "duration"]  # fmt: skip
    assert set(found["key"]) == {"shop"}
    assert found["time"].is_monotonic_increasing
    assert str(found["time"].dt.tz) == "UTC"
    assert [row.name for row in tmp_path.iterdir() if row.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"schema": 2}', "line 1: its schema is 2, not 1"),
        ('{"schema": 1}', "line 1: it is not a line of a prediction log"),
        ("[]", "line 1: it is not a line of a prediction log"),
        ("torn {", "line 1: it is not a line of a prediction log"),
        ("", "there is no such prediction in these files"),
    ],
)
def test_what_is_no_log_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    """File and line, and nothing is left behind."""
    (tmp_path / "log").write_text(text)
    assert main([str(tmp_path / "log"), "--output", str(tmp_path / "out")]) == 1
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_several_models_are_no_one_table(
    models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One must be chosen."""
    write(tmp_path / "log", models_dir, "ride", "churn")
    assert main([str(tmp_path / "log"), "--output", str(tmp_path / "out")]) == 1
    assert "choose one by --model: churn, ride" in capsys.readouterr().err


def test_a_full_disk_leaves_the_old_table(
    models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """One line, and no file beside the old one."""
    write(tmp_path / "log", models_dir, "ride")
    (tmp_path / "out").write_text("the old one")

    def full(_table: pd.DataFrame, file: BinaryIO, **_: object) -> None:
        file.write(b"PAR1")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    assert main([str(tmp_path / "log"), "--output", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err == "predictionlog: [Errno 28] No space left on device\n"
    assert (tmp_path / "out").read_text() == "the old one"
    assert {path.name for path in tmp_path.iterdir()} == {"log", "out"}
