"""A model from a real MLflow server: one version a run, whatever its alias does meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.batch.conftest import Ended
from tests.batch.support import report, scored, write_rides
from tests.scoring.registry.conftest import Shop
from tests.scoring.registry.mlflow_server import Weather
from tests.scoring.registry.rides import RIDES
from tests.support import ROOT, wait_for

pytestmark = pytest.mark.slow  # starts MLflow

Batch = Callable[..., Ended]


@pytest.fixture
def follow(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The shop of a test whose runs ask its server and keep what they got in a cache of its own."""
    for name, value in shop.settings(tmp_path / "cache").items():
        monkeypatch.setenv(name, value)
    return shop


def uri(selector: str) -> str:
    return f"models:/ride-duration{selector}"


def write_known_rides(path: Path) -> None:
    """Write the rides whose answers the shop knows."""
    pq.write_table(pa.Table.from_pylist(RIDES), path)


def started(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    """Start a run in a process of its own."""
    with (folder / "said").open("ab") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "batch", *words], cwd=ROOT, stdout=said, stderr=said,
            env=dict(os.environ),
        )  # fmt: skip


@pytest.mark.parametrize("by", ["alias", "number"])
def test_a_version_of_the_registry_scores(
    batch: Batch, follow: Shop, tmp_path: Path, by: str
) -> None:
    """The answers are that version's, and carry the registry's number."""
    number = follow.register()
    follow.promote(number)
    other = follow.register()
    assert other != number
    write_known_rides(tmp_path / "a.parquet")
    selector = f"@{follow.alias}" if by == "alias" else f"/{number}"
    ended = batch("ride", "a.parquet", "--output", "out", "--model", uri(selector))
    assert ended.status == 0, ended.err
    rows = scored(tmp_path / "out")
    assert [row["duration"] for row in rows] == follow.answers[number]
    assert {row["model_version"] for row in rows} == {number}
    model = report(tmp_path / "out")["model"]
    assert (model["version"], model["pinned"]) == (number, uri(f"/{number}"))
    assert model["reference"] == uri(selector)


@pytest.mark.long
@pytest.mark.parametrize("interruption", [signal.SIGSTOP, signal.SIGKILL])
def test_an_alias_that_moves_in_the_middle_changes_nothing(
    follow: Shop, tmp_path: Path, interruption: signal.Signals
) -> None:
    """A run that goes on, and one that was killed and is started again, end with the version with
    which they began; the next run takes the new one."""
    first, second = follow.register(), follow.register()
    follow.promote(first)
    sources = [
        str(write_rides(tmp_path / "in" / f"{n:02}.parquet", 20_000, group=20_000))
        for n in range(24)
    ]
    words = ["ride", *sources, "--model", uri(f"@{follow.alias}"), "--workers", "1", "--output"]
    out = tmp_path / "out"
    ledger = out / "_unfinished" / "ledger"
    run = started(tmp_path, *words, str(out))
    wait_for(lambda: list(ledger.glob("*.json")) or run.poll() is not None, "the first part")
    run.send_signal(interruption)
    assert not (out / "_SUCCESS").exists(), "it ended before anything could happen"
    follow.promote(second)
    if interruption == signal.SIGKILL:
        run.wait(30)
        run = started(tmp_path, *words, str(out))
    else:
        run.send_signal(signal.SIGCONT)
    assert run.wait(120) == 0, (tmp_path / "said").read_text()
    said = report(out)
    assert said["model"]["version"] == first
    assert (said["resumed_parts"] > 0) == (interruption == signal.SIGKILL)
    assert {part["input"] for part in said["output"]["parts"]} == set(sources)
    for part in out.glob("part-*"):
        assert pq.read_table(part)["model_version"].unique().to_pylist() == [first]
    after = started(tmp_path, *words[:1], sources[0], *words[-5:], str(tmp_path / "next"))
    assert after.wait(120) == 0, (tmp_path / "said").read_text()
    assert report(tmp_path / "next")["model"]["version"] == second


def test_a_registry_that_is_away_says_so(
    batch: Batch,
    follow: Shop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    weather: Callable[[], Weather],
) -> None:
    """Status 1 and one line that names the server, and nothing is left; a numbered version that was
    used before comes from the cache."""
    number = follow.register()
    follow.promote(number)
    between = weather()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", between.url)
    write_known_rides(tmp_path / "a.parquet")
    words = ("ride", "a.parquet", "--output")
    assert batch(*words, "before", "--model", uri(f"/{number}")).status == 0
    between.close()
    ended = batch(*words, "out", "--model", uri(f"@{follow.alias}"))
    assert ended.status == 1
    assert len(ended.err.splitlines()) == 1
    assert ended.err.startswith("batch: ")
    assert between.url in ended.err
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
    ended = batch(*words, "out", "--model", uri(f"/{number}"))
    assert ended.status == 0, ended.err
    assert [row["duration"] for row in scored(tmp_path / "out")] == follow.answers[number]


def test_an_unfinished_run_goes_on_while_the_registry_is_away(
    batch: Batch,
    follow: Shop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    weather: Callable[[], Weather],
) -> None:
    """Its version is known by the number, and lies in the cache."""
    number = follow.register()
    follow.promote(number)
    between = weather()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", between.url)
    write_rides(tmp_path / "a.parquet", 10, trip_distance=[-1.0, *[1.0] * 9])
    words = ("ride", "a.parquet", "--output", "out", "--model", uri(f"@{follow.alias}"))
    assert batch(*words, "--strict").status == 3
    between.close()
    ended = batch(*words)
    assert ended.status == 0, ended.err
    assert report(tmp_path / "out")["model"]["version"] == number


def test_a_reference_that_does_not_fit_is_named(
    batch: Batch, follow: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An alias that nobody set is a failure; another model's version, what is no reference, and a
    registry without an address are wrong usage."""
    number = follow.register()
    write_known_rides(tmp_path / "a.parquet")

    def ended(model: str, reference: str) -> tuple[int, str]:
        found = batch(model, "a.parquet", "--output", "out", "--model", reference)
        return found.status, found.err

    status, said = ended("ride", uri("@nobody"))
    assert (status, "nobody" in said) == (1, True)
    status, said = ended("churn", uri(f"/{number}"))
    assert (status, "is a model of 'ride', not churn" in said) == (2, True)
    status, said = ended("ride", uri("/latest"))
    assert (status, "write models:/NAME@ALIAS" in said) == (2, True)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    monkeypatch.delenv("MODEL_ALIAS")  # set in vain without it, which is said first
    status, said = ended("ride", uri(f"/{number}"))
    assert (status, "needs MLFLOW_TRACKING_URI" in said) == (2, True)


def test_files_that_are_not_the_manifests_are_refused(
    batch: Batch, follow: Shop, tmp_path: Path
) -> None:
    """The registry's checks hold for a batch, too."""
    folder = follow.artifact()
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    with (folder / manifest["file"]).open("ab") as file:
        file.write(b"more")
    number = follow.register(folder)
    write_known_rides(tmp_path / "a.parquet")
    ended = batch("ride", "a.parquet", "--output", "out", "--model", uri(f"/{number}"))
    assert ended.status == 1
    assert "sha256" in ended.err
