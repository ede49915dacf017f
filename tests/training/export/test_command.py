"""The command writes folders, or says in one line why it does not."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scoring.artifact.reading import load
from tests.support import ROOT, environment
from tests.support.programs import installed, skip_or_fail
from tests.training.export.exported import MODELS, form_of, predictor_of
from training.export import judges
from training.export.__main__ import main
from training.export.form import ExportError
from training.export.formats import FORMATS
from training.export.judges import Judged, NotJudged
from training.export.package import export

PAGE = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
_ALL = re.findall(r"^python -m training\.export (.+?)(?: +#.*)?$", PAGE, flags=re.M)
REGISTERED = [
    one for one in _ALL if "--register" in one
]  # test_register.py has a registry for them
COMMANDS = [one for one in _ALL if one not in REGISTERED]


def as_service(_form: object, _folder: Path, records: Sequence[Any]) -> list[Judged]:
    """Judge as the service does, without a program: what is valid gets its score."""
    predictor = predictor_of("ride", "linear")
    found = []
    for record in records:
        scored, _ = predictor.each([dict(record)])
        found.append(Judged(scored.scores[0] if scored.scores else None))
    return found


QUICK = replace(FORMATS["python"], judge=as_service)


def test_a_folder_says_what_is_in_it(tmp_path: Path) -> None:
    """The signature, the service's answers, and a digest of each file."""
    form = form_of("ride", "linear")
    export(predictor_of("ride", "linear"), form, tmp_path / "out", QUICK)
    files = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    manifest = json.loads(files.pop("manifest.json"))
    assert manifest["files"] == {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        for name, data in files.items()
    }
    assert manifest["source"]["sha256"] == form.manifest.sha256
    assert manifest["proof"]["refused"] >= 7
    golden = json.loads(files["golden.json"])
    assert golden[0]["record"] == form.model.example
    assert golden[0]["answer"] == predictor_of("ride", "linear").one(form.model.example).answers[0]
    signature = json.loads(files["signature.json"])
    assert signature["inputs"][0]["low"] == 1
    assert signature["unseen"] == ["PU_DO"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda one: one._replace(score=one.score and one.score + 1e-9), "where the service gives"),
        (lambda one: one._replace(unseen=frozenset(["other"])), "where the service gives"),
        (lambda one: one._replace(answer={"duration": 1e9}), "where the service gives"),
        (lambda one: one._replace(answer={}), "where the service gives"),
        (lambda one: one._replace(score=one.score or 1.0), "scores what the service refuses"),
    ],
    ids=["score", "unseen", "answer", "no answer", "refused"],
)
def test_an_export_that_differs_is_not_written(change: Any, words: str, tmp_path: Path) -> None:
    """In the score, an unseen category, the answer, or what is refused; nothing is left."""

    def judge(form: Any, folder: Path, records: Any) -> list[Judged]:
        return [change(one) for one in as_service(form, folder, records)]

    wrong = replace(QUICK, judge=judge)
    with pytest.raises(ExportError, match=words):
        export(predictor_of("ride", "linear"), form_of("ride", "linear"), tmp_path / "out", wrong)
    assert list(tmp_path.iterdir()) == []


def test_a_judge_that_gives_too_few_scores_is_no_proof(tmp_path: Path) -> None:
    """The message has both numbers."""
    few = replace(QUICK, judge=lambda *_: [])
    with pytest.raises(ExportError, match="gives 0 scores to 2000 records"):
        export(predictor_of("ride", "linear"), form_of("ride", "linear"), tmp_path / "out", few)


def test_without_the_program_the_export_says_that_nothing_was_proved(tmp_path: Path) -> None:
    """And how to have it."""

    def judge(*_: object) -> list[Judged]:
        raise NotJudged("node is not installed: apt-get install nodejs")

    lacking = replace(QUICK, judge=judge)
    form = form_of("ride", "linear")
    made = export(predictor_of("ride", "linear"), form, tmp_path / "out", lacking)
    assert made["proof"]["not_run"] == "node is not installed: apt-get install nodejs"
    assert made["proof"]["records"] == 0


def test_a_program_is_looked_for_on_the_path() -> None:
    """One that is not there is named with the package that holds it."""
    with pytest.raises(NotJudged, match="no-such-program is not installed: apt-get install thing"):
        judges.program("no-such-program", "thing")


def test_a_program_that_fails_is_quoted() -> None:
    """With its own words."""
    with pytest.raises(ExportError, match=r"fails: .*a reason"):
        judges.run([sys.executable, "-c", "import sys; sys.exit('a reason')"], "")


@pytest.mark.parametrize("to", FORMATS)
def test_a_model_that_is_too_large_is_refused_with_its_number(to: str, tmp_path: Path) -> None:
    """Of nodes, and the number that the format holds."""
    form = form_of("ride", "forest")
    small = replace(FORMATS[to], max_nodes=form.nodes - 1)
    with pytest.raises(ExportError) as caught:
        export(predictor_of("ride", "forest"), form, tmp_path / "out", small)
    said = f"'ride' has {form.nodes:,} nodes, and {to} holds at most {form.nodes - 1:,}: "
    assert str(caught.value).startswith(said)
    assert not list(tmp_path.iterdir())


def test_an_artifact_is_not_replaced_by_an_export(models_dir: Path, tmp_path: Path) -> None:
    """The folder serves as before."""
    folder = shutil.copytree(models_dir / "ride", tmp_path / "ride-python")
    with pytest.raises(ExportError, match="holds an artifact, not an export"):
        export(predictor_of("ride", "linear"), form_of("ride", "linear"), folder, QUICK)
    assert load(folder, MODELS["ride"])


@pytest.mark.parametrize(
    ("words", "said"),
    [(["no-such-model"], "is neither a model"), (["./nowhere"], "cannot be read")],
)
def test_a_model_that_is_not_there_is_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And status 1."""
    with pytest.raises(SystemExit) as caught:
        main([*words, "--to", "python"])
    assert said in str(caught.value.code)
    assert str(caught.value.code).startswith("training.export: ")


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_of_the_page_works(
    command: str, models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], postgres: object, shared_postgres: None,
) -> None:  # fmt: skip
    """In a folder with models; each format is proved."""
    shutil.copytree(models_dir, tmp_path / "models")
    monkeypatch.setenv("MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)
    for name in ("node", "gcc"):
        installed(name, package={"node": "nodejs"}.get(name, name))
    if postgres is None:
        skip_or_fail("PostgreSQL is not installed: apt-get install postgresql")
    words = shlex.split(command)
    main(words)
    told = capsys.readouterr().out
    known = {"skops", *FORMATS}
    formats = [word for word in words if word in known or f"sql-{word}" in known]
    assert told.count("wrote ") == told.count("records scored by ") == len(formats) > 0


@pytest.mark.slow
def test_the_files_are_used_as_the_page_says(models_dir: Path, tmp_path: Path) -> None:
    """JSON lines into Python and JavaScript."""
    installed("node", package="nodejs")
    env = environment(MODELS_DIR=str(models_dir), PYTHONPATH=f"{ROOT}:{ROOT / 'web-service'}")
    words = [sys.executable, "-m", "training.export", "ride", "--to", "python", "javascript"]
    subprocess.run(words, cwd=tmp_path, env=env, check=True)
    line = json.dumps({**MODELS["ride"].example, "DOLocationID": 264}) + "\n[1]\n{}\n"
    python = [sys.executable, "exports/ride-python/model.py"]
    node = ["node", "exports/ride-javascript/model.mjs"]
    told = []
    for program in (python, node):
        done = subprocess.run(program, input=line, cwd=tmp_path, capture_output=True, check=True,
                              encoding="utf-8")  # fmt: skip
        told.append([json.loads(text) for text in done.stdout.splitlines()])
    assert told[0] == told[1]
    good, no_record, empty = told[0]
    assert good["unseen"] == ["PU_DO=74_264"]
    assert no_record["error"] == "expected a record, a JSON object"
    assert empty["error"].count("missing; expected") == 3


def test_a_dialect_is_one_of_sql(capsys: pytest.CaptureFixture[str]) -> None:
    """Of another format it is wrong usage, with status 2."""
    with pytest.raises(SystemExit) as caught:
        main(["ride", "--to", "c", "--dialect", "sqlite"])
    assert caught.value.code == 2
    assert "--dialect is one of SQL" in capsys.readouterr().err


def test_the_page_has_commands_and_every_format() -> None:
    """Else the test above would hold of nothing."""
    assert len(COMMANDS) >= 3
    for name, one in FORMATS.items():
        assert f"| `{name.partition('-')[0]}` |" in PAGE
        assert f"{one.max_nodes:,} nodes" in PAGE
    assert "| `skops` |" in PAGE
