"""examples/promote.py over a batch's output: the same customers as through the API, and nothing
where the file is no finished batch's."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scoring.models import discover
from tests.support import ROOT, Server, records

pytestmark = pytest.mark.slow  # starts processes

COUNT = 200


@pytest.fixture
def customers(tmp_path: Path) -> Path:
    """Two hundred customers, three of whom no model can score."""
    rows = [
        {"customerID": f"C-{n}", "email": f"c{n}@example.com", "Churn": "No", **record}
        for n, record in enumerate(records(discover()["churn"], COUNT))
    ]
    rows[3]["tenure"], rows[17]["contract"], rows[150]["monthlycharges"] = "ten", "Weekly", ""
    path = tmp_path / "customers.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


Ran = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def ran(tmp_path: Path, models_dir: Path) -> Ran:
    """Run a program of ours in the test's folder."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "web-service")])

    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *map(str, words)], cwd=tmp_path, capture_output=True, text=True,
            env={**os.environ, "MODELS_DIR": str(models_dir), "PYTHONPATH": paths},
            check=False, timeout=120,
        )  # fmt: skip

    return run


PROMOTE = ROOT / "examples" / "promote.py"


def offers(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("would be sent to")]


@pytest.mark.parametrize("keep", ["all", "customerID,email"])
def test_the_file_and_the_api_write_to_the_same_customers(
    ran: Ran, customers: Path, server: Server, keep: str
) -> None:
    """The same offers, in the same order, and the same rows refused for the same reasons."""
    asked = ran(PROMOTE, customers, "--dry-run", "--url", f"{server.url}/predict/churn")
    made = ran("-m", "batch", "churn", customers, "--keep", keep, "--output", "scored.csv")
    assert made.returncode == 0, made.stderr
    told = ran(PROMOTE, "scored.csv", "--scored", "--dry-run", "--url", "http://127.0.0.1:9/")
    assert offers(told.stdout) == offers(asked.stdout)
    good = len(customers.read_text().splitlines()) - 1 - 3
    assert 0 < len(offers(told.stdout)) < good
    assert told.returncode == asked.returncode == 1  # three rows need a person
    refused = [line.partition("batch says ")[2] for line in told.stderr.splitlines()]
    words = [line.partition("service says ")[2] for line in asked.stderr.splitlines()]
    assert [text.partition(":")[0] for text in words] == ["tenure", "contract", "monthlycharges"]
    assert [text.partition(":")[0] for text in refused] == ["tenure", "contract", "monthlycharges"]
    assert [line.partition(":")[0] for line in told.stderr.splitlines()] == [
        line.partition(":")[0] for line in asked.stderr.splitlines()
    ]  # fmt: skip
    assert told.stdout.splitlines()[len(offers(told.stdout))].split() == ["scored", str(good)]


def test_the_bundled_customers_go_this_way_too(ran: Ran, server: Server) -> None:
    """As the docs show it. The charges of the one who is new are blank, which promote.py reads as
    0 before it asks; a batch refuses the row, so that a person hears of it."""
    bundled = ROOT / "examples" / "customers.csv"
    words = ("-m", "batch", "churn", bundled, "--fold-names", "--output", "scored.csv")
    assert ran(*words).returncode == 0
    told = ran(PROMOTE, "scored.csv", "--scored", "--dry-run")
    asked = ran(PROMOTE, bundled, "--dry-run", "--url", f"{server.url}/predict/churn")
    new = [line for line in offers(asked.stdout) if "1007-" in line]
    assert offers(told.stdout) == [line for line in offers(asked.stdout) if line not in new]
    [complaint] = told.stderr.splitlines()
    assert complaint.startswith("line 8: skipped: of ")
    assert "totalcharges" in complaint
    assert (told.returncode, asked.returncode) == (1, 0)


def test_what_is_no_finished_batchs_sends_nothing(ran: Ran, customers: Path) -> None:
    """A file without a run beside it, a run without its end, a row without an answer: one line."""
    words = ("-m", "batch", "churn", customers, "--output", "scored.csv")

    def problem(file: str | Path) -> str:
        done = ran(PROMOTE, file, "--scored", "--dry-run")
        assert (done.returncode, offers(done.stdout)) == (1, [])
        [line] = done.stderr.splitlines()
        return line

    assert "is no finished batch's" in problem(customers)
    assert ran(*words).returncode == 0
    folder = customers.parent
    whole = (folder / "scored.csv").read_text()
    head, first, *rest = whole.splitlines(keepends=True)
    broken = first.replace("true", "perhaps").replace("false", "perhaps")
    (folder / "scored.csv").write_text("".join([head, broken, *rest]))
    assert "line 2 does not say `churn`" in problem("scored.csv")
    (folder / "scored.csv").write_text(whole)
    [told] = (folder / "scored.csv.run" / "rejected").iterdir()
    told.write_text("half a line {")
    assert "refused rows" in problem("scored.csv")
    (folder / "scored.csv.run" / "_SUCCESS").unlink()
    assert "is no finished batch's" in problem("scored.csv")
