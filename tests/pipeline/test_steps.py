"""A step is done once for its key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline import digests
from pipeline.errors import PipelineError, RefusedError
from pipeline.records import Runs
from pipeline.steps import Step, do, place, result_of


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    """No run yet."""
    found = Runs(tmp_path / "runs", "ride")
    found.make()
    return found


def step(work: Any = lambda _: {"said": "done"}, **more: Any) -> Step:
    """Return a step that writes nothing, if it is not told to."""
    return Step(**{"name": "check", "code": ("train.py",), "inputs": 1, "parameters": 2,
                   "work": work, **more})  # fmt: skip


def test_the_key_is_made_of_name_inputs_code_and_parameters() -> None:
    """Any of them changes it; the work's address does not."""
    others = [
        step(name="gate"), step(inputs=3), step(parameters=3), step(code=("pipeline",)),
    ]  # fmt: skip
    keys = {one.key for one in [step(), *others]}
    assert len(keys) == 5
    assert step(lambda _: {}).key == step().key


def test_what_is_done_is_not_done_again(runs: Runs) -> None:
    """Its files and words are found, unless it is asked for anew."""
    done: list[int] = []

    def work(folder: Path) -> dict[str, str]:
        done.append(1)
        (folder / "a.txt").write_text(str(len(done)))
        return {"said": f"time {len(done)}"}

    record = runs.begin("plan", "why", [], "code")
    for anew, said in ((False, "time 1"), (False, "time 1"), (True, "time 2")):
        found, folder = do(runs, record, step(work), anew=anew)
        assert found["said"] == said
        assert (folder / "a.txt").read_text() == said[-1]
    assert [one["reused"] for one in runs.all()[0]["steps"]] == [False, True, False]


def test_what_breaks_off_leaves_nothing_that_counts(runs: Runs) -> None:
    """A step that was killed is done from its start; one that failed is in the record."""
    record = runs.begin("plan", "why", [], "code")
    aside = place(runs, step()).with_name(f".{place(runs, step()).name}.tmp")
    aside.mkdir()
    (aside / "half.txt").touch()

    def failing(_: Path) -> dict[str, str]:
        raise PipelineError("it failed")

    with pytest.raises(PipelineError):
        do(runs, record, step(failing))
    assert (record["steps"][0]["state"], record["steps"][0]["said"]) == ("failed", "it failed")
    assert result_of(runs, step()) is None
    assert [path.name for path in do(runs, record, step())[1].iterdir()] == ["result.json"]


def test_a_refusal_is_a_result(runs: Runs) -> None:
    """It is found again with its reasons, and refuses again."""
    record = runs.begin("plan", "why", [], "code")

    def no(folder: Path) -> dict[str, str]:
        (folder / "figures.json").touch()
        raise RefusedError(["too old", "too slow"])

    for _ in range(2):
        with pytest.raises(RefusedError, match="too old; too slow"):
            do(runs, record, step(no))
    assert [one["reused"] for one in record["steps"]] == [False, True]
    assert (place(runs, step()) / "figures.json").exists()


def test_a_damaged_result_is_named(runs: Runs) -> None:
    """The message says which folder to remove."""
    do(runs, runs.begin("plan", "why", [], "code"), step())
    (place(runs, step()) / "result.json").write_text("{")
    with pytest.raises(PipelineError, match=r"result\.json cannot be read: .*; remove "):
        result_of(runs, step())


def test_records_are_numbered_and_those_of_no_run_are_named(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their order is that in which they began, whatever the clock said."""
    names = [runs.begin("plan", str(n), [], "code")["run"].partition("-")[0] for n in range(11)]
    assert names == [f"{n:06d}" for n in range(1, 12)]
    assert [record["why"] for record in runs.all()] == [str(n) for n in range(11)]
    for content, why in (("[]", "is no record"), ('{"run": 1}', "it has no plan"), ("", "is no")):
        (runs.folder / "000012-20260101T000000Z.json").write_text(content)
        with pytest.raises(PipelineError, match=why):
            runs.all()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """Before anything is done."""
    (tmp_path / "runs").touch()
    with pytest.raises(PipelineError, match="runs/ride cannot be made: Not a directory"):
        Runs(tmp_path / "runs", "ride").make()


def test_digests_of_files_are_remembered_and_follow_changes(tmp_path: Path) -> None:
    """A file that is as it was is not read again; one that was written anew is."""
    file = tmp_path / "a.csv"
    file.write_text("1")
    [one] = digests.of_files([file], tmp_path)
    kept = json.loads((tmp_path / "digests.json").read_bytes())
    kept[str(file)][-1] = "remembered"
    (tmp_path / "digests.json").write_text(json.dumps(kept))
    assert digests.of_files([file], tmp_path) == ["remembered"]
    file.write_text("22")
    [two] = digests.of_files([file], tmp_path)
    assert two not in (one, "remembered")
    (tmp_path / "digests.json").write_text("{")
    assert digests.of_files([file], tmp_path) == [two]
