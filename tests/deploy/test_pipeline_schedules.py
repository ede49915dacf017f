"""What starts the pipeline by the clock: systemd's timer and cron."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli import _parser
from tests.support import ROOT, installed

FOLDER = ROOT / "deploy" / "pipeline"


def words_of(command: str) -> list[str]:
    """Return the words of our command line in a line of a file."""
    found = re.search(r"\.venv/bin/python -m pipeline (.*)", command)
    assert found
    return shlex.split(found[1].partition(">")[0].replace("%i", "ride"))


@pytest.mark.slow
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """Nothing is unknown to it, and its words are ours."""
    program = installed("systemd-analyze", package="systemd")
    for name in ("pipeline@.service", "pipeline@.timer"):
        text = (FOLDER / name).read_text()
        text = text.replace("/opt/prediction-service/.venv/bin/python", sys.executable)
        text = text.replace("User=prediction\n", "").replace("/opt/prediction-service", str(ROOT))
        (tmp_path / name.replace("@", "@ride")).write_text(text)
    done = subprocess.run(
        [program, "verify", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = [line for line in done.stderr.splitlines() if "pipeline@" in line]
    assert said == []
    assert done.returncode == 0, done.stderr


def test_the_schedules_give_words_that_the_command_takes() -> None:
    """The unit's, and those of the line for cron, which has five fields of time."""
    unit = (FOLDER / "pipeline@.service").read_text()
    [line] = [one for one in (FOLDER / "crontab").read_text().splitlines() if one[:1].isdigit()]
    for command in (unit, line):
        assert _parser().parse_args(words_of(command)).model == "ride"
    assert re.fullmatch(r"30 5 \* \* \* cd .*", line)
