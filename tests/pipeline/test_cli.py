"""The command line, in this process and in one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import run as module
from pipeline.cli import main
from pipeline.errors import StoppedError
from tests.pipeline.support import copied, month, months
from tests.support import ROOT
from tests.training.support import saved
from training import months as published
from training.errors import DownloadError


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, good: Path) -> Path:
    """An empty folder, and a training that takes a moment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(module, "fit", copied(good))
    return tmp_path


@pytest.mark.slow
def test_a_run_and_what_is_told_of_it(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each step; status and history as text, JSON and a page."""
    words = ["run", "ride", "--data", *map(str, months(place, 3))]
    assert main([*words, "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("would run: no run has finished yet\n")
    assert main(["status", "ride"]) == 0
    assert capsys.readouterr().out == "ride: nothing serves\nno run in runs yet\n"
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines[1:]] == [
        "ingest", "check", "train", "gate", "register", "promote", "promoted",
    ]  # fmt: skip
    assert main(words) == 0
    assert capsys.readouterr().out.startswith("nothing to do: run 000001-")
    assert main(["status", "ride"]) == 0
    assert " serves, trained 20" in capsys.readouterr().out
    assert main(["status", "ride", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["last"]["state"] == "promoted"
    assert main(["history", "ride", "--html", "page.html"]) == 0
    assert "  promoted  no run has finished yet" in capsys.readouterr().out
    page = (place / "page.html").read_text()
    assert "trips-2021-03.parquet is held out" in page
    assert "src=" not in page
    assert "href=" not in page
    assert main(["history", "ride", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1


@pytest.mark.slow
def test_what_is_refused_has_status_3(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The reason is one line on the error output."""
    files = [*months(place, 3), saved(month(4, miles=1.609), place / "trips-2021-04.parquet")]
    assert main(["run", "ride", "--data", *map(str, files)]) == 3
    said = capsys.readouterr().err.splitlines()
    [error] = [line for line in said if not line.endswith(" s")]  # of a step that took long
    assert error.startswith("pipeline: trip_distance is 61% higher on average")
    words = ["run", "ride", "--dry-run", "--data", *map(str, files)]
    later = saved(month(5), place / "trips-2021-05.parquet")
    for more, there in (([], 0), (["--learn-refused"], 1)):
        assert main([*words, str(later), *more]) == 0
        assert capsys.readouterr().out.count("/trips-2021-04.parquet") == there


@pytest.mark.slow
def test_how_a_run_ended_as_json(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object, which an orchestrator reads; the steps' lines are on the error output."""
    words = ["run", "ride", "--json", "--data"]
    files = [str(path) for path in months(place, 3)]
    for status, more, state, said in (
        (0, ["--until", "check"], "partly", "until check, as asked: 400 new rows are like those "),
        (0, [], "promoted", "/"),
        (0, [], "nothing", "nothing to do: run 000002-"),
        (3, [], "refused", "trip_distance is 61% higher on average"),
    ):
        if state == "refused":
            files.append(str(saved(month(4, miles=1.609), place / "trips-2021-04.parquet")))
        assert main([*words, *files, *more]) == status
        told, lines = capsys.readouterr()
        assert json.loads(told).keys() == {"state", "said"}
        assert (json.loads(told)["state"], json.loads(told)["said"][: len(said)]) == (state, said)
        assert (state != "partly") or lines.splitlines()[1].startswith("ingest: ")
    assert main([*words, "no.csv"]) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_wrong_usage_has_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    """A model, a file, a month that there is not."""
    for words, why in (
        (["run", "rides"], "there is no model 'rides'; there are "),
        (["run", "ride", "--data", "no.csv"], "there is no file no.csv"),
        (["run", "ride", "--config", "no.toml"], "there is no file no.toml"),
        (["run", "churn"], "nobody publishes data of 'churn' by month"),
        (["run", "ride", "--from", "gate", "--until", "check"], "--until check comes before --"),
        (["backfill", "ride", "2021"], "2021: months are written as 2025-01..2025-12"),
        (["backfill", "ride", "2021-02..2021-01"], "the first month comes first"),
    ):
        assert main(words) == 2
        assert why in capsys.readouterr().err


@pytest.mark.slow
def test_what_fails_has_status_1(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that cannot be made, a signal, a disk that is full."""
    (place / "file").touch()
    assert main(["run", "ride", "--runs", "file"]) == 1
    assert "file/ride cannot be made" in capsys.readouterr().err
    for error, why in (
        (StoppedError("stopped by SIGTERM; the same command goes on"), "stopped by SIGTERM"),
        (OSError(28, "No space left on device", "runs"), "No space left on device: runs; the same"),
    ):

        def failing(_: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(module, "files", failing)
        assert main(["run", "ride"]) == 1
        assert capsys.readouterr().err.startswith(f"pipeline: {why}")


def test_history_of_nothing_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """A model that never ran."""
    assert main(["history", "ride"]) == 0
    assert capsys.readouterr().out == "no run of ride in runs yet\n"


@pytest.mark.slow
def test_months_are_backfilled_in_their_order(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is a run of its own; one that is refused does not end it, a second call does nothing."""
    files = {f"2021-{n:02d}": path for n, path in enumerate(months(place, 5, miles=1.609), 1)}
    monkeypatch.setattr(published, "fetched", lambda names, _: [files[name] for name in names])
    assert main(["backfill", "ride", "2021-03..2021-05"]) == 3
    said = capsys.readouterr().out.splitlines()
    assert [line[:16] for line in said if line[:4] == "2021"] == [
        "2021-03 promoted", "2021-04 promoted", "2021-05 refused:",
    ]  # fmt: skip
    assert main(["backfill", "ride", "2021-03..2021-04"]) == 0
    assert capsys.readouterr().out.count("nothing to do") == 2


@pytest.mark.slow
def test_the_newest_published_month_is_looked_for(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From this month backwards; the answer holds for some hours, without asking again."""
    asked: list[str] = []
    files = months(place, 3)

    def fetched(names: list[str], _: str | None) -> list[Path]:
        asked.append(names[-1])
        if len(asked) < 4:
            raise DownloadError(f"{names[-1]} is not published")
        return files[2:] if len(names) == 1 else files[:2]

    monkeypatch.setattr(published, "fetched", fetched)
    monkeypatch.setattr(published, "asked_again", lambda *_: {})
    assert main(["run", "ride"]) == 0
    assert len(asked) == 5
    assert asked[:4] == sorted(asked[:4], reverse=True)
    assert main(["run", "ride"]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert len(asked) == 5
    (place / "runs/ride/asked.json").unlink()

    def none(names: list[str], _: str | None) -> list[Path]:
        raise DownloadError(f"{names[-1]}: no route")

    monkeypatch.setattr(published, "fetched", none)
    assert main(["run", "ride"]) == 1
    assert "none of the last 7 months can be had: " in capsys.readouterr().err


@pytest.mark.slow
def test_a_folder_of_the_configuration_is_looked_into(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where --data names nothing."""
    (place / "new").mkdir()
    months(place / "new", 3)
    (place / "pipeline.toml").write_text('[ride.data]\nfolder = "new"\n')
    assert main(["run", "ride"]) == 0
    assert "trips-2021-03.parquet is held out" in capsys.readouterr().out


@pytest.mark.slow
def test_the_whole_of_it_in_a_process(place: Path) -> None:
    """A real training, what it made serves, and a second call that imports nothing that trains."""
    words = ["run", "ride", "--data", *map(str, months(place, 3))]
    command = [sys.executable, "-m", "pipeline", *words]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "promoted: " in done.stdout
    assert (place / "models/ride/manifest.json").exists()
    command.insert(1, "-Ximporttime")
    again = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert again.stdout.startswith("nothing to do: run 000001-")
    assert not {"pandas", "sklearn", "numpy", "mlflow"} & {
        line.rpartition("|")[2].strip() for line in again.stderr.splitlines()
    }
