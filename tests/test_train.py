"""The command line of training."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import train
from scoring.artifact import MANIFEST, load, read_manifest
from tests.support import ROOT, environment, write_artifact
from tests.training.support import CHURN, RIDE, customers, data_of, saved, trips
from training.download import DownloadError
from training.fit import Options


def words(model: str, data: Path, output: Path, *more: str) -> list[str]:
    return [model, "--data", str(data), "--output", str(output), *more]


def start(given: Sequence[str], **more: Any) -> subprocess.Popen[str]:
    """Starts `python train.py ...` as a person does, or `python -c ...`."""
    command = [sys.executable, *([] if given[0] == "-c" else ["train.py"]), *given]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **more}
    env = environment(OMP_NUM_THREADS="1", **pipes.pop("env", {}))
    # a run in the background has Control-C ignored, and hands that on to what it starts
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(command, cwd=ROOT, env=env, preexec_fn=heard, **pipes)


def finish(process: subprocess.Popen[str]) -> str:
    """Gives what it printed, once it ended well."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert err == ""
    return out


def wait_until_it_fits(process: subprocess.Popen[str]) -> None:
    """Reads on to the last line of the profile, which is printed just before."""
    assert process.stdout is not None
    assert process.stderr is not None
    if not any(line.startswith("churn ") for line in iter(process.stdout.readline, "")):
        pytest.fail(f"the training ended: {process.stderr.read()}")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Options]]:
    """What the training is asked to do, instead of its being done."""
    seen: list[Options] = []
    monkeypatch.setattr(train, "train", seen.append)
    return seen


def refusal(given: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Gives the last line of a usage error."""
    with pytest.raises(SystemExit) as caught:
        train.main(given)
    assert caught.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err.splitlines()[-1]


@pytest.mark.parametrize("model", [RIDE, CHURN], ids=["ride", "churn"])
def test_a_training_prints_its_metrics_and_writes_the_artifact(
    model: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is used, the profile, the metrics beside the trivial model's, and where it is."""
    train.main(words(model.name, data_of(model, tmp_path), tmp_path))
    printed = capsys.readouterr()
    manifest = load(tmp_path / model.name, model).manifest
    lines = printed.out.splitlines()
    assert re.fullmatch(r"a\.\w+: 400 of 400 rows are used", lines[0])
    for name in ("rmse", "mae", "r2") if model is RIDE else ("auc", "brier", "confusion matrix"):
        assert re.search(rf"^  {name} +\S", printed.out, flags=re.M)
    value = manifest.metrics["test"]["rmse" if model is RIDE else "auc"]
    assert f"{value:.6f}" in printed.out
    assert lines[-1].endswith(f", version {manifest.version}")
    assert printed.err == ""


def test_without_options_the_sample_is_trained_on(asked: list[Options]) -> None:
    """The defaults are those that the README names."""
    train.main(["ride"])
    assert asked == [Options(model=RIDE, data=[], validation=[], test=[])]
    assert asked[0].output == Path("models")


def test_every_option_reaches_the_training(asked: list[Options]) -> None:
    """None is lost on the way."""
    given = (
        "churn --data a.csv b.csv --validation c.csv --test d.csv --estimator forest --param "
        "n_estimators=7 --param criterion=entropy --threshold 0.3 --seed 5 --folds 4 --refit "
        "--published --force --max-dropped 0.4 --output out"
    )
    train.main(given.split())
    assert asked == [
        Options(
            model=CHURN,
            data=[Path("a.csv"), Path("b.csv")],
            validation=[Path("c.csv")],
            test=[Path("d.csv")],
            estimator="forest",
            parameters={"n_estimators": 7, "criterion": "entropy"},
            output=Path("out"),
            seed=5,
            threshold=0.3,
            folds=4,
            published=True,
            refit=True,
            force=True,
            max_dropped=0.4,
        )
    ]


@pytest.mark.parametrize(
    ("given", "data", "validation"),
    [
        ("2021-01", ["2021-01"], []),
        ("2021-01 2021-02", ["2021-01"], ["2021-02"]),
        ("2021-01 2021-02 2021-03", ["2021-01", "2021-02"], ["2021-03"]),
        ("2021-01 2021-02 --validation x", ["2021-01", "2021-02"], ["x"]),
    ],
)
def test_the_last_of_several_months_is_the_validation(
    given: str,
    data: list[str],
    validation: list[str],
    asked: list[Options],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One month alone is split; a validation that is named stays."""
    folders = []

    def fetch(months: list[str], folder: Path) -> list[Path]:
        folders.append(folder)
        return [Path(month) for month in months]

    monkeypatch.setattr(train, "fetch", fetch)
    train.main(["ride", "--cache", "kept", "--months", *given.split()])
    assert folders == [Path("kept")]
    assert [str(path) for path in asked[0].data] == data
    assert [str(path) for path in asked[0].validation] == validation


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("tips", "argument MODEL: invalid choice: 'tips' (choose from "),
        ("ride --estimator magic", "argument --estimator: invalid choice: 'magic'"),
        ("ride --months 2021-01 --data a", "--months is for ride, and goes without --data"),
        ("churn --months 2021-01", "--months is for ride, and goes without --data"),
        ("churn --folds 1", "--folds takes 2 or more"),
        ("churn --folds -3", "--folds takes 2 or more"),
        ("churn --threshold 0", "--threshold takes a probability between 0 and 1"),
        ("churn --threshold 1", "--threshold takes a probability between 0 and 1"),
        ("churn --threshold nan", "--threshold takes a probability between 0 and 1"),
        ("churn --seed -1", "--seed takes a whole number from 0 to 4294967295"),
        ("churn --seed 4294967296", "--seed takes a whole number from 0 to 4294967295"),
        ("churn --seed one", "argument --seed: invalid int value: 'one'"),
    ],
)
def test_a_wrong_word_is_refused_with_what_was_expected(
    given: str, message: str, asked: list[Options], capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is read."""
    assert refusal(given.split(), capsys).startswith(f"train.py: error: {message}")
    assert asked == []


@pytest.mark.parametrize("seed", ["0", "4294967295"])
def test_any_seed_within_the_limits_is_taken(seed: str, tmp_path: Path) -> None:
    """scikit-learn has these limits."""
    train.main(words("churn", data_of(CHURN, tmp_path), tmp_path, "--seed", seed))
    assert read_manifest(tmp_path / "churn", CHURN).seed == int(seed)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("--estimator logistic", "no estimator 'logistic' for regression; there are: linear, "),
        (
            "--estimator lasso --param alhpa=1",
            "estimator 'lasso' has no parameter 'alhpa', was 'al",
        ),
        ("--param alpha", "--param takes name=value, not 'alpha'"),
        ("--estimator lasso --param alpha=x", "the estimator cannot be fitted: The 'alpha' parame"),
        ("--folds 5000", "5000 folds of 320 rows; at least one row each is expected"),
        ("--validation missing.csv", "there is no file missing.csv"),
        ("--refit --validation {data}", "--refit learns from the validation too: it needs a test"),
    ],
)
def test_a_training_that_cannot_be_says_why_in_one_line(
    more: str, message: str, tmp_path: Path
) -> None:
    """Status 1; no stack trace, no artifact."""
    data = data_of(RIDE, tmp_path)
    with pytest.raises(SystemExit) as caught:
        train.main(words("ride", data, tmp_path / "models", *more.format(data=data).split()))
    assert str(caught.value.code).startswith(f"train.py: {message}")
    assert "\n" not in str(caught.value.code)
    assert not (tmp_path / "models").exists()


def test_a_download_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same way."""

    def fail(*_words: object) -> list[Path]:
        raise DownloadError("no network")

    monkeypatch.setattr(train, "fetch", fail)
    with pytest.raises(SystemExit, match=r"^train\.py: no network$"):
        train.main(["ride", "--months", "2021-01"])


def test_a_person_may_stop_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control-C: one line, no stack trace."""

    def stop(_options: Options) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "train", stop)
    with pytest.raises(SystemExit, match=r"^train\.py: stopped; nothing was written$"):
        train.main(["ride"])


def test_the_help_names_models_and_examples(capsys: pytest.CaptureFixture[str]) -> None:
    """Each option with its default, and commands to copy."""
    with pytest.raises(SystemExit) as caught:
        train.main(["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "ride, churn" in text
    assert "default: linear for ride, logistic for churn" in " ".join(text.split())
    assert "python train.py ride --months 2021-01 2021-02 " in text


@pytest.mark.slow
def test_the_command_prints_and_writes(tmp_path: Path) -> None:
    """A process of its own, as a person starts it; standard error stays empty."""
    data = data_of(CHURN, tmp_path)
    out = finish(start(words("churn", data, tmp_path)))
    manifest = load(tmp_path / "churn", CHURN).manifest
    assert out.splitlines()[0] == "a.csv: 400 of 400 rows are used"
    assert out.splitlines()[-1] == (
        f"wrote {tmp_path / 'churn'}: logistic, version {manifest.version}"
    )
    assert manifest.data["training"].rows == 240


# Each of these estimators learns by another library, or draws at random.
TWICE = """
import sys, train
data, output = sys.argv[1:]
for model, file, estimator, parameter in (
    ("ride", "a.parquet", "linear", "tol=1e-6"),
    ("ride", "a.parquet", "xgboost", "n_estimators=10"),
    ("churn", "a.csv", "forest", "n_estimators=10"),
    ("churn", "a.csv", "boosting", "max_iter=10"),
    ("churn", "a.csv", "logistic", "C=1.0"),
):
    how = ["--estimator", estimator, "--param", parameter]
    train.main([model, "--data", f"{data}/{file}", "--output", f"{output}/{estimator}", *how])
"""


@pytest.mark.slow
def test_the_same_training_twice_has_the_same_digest(tmp_path: Path) -> None:
    """In two processes, which order their sets differently; only the moment is another."""
    data_of(RIDE, tmp_path)
    data_of(CHURN, tmp_path)
    started = [
        start(["-c", TWICE, str(tmp_path), str(tmp_path / seed)], env={"PYTHONHASHSEED": seed})
        for seed in ("1", "2")
    ]
    for process in started:
        finish(process)
    folders = sorted(
        path.parent.relative_to(tmp_path / "1") for path in tmp_path.glob(f"1/*/*/{MANIFEST}")
    )
    assert len(folders) == 5
    for folder in folders:
        model = RIDE if folder.name == "ride" else CHURN
        one, two = (read_manifest(tmp_path / seed / folder, model) for seed in ("1", "2"))
        assert one.sha256 == two.sha256, folder
        assert one.model_dump(exclude={"created"}) == two.model_dump(exclude={"created"})


@pytest.mark.slow
def test_two_trainings_at_once_leave_one_whole_artifact(tmp_path: Path) -> None:
    """Into a folder that was not there before: both succeed, the later one stays."""
    started = []
    for rows in (300, 400):
        data = saved(trips(rows), tmp_path / f"{rows}.parquet")
        started.append(start(words("ride", data, tmp_path / "models")))
    versions = {finish(process).splitlines()[-1].rpartition(" ")[2] for process in started}
    assert len(versions) == 2
    assert load(tmp_path / "models" / "ride", RIDE).manifest.version in versions
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["ride"]


@pytest.mark.slow
def test_a_training_that_is_killed_leaves_the_old_artifact(tmp_path: Path) -> None:
    """SIGKILL while it fits: the estimator is one that would take minutes."""
    manifest = write_artifact(CHURN, tmp_path)
    data = data_of(CHURN, tmp_path)
    more = ["--estimator", "xgboost", "--param", "n_estimators=100000000"]
    process = start(words("churn", data, tmp_path, *more), env={"PYTHONUNBUFFERED": "1"})
    try:
        wait_until_it_fits(process)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert load(tmp_path / "churn", CHURN).manifest == manifest
    assert sorted(path.name for path in (tmp_path / "churn").iterdir()) == sorted(
        [MANIFEST, CHURN.artifact_file, "scorer.json"]
    )


@pytest.mark.slow
def test_a_person_who_stops_it_sees_one_line(tmp_path: Path) -> None:
    """Control-C at a terminal, while it fits; nothing is left lying about."""
    data = saved(customers(), tmp_path / "a.csv")
    output = tmp_path / "models"
    more = ["--estimator", "xgboost", "--param", "n_estimators=100000000"]
    process = start(words("churn", data, output, *more), env={"PYTHONUNBUFFERED": "1"})
    wait_until_it_fits(process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err == "train.py: stopped; nothing was written\n"
    assert not output.exists()


def shown_on_a_terminal(given: list[str]) -> tuple[str, str]:
    """Gives what a training writes to a terminal that is its standard error, and its output."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 25, 100, 0, 0))
    process = start(given, stderr=theirs)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # how Linux says that nobody is left to write
        while more := os.read(ours, 4096):
            shown += more
    os.close(ours)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0, shown
    return shown.decode(), out


@pytest.mark.slow
def test_long_work_shows_its_progress_on_a_terminal_only(tmp_path: Path) -> None:
    """Steps, folds and boosting rounds; the output is the same as without."""
    data = data_of(RIDE, tmp_path)
    given = words("ride", data, tmp_path, "--estimator", "xgboost", "--param", "n_estimators=5")
    given += ["--folds", "2"]
    shown, out = shown_on_a_terminal(given)
    for step in ("reading", "fitting", "evaluating", "judging", "writing", "done"):
        assert step in shown
    assert re.search(r"cross-validation: 100%.* 2/2 ", shown)
    assert re.search(r"boosting: 100%.* 5/5 ", shown)
    assert "\x1b" not in out
    assert finish(start(given)) == out
