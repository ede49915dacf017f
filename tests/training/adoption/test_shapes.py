"""A pair is found in whatever shape it was saved, and loaded through the allow-list."""

from __future__ import annotations

import collections
import pickle
from pathlib import Path
from typing import Any

import pytest
import skops.io
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from scoring.artifact.foreign import read_pair
from scoring.errors import ArtifactError
from scoring.models import discover
from scoring.predictor import Predictor
from scoring.saved.containers import read_bytes, read_files
from scoring.saved.repickle import repickle
from scoring.saved.shapes import choose, pairs
from scoring.scorers.sklearn import SklearnScorer
from scoring.values.shares import Shares
from tests.flowers import FLOWERS
from tests.support import tiny_pair
from tests.training.adoption.archives import OURS, archive, asked
from tests.training.adoption.make_files import MAKERS, Held
from training.adopt import main

pytestmark = pytest.mark.slow

MODELS = {**discover(), "flowers": FLOWERS}
RIDE = MODELS["ride"]


def scores(pair: Any, model: str) -> list[Any]:
    """Return the scores of a pair; of several classes by name."""
    found, _ = SklearnScorer(pair, MODELS[model]).many(asked(model))
    return [one.by_class if isinstance(one, Shares) else one for one in found]


@pytest.mark.parametrize(
    ("model", "estimator"), [(model, name) for model, names in MAKERS.items() for name in names]
)
def test_every_shape_gives_the_pair(model: str, estimator: str) -> None:
    """Of every estimator: it answers as it did before it was saved."""
    own = archive(OURS)
    cases = own.of(model, estimator)
    assert len(cases) >= 16 or estimator in ("multinomial", "one-by-one")  # of older versions
    for case in cases:
        chosen = choose(own.saved(case), case.pick)
        pair = read_pair(repickle((chosen.vectorizer, chosen.estimator)), MODELS[model]).pair
        for got, wanted in zip(scores(pair, model), own.answers[model][estimator], strict=True):
            assert got == pytest.approx(wanted, rel=1e-12), case.shape


def pair() -> tuple[Any, Any]:
    return tiny_pair(RIDE)


def found(*values: Any) -> list[str]:
    """Return the names of the models in files of these values."""
    saved = [read_bytes(f"{n}.pkl", pickle.dumps(value)) for n, value in enumerate(values)]
    return [one.name for one in pairs(saved)]


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (lambda dv, m: (dv, m), ["LinearRegression"]),
        (lambda dv, m: {"dv": dv, "all": {"a": m, "b": make_pipeline(m)}}, ["all.a", "all.b"]),
        (lambda dv, m: {"x": {"d": dv, "m": m}, "y": make_copy({"d": dv, "m": m})}, ["x.m", "y.m"]),
        (lambda dv, m: (dv, make_copy(dv), m), ["2.with.0", "2.with.1"]),
        (lambda dv, m: collections.OrderedDict(dv=dv, best=m), ["best"]),
        (lambda dv, m: Held(dv, m), ["model"]),
        (lambda dv, m: {"best": m, "all": [m], "dv": dv}, ["best"]),
        (lambda dv, m: {"p": make_pipeline(dv, m), "q": make_pipeline(dv, m)}, ["p", "q"]),
    ],
    ids=["pair", "dictionary of models", "dictionary of pairs", "two vectorizers",
         "ordered dictionary", "somebody's own class", "the same model twice", "pipelines"],
)  # fmt: skip
def test_models_are_named_by_their_keys(value: Any, names: list[str]) -> None:
    """An estimator goes with the vectorizer that is nearest to it."""
    assert found(value(*pair())) == names


def make_copy(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def test_two_files_are_one_pair() -> None:
    """In either order; of several models in one of them, each is named."""
    dv, model = pair()
    assert found(dv, model) == ["1.pkl"]
    assert found(model, dv) == ["0.pkl"]
    assert found({"a": model, "b": make_copy(model)}, dv) == ["0.pkl.a", "0.pkl.b"]


def test_one_of_several_is_picked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By its key; without --pick the message lists them, and nothing is written."""
    dv, model = pair()
    twice = LinearRegression().fit(dv.transform(asked("ride")), [2.0] * 6)
    path = tmp_path / "models.pkl"
    path.write_bytes(pickle.dumps({"dv": dv, "models": {"first": model, "second": twice}}))
    words = ["ride", str(path), "--output", str(tmp_path / "models")]
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert str(caught.value.code) == (
        "training.adopt: there are 2 models: choose one with --pick: models.first "
        "(LinearRegression), models.second (LinearRegression)"
    )
    with pytest.raises(SystemExit, match=r"no model is called 'third'; there are: models\.first"):
        main([*words, "--pick", "third"])
    with pytest.raises(SystemExit, match="several models are called 'LinearRegression'"):
        main([*words, "--pick", "LinearRegression"])
    assert not (tmp_path / "models").exists()
    main([*words, "--pick", "second"])
    predictor = Predictor.from_folder(tmp_path / "models" / "ride", RIDE)
    assert predictor.one(dict(RIDE.example)).scores[0] == pytest.approx(2.0)
    assert "taken in from models.pkl, models.second, trained elsewhere" in predictor.manifest.notes
    capsys.readouterr()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (lambda _, m: m, "but LinearRegression without a DictVectorizer: give the file of the"),
        (lambda dv, _: dv, "but a DictVectorizer alone: give the file of the model behind it"),
        (lambda _, m: make_pipeline(OneHotEncoder(), m), "a Pipeline that begins with OneHot"),
        (lambda *_: {"a": 1, "b": 2}, "but a dictionary with 'a', 'b'"),
        (lambda *_: [1, "x"], "but a list of int, str"),
        (lambda *_: collections.Counter(a=1), "but an object of collections.Counter"),
        (lambda *_: 7, "but a int"),
        (lambda dv, _: (dv, OneHotEncoder()), "OneHotEncoder: none of them predicts"),
    ],
    ids=["model", "vectorizer", "pipeline", "dictionary", "list", "class", "number", "encoder"],
)  # fmt: skip
def test_what_is_no_pair_is_named(value: Any, words: str) -> None:
    """What the file holds, and what would do."""
    saved = [read_bytes("x.pkl", pickle.dumps(value(*pair())))]
    with pytest.raises(
        ArtifactError, match=r"x.pkl holds no pair \(DictVectorizer, estimator\)"
    ) as e:
        choose(saved, None)
    assert words in str(e.value)


@pytest.mark.parametrize(
    "name", ["os.system", "builtins.eval", "subprocess.Popen", "runpy.run_path"]
)
def test_what_would_be_run_is_refused_beside_a_pair_too(name: str) -> None:
    """A file that was tampered with is not taken in, though nothing of it would be run here."""
    module, _, function = name.rpartition(".")
    data = pickle.dumps(pair(), 2)[:-1] + f"c{module}\n{function}\n(S'x'\ntR\x86.".encode("latin-1")
    with pytest.raises(ArtifactError, match=f"names '{name}', which is not on the service's"):
        choose([read_bytes("x.pkl", data)], None)


def test_a_folder_of_mlflow_is_its_model(tmp_path: Path) -> None:
    """As its MLmodel names the file; a folder without one says what is missing."""
    (tmp_path / "MLmodel").write_text("flavors:\n  sklearn:\n    pickled_model: my.pkl\n")
    (tmp_path / "my.pkl").write_bytes(pickle.dumps(make_pipeline(*pair())))
    [saved] = read_files([tmp_path])
    assert saved.name == "my.pkl"
    assert len(pairs([saved])) == 1
    (tmp_path / "my.pkl").unlink()
    (tmp_path / "MLmodel").write_text("flavors:\n  xgboost:\n    data: model.ubj\n")
    with pytest.raises(ArtifactError, match=r"no model of scikit-learn \(its flavours: xgboost\)"):
        read_files([tmp_path])
    (tmp_path / "MLmodel").unlink()
    with pytest.raises(ArtifactError, match="without MLmodel or manifest.json"):
        read_files([tmp_path])


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")  # MLflow's own, of its type hints and of pickle
def test_what_mlflow_logs_is_read(tmp_path: Path) -> None:
    """A real folder, with a pickle and with skops."""
    mlflow = pytest.importorskip("mlflow.sklearn")
    for form in ("cloudpickle", "skops"):
        mlflow.save_model(make_pipeline(*pair()), tmp_path / form, serialization_format=form)
        assert len(pairs(read_files([tmp_path / form]))) == 1


@pytest.mark.parametrize(
    ("model", "estimator"), [(model, name) for model, names in MAKERS.items() for name in names]
)
def test_a_skops_file_is_read_as_the_same_data(model: str, estimator: str) -> None:
    """Of every estimator, also in a dictionary."""
    own = archive(OURS)
    if not (cases := own.of(model, estimator)):
        pytest.skip("this version has no such option")
    dv, made = pickle.loads(own.content[cases[0].files[0]])
    data = skops.io.dumps({"dv": dv, "models": {"x": made}})
    chosen = choose([read_bytes("m.skops", data)], "x")
    again = read_pair(repickle((chosen.vectorizer, chosen.estimator)), MODELS[model]).pair
    for got, wanted in zip(scores(again, model), own.answers[model][estimator], strict=True):
        assert got == pytest.approx(wanted, rel=1e-12)


def test_a_search_over_parameters_is_its_best_model() -> None:
    """GridSearchCV around the model, or around the whole pipeline."""
    case = next(c for c in archive(OURS).cases if c.shape == "search")
    [one] = pairs(archive(OURS).saved(case))
    assert one.estimator.kind
    assert one.estimator.kind.name == "DecisionTreeRegressor"


def test_a_regression_of_a_transformed_target_is_named() -> None:
    """It predicts, so nobody is told that it does not; its class is not on the list."""
    dv, model = pair()
    wrapped = TransformedTargetRegressor(model).fit([[1.0], [2.0]], [1.0, 2.0])
    [one] = pairs([read_bytes("x.pkl", pickle.dumps((dv, wrapped)))])
    with pytest.raises(ArtifactError, match="TransformedTargetRegressor', which is not on the"):
        read_pair(repickle((one.vectorizer, one.estimator)), RIDE)


def test_a_vectorizer_alone_is_not_one_of_somebody_elses() -> None:
    """A class of the same name in another library is none."""
    data = b"\x80\x02cmine\nDictVectorizer\n)\x81" + pickle.dumps(pair()[1], 2)[2:-1] + b"\x86."
    assert pairs([read_bytes("x.pkl", data)]) == []
