"""The command line of training."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import train
from scoring.artifact.reading import load, read_manifest
from scoring.models import discover
from tests.support import write_artifact
from tests.third_model import TIPS
from tests.training.support import CHURN, RIDE, data_of, saved, trips
from training.data.publishers import Published
from training.errors import DownloadError
from training.fit.estimators import names
from training.run import Options
from training.sources import source_of


def words(model: str, data: Path, output: Path, *more: str) -> list[str]:
    return [model, "--data", str(data), "--output", str(output), *more]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    """What the training is asked to do, instead of its being done."""
    seen: list[Options] = []
    monkeypatch.setattr(train, "train", seen.append)
    return seen


def refusal(given: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Return the last line of a usage error."""
    with pytest.raises(SystemExit) as caught:
        train.main(given)
    assert caught.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err.splitlines()[-1]


@pytest.mark.slow
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

    def fetch(files: dict[str, Published], folder: Path) -> list[Path]:
        folders.append(folder)
        return [Path(Path(name).stem.removeprefix("green_tripdata_")) for name in files]

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
        ("", "name a MODEL, or --all"),
        ("ride --missing", "--missing goes with --all"),
        ("ride --all", "--all goes without MODEL, --data, --months, --validation, "),
        ("--all --data a.csv", "--all goes without MODEL, --data, --months, --validation, "),
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


@pytest.mark.slow
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
        (
            "--refit --validation {data}",
            "--refit learns from the validation data too: it needs test",
        ),
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


@pytest.fixture
def with_a_third(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third model without a sample, next to those that are found."""
    models = {**discover(), "tips": TIPS}
    monkeypatch.setattr(train, "discover", lambda: models)


def test_all_models_with_a_sample_are_trained(
    asked: list[Options], with_a_third: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each with the options for all of them; of the others it says how, and goes on."""
    train.main(["--all", "--output", "out", "--seed", "5"])
    sampled = [model for model in discover().values() if source_of(model).sample]
    assert asked == [
        Options(model=model, data=[], validation=[], test=[], output=Path("out"), seed=5)
        for model in sampled
    ]
    said = capsys.readouterr().out
    assert "tips: no bundled sample; train it with: python train.py tips --data FILE\n" in said


def test_what_is_there_is_left_alone_where_only_the_missing_are_asked_for(
    asked: list[Options], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One artifact is there: the others are trained."""
    write_artifact(CHURN, tmp_path)
    train.main(["--all", "--missing", "--output", str(tmp_path)])
    assert [options.model.name for options in asked] == [
        model.name
        for model in discover().values()
        if source_of(model).sample and model is not CHURN
    ]
    assert f"churn: {tmp_path / 'churn'} is there already\n" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("broken", "message"),
    [(False, "on the test data the model is no better than"), (True, "rows are unusable, more")],
    ids=["no better than trivial", "too many unusable rows"],
)
def test_what_a_limit_refuses_has_a_status_of_its_own(
    broken: bool, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """3, for a job that must tell a bad model or bad data from a failure."""
    frame = trips()
    minutes = 90 if broken else 5 + np.random.default_rng(1).random(len(frame))
    begin = frame["lpep_pickup_datetime"]
    frame["lpep_dropoff_datetime"] = begin + pd.to_timedelta(minutes, unit="min")
    data = saved(frame, tmp_path / "a.parquet")
    with pytest.raises(SystemExit) as caught:
        train.main(words("ride", data, tmp_path / "models"))
    assert caught.value.code == 3
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("train.py: ")
    assert message in line
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
    assert ", ".join(discover()) in text
    defaults = ", ".join(f"{names(m.task)[0]} for {m.name}" for m in discover().values())
    assert f"default: {defaults}" in " ".join(text.split())
    assert "python train.py ride --months 2021-01 2021-02 " in text
