"""Runs with real files, artifacts and folders; the training itself is an artifact that is ready."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline import dry, publish, reasons
from pipeline import run as module
from pipeline.config import Check, Config, Data, Gate, Promote
from pipeline.errors import PipelineError, RefusedError, UsageError
from pipeline.reasons import Nothing
from pipeline.records import Busy
from pipeline.run import run
from pipeline.steps import NAMES, Work
from tests.pipeline.support import asked, copied, month, months, states, told
from tests.training.support import saved

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def ready(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train by taking the artifact at hand."""
    monkeypatch.setattr(module, "fit", copied(good))


def test_new_data_becomes_what_serves_once(tmp_path: Path, good: Path) -> None:
    """The first call promotes; the second does nothing, says so, and writes no record."""
    call = asked(tmp_path, months(tmp_path, 3))
    record = run(call)
    assert record["state"] == "promoted"
    assert record["why"] == "no run has finished yet"
    assert [step["name"] for step in record["steps"]] == [
        "ingest", "check", "train", "gate", "register", "promote",
    ]  # fmt: skip
    assert told(tmp_path / "models/ride") == told(good)
    with pytest.raises(Nothing, match=f"nothing to do: run {record['run']} did the same"):
        run(call)
    assert len(call.runs.all()) == 1


def test_a_run_says_why_it_ran(tmp_path: Path) -> None:
    """New files are named, and so is a file that was published again with other bytes."""
    files = months(tmp_path, 3)
    run(asked(tmp_path, files))
    with pytest.raises(RefusedError):
        run(asked(tmp_path, months(tmp_path, 3, miles=2.5)))
    changed = asked(tmp_path).runs.all()[-1]
    assert changed["why"].startswith("other bytes than in run ")
    assert changed["why"].endswith("trips-2021-03.parquet")
    both = run(asked(tmp_path, months(tmp_path, 4)))
    assert both["why"].startswith("other bytes than in run ")
    assert both["why"].endswith("trips-2021-03.parquet; new data: trips-2021-04.parquet")


def test_a_month_that_was_refused_is_not_learned_from_later(tmp_path: Path) -> None:
    """The run says so; other bytes, a later verdict or the user take it in again."""
    files = months(tmp_path, 4)
    good = files[2].read_bytes()
    saved(month(3, miles=2.5), files[2])
    call = asked(tmp_path, files[:3])
    with pytest.raises(RefusedError):
        run(call)
    [refused] = call.runs.all()
    later = asked(tmp_path, files)
    out = f"without {files[2].name}, which the check of run {refused['run']} refused"
    assert dry.lines(later)[0].endswith(out)
    record = run(later)
    assert record["why"].endswith(f"new data: {files[3].name}; {out}")
    assert [Path(one["file"]) for one in record["inputs"]] == [*files[:2], files[3]]
    with pytest.raises(Nothing):
        run(later)
    with_it = replace(later, config=Config(data=Data(learn_refused=True)))
    assert dry.lines(with_it)[1:5] == [f"  with {file}" for file in files]
    lenient = replace(call, config=Config(check=Check(max_psi=50)), until="check")
    run(lenient)
    assert f"  with {files[2]}" in dry.lines(later)
    with pytest.raises(RefusedError):
        run(replace(call, first="check"))
    assert f"  with {files[2]}" not in dry.lines(replace(later, first="train"))
    files[2].write_bytes(good)
    assert f"  with {files[2]}" in dry.lines(later)


def test_other_parameters_are_a_reason(tmp_path: Path) -> None:
    """What pipeline.toml says is a part of what was done."""
    files = months(tmp_path, 3)
    run(asked(tmp_path, files))
    other = asked(tmp_path, files, config=Config(gate=Gate(margin=0.5)))
    assert run(other)["why"].startswith("the files or parameters are others than in run ")


def test_other_code_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step is done again where the code that it runs has changed."""
    call = asked(tmp_path, months(tmp_path, 3))
    run(call)
    monkeypatch.setitem(reasons.CODE, "gate", ("pipeline/errors.py",))
    record = run(call)
    assert record["why"].startswith("the code is another than in run ")
    assert [step["name"] for step in record["steps"] if not step["reused"]] == []
    assert record["said"] == "trained serves already"


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done is found again; the run that was ended is marked as killed."""
    call = asked(tmp_path, months(tmp_path, 3))
    with monkeypatch.context() as broken:
        broken.setattr(module, "gate", lambda *_: _killed)
        with pytest.raises(SystemExit):
            run(call)
    assert states(call.runs)[0] == ("running", {"ingest": "done", "check": "done", "train": "done"})
    record = run(call)
    first = call.runs.all()[0]
    assert first["state"] == "killed"
    assert record["why"] == f"goes on where run {first['run']} was ended"
    assert [step["name"] for step in record["steps"] if step["reused"]] == [
        "ingest", "check", "train",
    ]  # fmt: skip
    assert record["state"] == "promoted"
    assert (first["seconds"], record["seconds"] > 0) == (None, True)
    assert not list(call.runs.steps.glob(".*"))


def _killed(_: Path) -> dict[str, str]:
    raise SystemExit  # what no handler of a step takes for its failure


def test_a_run_that_was_killed_after_it_promoted_compares_no_model_with_itself(
    tmp_path: Path, good: Path
) -> None:
    """The next one sees that the candidate serves, and ends."""
    call = asked(tmp_path, months(tmp_path, 3))
    record = run(call)
    call.runs.end(record, "running", "")
    again = run(call)
    assert (again["state"], again["said"]) == ("promoted", "trained serves already")
    assert told(tmp_path / "models/ride") == told(good)


def test_a_refused_candidate_stays_with_its_reasons(
    tmp_path: Path, good: Path, worse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What serves goes on; the candidate, every question and the reasons are kept."""
    monkeypatch.setattr(module, "fit", copied(worse))
    shutil.copytree(good, tmp_path / "models/ride")
    call = asked(tmp_path, months(tmp_path, 3))
    with pytest.raises(RefusedError, match="its rmse is .* the champion's .* worse by"):
        run(call)
    [record] = call.runs.all()
    assert record["state"] == "refused"
    assert record["candidate"] == told(worse)["sha256"]
    gate = next(Path(step["folder"]) for step in record["steps"] if step["name"] == "gate")
    assert json.loads((gate / "result.json").read_bytes())["reasons"] == [record["said"]]
    assert json.loads((gate / "gate.json").read_bytes())["rows"] == 400
    assert told(tmp_path / "models/ride") == told(good)
    with pytest.raises(Nothing, match="was refused: on 400 rows"):
        run(call)


def test_from_a_step_on_all_is_done_anew(tmp_path: Path) -> None:
    """What comes before the step is found again."""
    call = asked(tmp_path, months(tmp_path, 3))
    run(call)
    record = run(replace(call, first="gate"))
    assert record["why"] == "asked for from gate on"
    assert {step["name"]: step["reused"] for step in record["steps"]} == {
        "ingest": True, "check": False, "train": True, "gate": False, "register": False,
    }  # fmt: skip
    assert record["said"].startswith("it serves already; ")


def test_steps_one_call_each_are_a_run(tmp_path: Path) -> None:
    """Each call does what the calls before it left, and says so; then all is done."""
    call = asked(tmp_path, months(tmp_path, 3))
    for number, step in enumerate(NAMES):
        if step != "promote":
            last = dry.lines(replace(call, until=step))[-1]
            assert last == f"{step}: would run"
        record = run(replace(call, until=step))
        assert [one["name"] for one in record["steps"]] == list(NAMES[: number + 1])
        assert [one["name"] for one in record["steps"] if not one["reused"]] == [step]
        assert record["state"] == ("promoted" if step == "promote" else "partly")
    assert call.runs.all()[1]["said"].startswith("until check, as asked: 400 new rows are like")
    with pytest.raises(Nothing):
        run(replace(call, until="ingest"))


def test_a_candidate_waits_for_approval(tmp_path: Path) -> None:
    """Nothing serves until the call that approves, which trains nothing."""
    config = Config(promote=Promote(approve=True))
    call = asked(tmp_path, months(tmp_path, 3), config=config)
    assert run(call)["state"] == "waiting"
    assert not (tmp_path / "models/ride").exists()
    with pytest.raises(Nothing, match="waits for approval: .*; --approve lets it serve"):
        run(call)
    record = run(replace(call, approve=True))
    assert record["why"].startswith("approved: run ")
    assert [step["name"] for step in record["steps"] if not step["reused"]] == ["promote"]
    assert (tmp_path / "models/ride/manifest.json").exists()


def test_a_champion_that_was_moved_by_hand_meanwhile_stays(
    tmp_path: Path, good: Path, worse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run fails and says so; the same call compares with the new one."""
    call = asked(tmp_path, months(tmp_path, 3))
    real = publish.register

    def meanwhile(*given: Any) -> Work:
        shutil.copytree(worse, tmp_path / "models/ride")
        return real(*given)

    with monkeypatch.context() as by_hand:
        by_hand.setattr(publish, "register", meanwhile)
        with pytest.raises(PipelineError, match="the champion was none when the candidate was"):
            run(call)
    assert told(tmp_path / "models/ride") == told(worse)
    assert call.runs.all()[-1]["state"] == "failed"
    assert "better by" in run(call)["said"]
    assert told(tmp_path / "models/ride") == told(good)


def test_two_at_once_are_one_run(tmp_path: Path) -> None:
    """The second says who is at work, and leaves no record."""
    call = asked(tmp_path, months(tmp_path, 3))
    call.runs.make()
    with call.runs.alone(), pytest.raises(Busy, match=r"a run of ride is at work \(process \d+"):
        run(call)
    assert call.runs.all() == []


def test_a_failure_is_kept_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record says what failed; the same call goes on."""
    call = asked(tmp_path, months(tmp_path, 3))

    def full(_: Path) -> dict[str, str]:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(module, "gate", lambda *_: full)
        with pytest.raises(OSError, match="No space"):
            run(call)
    assert call.runs.all()[0]["state"] == "failed"
    assert run(call)["state"] == "promoted"


def test_a_dry_run_says_what_would_run_and_writes_nothing(tmp_path: Path) -> None:
    """Of each step: done before, or not; and why at all."""
    call = asked(tmp_path, months(tmp_path, 3), config=Config(promote=Promote(approve=True)))
    lines = dry.lines(call)
    assert lines[0] == "would run: no run has finished yet"
    assert lines[-2:] == ["register: would run", "promote: would wait for --approve"]
    assert not call.runs.folder.exists()
    run(call)
    with pytest.raises(Nothing):
        dry.lines(call)
    lines = dry.lines(replace(call, first="gate"))
    assert "check: done before: 400 new rows are like those before" in lines
    assert "train: done before: trained" in lines
    assert "gate: would run" in lines


def test_a_row_is_never_learned_from_and_held_out(tmp_path: Path) -> None:
    """Of one dated file the last days are held out, of two the newer."""
    one = months(tmp_path, 1)
    assert run(asked(tmp_path, one))["steps"][0]["said"] == "the rows are cut by time"
    call = asked(tmp_path, [*one, *months(tmp_path, 2)])
    assert run(call)["steps"][0]["said"] == "trips-2021-02.parquet is held out"


def test_what_is_no_data_is_refused_before_anything_is_kept(tmp_path: Path) -> None:
    """A name that leads to nothing is wrong usage."""
    text = tmp_path / "trips.txt"
    text.touch()
    for given, why in (
        (tmp_path / "none.parquet", "there is no file"),
        (text, "a .parquet, .csv or .csv.gz file is expected"),
        (tmp_path / "empty", "holds no .parquet"),
    ):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(UsageError, match=why):
            run(asked(tmp_path, [given]))
    assert asked(tmp_path).runs.all() == []
