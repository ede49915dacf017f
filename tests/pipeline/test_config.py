"""`pipeline.toml`."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import Config, read
from pipeline.errors import UsageError


def test_each_model_has_its_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it does not say is as where there is no file."""
    monkeypatch.chdir(tmp_path)
    assert read(None, "ride") == Config()
    Path("pipeline.toml").write_text('[ride.gate]\nmargin = 0.02\nsegments = ["PULocationID"]\n')
    assert read(None, "ride").gate.margin == 0.02
    assert read(None, "churn") == Config()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("[ride", "cannot be read", id="no TOML"),
        pytest.param("[ride.gate]\nmagin = 1", r"\[ride\] gate.magin: ", id="misspelt"),
        pytest.param("[ride.gate]\nmargin = 2", r"\[ride\] gate.margin: ", id="too large"),
        pytest.param("[ride.check]\nmax_psi = nan", r"\[ride\] check.max_psi: ", id="NaN"),
        pytest.param('[ride.search]\nspace = ["a.toml"]', r"search.space: .*'a.toml' is not NAME=",
                     id="a space in a file"),
        pytest.param('[ride.search]\ntrials = 9\nspace = ["a=1..2"]', "need train.estimator",
                     id="a space of no estimator"),
        pytest.param("ride = 1", r"\[ride\] ", id="no table"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_it_is_named(tmp_path: Path, text: str, why: str) -> None:
    """The file, the table and the first bad value."""
    place = tmp_path / "pipeline.toml"
    place.write_text(text)
    with pytest.raises(UsageError, match=why):
        read(place, "ride")


def test_a_file_that_is_asked_for_must_be_there(tmp_path: Path) -> None:
    """Only `pipeline.toml` itself may be missing."""
    with pytest.raises(UsageError, match="there is no file"):
        read(tmp_path / "other.toml", "ride")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param('cron = ["61 5 * * *"]', "'61 5 . . .' is no time in cron", id="minute"),
        pytest.param('cron = ["0 0 5 * * *"]', "is no time in cron's five fields", id="seconds"),
        pytest.param('cron = ["0 0 31 2 *"]', "is no time in cron's five fields", id="never"),
        pytest.param('timezone = "Mars/Olympus"', "no time zone 'Mars/Olympus'", id="zone"),
        pytest.param('timezone = "/etc/passwd"', "no time zone '/etc/passwd'", id="path"),
    ],
)
def test_a_time_that_never_comes_is_refused(tmp_path: Path, text: str, why: str) -> None:
    """With the words that are wrong."""
    (tmp_path / "p.toml").write_text(f"[ride.watch]\n{text}\n")
    with pytest.raises(UsageError, match=why):
        read(tmp_path / "p.toml", "ride")
