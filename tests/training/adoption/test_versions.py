"""What other versions of scikit-learn saved is read as data, and answers as it did there."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from sklearn.dummy import DummyRegressor
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import HuberRegressor, LinearRegression
from sklearn.preprocessing import Normalizer

from scoring.artifact.manifest import MANIFEST, NOT_PROVED
from scoring.artifact.reading import read_compiled
from scoring.compiler.compile import NotCompiled
from scoring.errors import ArtifactError
from scoring.models import discover
from scoring.predictor import Predictor
from scoring.saved.containers import read_bytes, read_files
from scoring.saved.shapes import choose
from scoring.saved.stand_ins import StandIn, walk
from scoring.saved.views import check_readable, stamps
from scoring.values.shares import Shares
from serving.app import create_app
from serving.settings import Settings
from tests.flowers import FLOWERS
from tests.training.adoption.archives import OTHERS, OURS, Case, archive, asked
from tests.training.adoption.make_files import MAKERS, rides
from training.adopt import main
from training.adoption.as_data import read_as_data

MODELS = {**discover(), "flowers": FLOWERS}
RIDE = MODELS["ride"]


def scores(version: str, case: Case) -> list[Any]:
    """Return the scores of the compiled form of a saved model; of several classes by name."""
    chosen = choose(archive(version).saved(case), case.pick)
    model = MODELS[case.model]
    made = read_as_data(chosen, model, None).made
    found, unseen = read_compiled(made.kind, made.data, model).many(asked(case.model))
    assert unseen == {}
    return [one.by_class if isinstance(one, Shares) else one for one in found]


@pytest.mark.slow
@pytest.mark.parametrize(
    "version",
    [
        pytest.param(version, marks=[] if version in (OTHERS[0], OURS) else pytest.mark.long)
        for version in [*OTHERS, OURS]
    ],
)
@pytest.mark.parametrize(
    ("model", "estimator"), [(model, name) for model, names in MAKERS.items() for name in names]
)
def test_every_shape_of_every_version_answers_as_there(
    version: str, model: str, estimator: str
) -> None:
    """The table: shape by version by estimator. Each file's model gives the scores that it gave in
    its own library, though nothing of that library is here."""
    there = archive(version)
    cases = there.of(model, estimator)
    if estimator in ("multinomial", "one-by-one") and not cases:
        pytest.skip("that version has no such option any more")
    assert len(cases) >= 16
    for case in cases:
        expected = there.answers[model][estimator]
        for got, wanted in zip(scores(version, case), expected, strict=True):
            assert got == pytest.approx(wanted, rel=1e-6, abs=1e-9), case.shape


@pytest.mark.slow
def test_each_version_is_what_its_file_says() -> None:
    """The stamps in the files are those of the versions that they are named after."""
    for version in OTHERS:
        case = archive(version).of("ride", "forest")[0]
        [found] = stamps(archive(version).saved(case)[0].roots)
        assert found.startswith(f"{version}.")


@pytest.mark.slow
@pytest.mark.parametrize("version", [*OTHERS, OURS])
@pytest.mark.parametrize(
    ("model", "estimator"), [("ride", "forest"), ("churn", "logistic"), ("flowers", "hist")]
)
def test_mlflows_folder_of_every_version_answers_as_there(
    version: str, model: str, estimator: str, tmp_path: Path
) -> None:
    """Its MLmodel names the pickle of a Pipeline, as MLflow logs one."""
    there = archive(version)
    [case] = [one for one in there.of(model, estimator) if one.shape == "pipeline"]
    told = "flavors:\n  sklearn:\n    pickled_model: model.pkl\n"
    (tmp_path / "MLmodel").write_text(told)
    (tmp_path / "model.pkl").write_bytes(there.content[case.files[0]])
    made = read_as_data(choose(read_files([tmp_path]), None), MODELS[model], None).made
    found, _ = read_compiled(made.kind, made.data, MODELS[model]).many(asked(model))
    got = [one.by_class if isinstance(one, Shares) else one for one in found]
    for one, wanted in zip(got, there.answers[model][estimator], strict=True):
        assert one == pytest.approx(wanted, rel=1e-6, abs=1e-9)


def write(folder: Path, version: str, model: str, estimator: str, shape: str = "pair") -> Path:
    """Put a model of an old version into a folder."""
    [case] = [c for c in archive(version).of(model, estimator) if c.shape == shape]
    path = folder / "old.pkl"
    path.write_bytes(archive(version).content[case.files[0]])
    return path


def adopt(folder: Path, model: str, path: Path, *more: str) -> Predictor:
    main([model, str(path), "--output", str(folder / "models"), *more])
    return Predictor.from_folder(folder / "models" / model, MODELS[model])


@pytest.mark.slow
def test_an_old_model_serves_and_says_what_was_not_proved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """In the command's words, the manifest, `/models`, the card and the log; the file keeps its
    bytes."""
    path = write(tmp_path, "1.1", "churn", "forest")
    predictor = adopt(tmp_path, "churn", path)
    assert f"{NOT_PROVED}: compare an answer with --expect" in capsys.readouterr().out
    manifest = predictor.manifest
    assert f"model 'churn' {manifest.version}: {NOT_PROVED}" in caplog.messages
    assert manifest.notes == [
        "taken in from old.pkl, trained elsewhere",
        NOT_PROVED,
        "saved by scikit-learn 1.1.3, read as data",
    ]
    assert manifest.libraries == {"scikit-learn": "1.1.3"}
    assert (manifest.estimator, manifest.trained) == ("RandomForestClassifier", None)
    assert manifest.parameters["max_depth"] == 4
    folder = tmp_path / "models" / "churn"
    assert (folder / manifest.file).read_bytes() == path.read_bytes()
    client = create_app(Settings(models_dir=tmp_path / "models", models=("churn",))).test_client()
    assert NOT_PROVED in client.get("/models/churn").get_json()["notes"]
    assert NOT_PROVED in client.get("/models/churn/card", headers={"Accept": "text/html"}).text
    [first, *_] = archive("1.1").answers["churn"]["forest"]
    answer = client.post("/predict", json=asked("churn")[0]).get_json()
    assert answer["churn_probability"] == pytest.approx(first)


def test_an_expected_answer_proves_an_old_model(tmp_path: Path) -> None:
    """The one that its owner has; the manifest keeps the record among the golden ones."""
    path = write(tmp_path, "1.2", "churn", "gradient")
    request = tmp_path / "request.json"
    request.write_text(json.dumps(asked("churn")[3]))
    expected = archive("1.2").answers["churn"]["gradient"][3]
    predictor = adopt(tmp_path, "churn", path, "--expect", f"{request}={expected:.4f}")
    assert predictor.manifest.notes[-1] == (
        "its answers to 1 record are those that its owner expected"
    )
    assert predictor.manifest.golden[1].record == asked("churn")[3]
    before = (tmp_path / "models" / "churn" / MANIFEST).read_bytes()
    with pytest.raises(SystemExit, match=r"request\.json is answered 0\.\d+, expected 0\.99"):
        adopt(tmp_path, "churn", path, "--expect", f"{request}=0.99")
    assert (tmp_path / "models" / "churn" / MANIFEST).read_bytes() == before


def test_an_expected_answer_proves_a_model_of_ours_too(tmp_path: Path) -> None:
    """Loaded through the allow-list, before anything is written."""
    path = write(tmp_path, OURS, "ride", "linear")
    (tmp_path / "r.json").write_text(json.dumps(dict(RIDE.example)))
    with pytest.raises(SystemExit, match=r"r\.json is answered .*, expected 1:"):
        adopt(tmp_path, "ride", path, "--expect", f"{tmp_path}/r.json=1")
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("text", "word", "words"),
    [
        ("{}", "=x", "takes FILE=ANSWER, as request.json=37.4, not"),
        ("{}", "=nan", "takes FILE=ANSWER"),
        ("{}", "=1", "PULocationID: missing; expected a whole number from 1 to 265"),
        ("{", "=1", "is no JSON"),
        (None, "=1", "cannot be read: No such file"),
    ],
    ids=["text", "nan", "no record", "no JSON", "no file"],
)
def test_an_expectation_that_is_none_is_refused(
    tmp_path: Path, text: str | None, word: str, words: str
) -> None:
    """What it should be, before the model is looked at."""
    if text is not None:
        (tmp_path / "r.json").write_text(text)
    with pytest.raises(SystemExit, match=words):
        adopt(tmp_path, "ride", write(tmp_path, "1.5", "ride", "tree"),
              "--expect", f"{tmp_path / 'r.json'}{word}")  # fmt: skip


@pytest.mark.parametrize(
    ("version", "words"),
    [("0.22.1", "those since 0.24 can be read"), ("2.3.0", "newer than this service's")],
)
def test_a_version_that_is_not_known_is_refused(version: str, words: str) -> None:
    """Its arrays may mean something else."""
    with pytest.raises(ArtifactError, match=words):
        check_readable({version}, "1.9.1")


@pytest.mark.parametrize("version", ["0.24.2", "1.0", "1.9.7"])
def test_versions_between_are_read(version: str) -> None:
    """Those since 0.24, up to ours."""
    check_readable({version}, "1.9.1")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: HuberRegressor(max_iter=10_000),
            "and HuberRegressor has no compiled form; nor is it on the service's allow-list: train",
        ),
        (
            lambda: DummyRegressor(),
            "and DummyRegressor has no compiled form; --other-version loads it all the same$",
        ),
        (lambda: Normalizer(), "none of them predicts"),
    ],
    ids=["another estimator", "one that can be loaded", "no estimator"],
)
def test_what_cannot_be_read_as_data_says_so(
    make: Any, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its class, and the way out where there is one."""
    rows, target = rides()
    dv = DictVectorizer(sparse=False)
    pair = dv, make().fit(dv.fit_transform(rows), target)
    with monkeypatch.context() as patch:
        patch.setattr("sklearn.base.__version__", "1.5.2")
        (tmp_path / "x.pkl").write_bytes(pickle.dumps(pair))
    with pytest.raises(SystemExit, match=words):
        adopt(tmp_path, "ride", tmp_path / "x.pkl")


def test_a_class_of_the_same_name_is_not_taken_for_it() -> None:
    """It may predict otherwise."""
    saved = read_bytes(
        "x.pkl", pickle.dumps((DictVectorizer().fit(rides()[0]), LinearRegression()))
    )
    for found in list(walk(saved.roots)):
        if isinstance(found, StandIn) and found.kind and found.kind.name == "LinearRegression":
            object.__setattr__(found.kind, "module", "xgboost.core")
    with pytest.raises(NotCompiled, match=r"xgboost\.core\.LinearRegression has no compiled form"):
        read_as_data(choose([saved], None), RIDE, None)
