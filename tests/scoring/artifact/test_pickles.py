"""A pickle of ours is read; a damaged one, or one of another version, is refused in one line."""

from __future__ import annotations

import pickle
import sys
from unittest import mock

import numpy as np
import pytest
import sklearn
import sklearn._loss.link
from sklearn.linear_model import LinearRegression, LogisticRegression

from scoring.artifact.pickles import loads
from scoring.errors import ArtifactError
from scoring.models import Model, discover
from tests.scoring.artifact.opcodes import PROTO_4, called, named, text
from tests.support import records, tiny_pair
from training.fit.estimators import make, names
from training.fit.features import narrow
from training.fit.means import tell_columns

MAJOR, MINOR, PATCH = sklearn.__version__.split(".")[:3]
OTHER_MINOR = f"{MAJOR}.{int(MINOR) - 1}.{PATCH}"
OTHER_PATCH = f"{MAJOR}.{MINOR}.{int(PATCH) + 1}"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b".",
        b"N",
        b"garbage",
        b"\x00" * 64,
        b"PK\x03\x04 a zip",
        b"<html>not found</html>",
        b"version https://git-lfs.github.com/spec/v1\n",
        b"\x80\x63N.",
        b"\x80\x04Pid\n.",
        b"\x80\x04K\x01Q.",
        b"\x80\x04\x82\xfeR.",
        b"\x80\x04h\x07.",
        b"\x80\x04K\x01K\x02b.",
        b"\x80\x04" + text("a") + b")R.",
        called("numpy", "dtype", text("no such type")),
        called("sklearn.linear_model._base", "LinearRegression", b"K\x01", b"K\x02"),
        called("numpy._core.multiarray", "_reconstruct", b"K\x01"),
        called("builtins", "bytearray", b"J\xff\xff\xff\xff"),
    ],
    ids=[
        "empty", "stop alone", "no stop", "garbage", "zeros", "zip", "html", "git-lfs",
        "protocol 99", "persistent id", "binary persistent id", "unknown extension",
        "unknown memo", "state of a number", "a text called", "a bad dtype", "wrong arguments",
        "wrong types", "negative length",
    ],
)  # fmt: skip
def test_what_is_no_pickle_of_ours_cannot_be_read(data: bytes) -> None:
    """Whatever a damaged file makes the unpickler raise, the answer is one line."""
    with pytest.raises(ArtifactError, match=r"^the pickle cannot be read: \w+$"):
        loads(data)


def test_a_truncated_pickle_cannot_be_read(model: Model) -> None:
    """A file that broke off anywhere is refused, never half-read."""
    data = pickle.dumps(tiny_pair(model))
    for length in range(0, len(data), max(1, len(data) // 200)):
        with pytest.raises(ArtifactError, match="cannot be read"):
            loads(data[:length])


@pytest.mark.parametrize("number", range(2, 6))
def test_a_good_pair_is_read_in_every_protocol(model: Model, number: int) -> None:
    """Protocols 2 to 5, as the tutorials' pythons wrote them, give the same pair."""
    vectorizer, estimator = tiny_pair(model)
    (read, same), versions = loads(pickle.dumps((vectorizer, estimator), number))
    assert versions == frozenset()
    assert read.feature_names_ == vectorizer.feature_names_
    np.testing.assert_array_equal(same.coef_, estimator.coef_)


def test_names_of_older_numpy_and_python_2_are_understood() -> None:
    """numpy before 2.0 called the same module `numpy.core`, Python 2 `builtins` `__builtin__`."""
    array = np.arange(3.0)
    data = pickle.dumps(array, 2)
    assert b"cnumpy._core.multiarray\n_reconstruct\n" in data
    older = data.replace(b"cnumpy._core.", b"cnumpy.core.")
    np.testing.assert_array_equal(loads(older)[0], array)
    assert loads(b"\x80\x02c__builtin__\nbytearray\n)R.")[0] == bytearray()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "estimator"), [(m.name, e) for m in discover().values() for e in names(m.task)]
)
def test_every_estimator_that_can_be_trained_is_read(name: str, estimator: str) -> None:
    """What train.py can write, the service can load: it predicts what it predicted."""
    if estimator == "xgboost":
        pytest.importorskip("xgboost")
    model = discover()[name]
    if estimator == "means":
        model = model.whole()
    vectorizer, plain = tiny_pair(model)
    rows = [model.features(model.record.model_validate(row)) for row in records(model)]
    x = narrow(vectorizer.transform(rows))
    made = make(model.task, estimator, {}, 1)
    tell_columns(made, vectorizer, x)
    fitted = made.fit(x, plain.predict(x))
    (_, read), versions = loads(pickle.dumps((vectorizer, fitted)))
    assert versions == frozenset()
    # a forest adds its trees' answers up in the order in which its threads are done
    np.testing.assert_allclose(read.predict(x), fitted.predict(x), rtol=1e-12)


def pickled_by(version: object, value: object) -> bytes:
    """Return the pickle of an estimator as scikit-learn `version` would have written it."""
    with mock.patch("sklearn.base.__version__", version):
        return pickle.dumps(value)


def test_another_minor_version_is_refused_with_both_versions_named() -> None:
    """A pickle of another minor version may load and then predict wrongly."""
    data = pickled_by(OTHER_MINOR, LinearRegression())
    with pytest.raises(ArtifactError) as caught:
        loads(data)
    assert OTHER_MINOR in str(caught.value)
    assert sklearn.__version__ in str(caught.value)
    assert "train it again" in str(caught.value)


def test_another_minor_version_is_taken_where_the_owner_says_so() -> None:
    """`other_version` lets it through and gives the version that wrote it."""
    data = pickled_by(OTHER_MINOR, LinearRegression(fit_intercept=False))
    estimator, versions = loads(data, other_version=True)
    assert versions == {OTHER_MINOR}
    assert estimator.fit_intercept is False


def test_another_patch_version_is_taken_and_told() -> None:
    """Versions that differ in the last number predict the same."""
    estimator, versions = loads(pickled_by(OTHER_PATCH, LogisticRegression(C=3.0)))
    assert versions == {OTHER_PATCH}
    assert estimator.C == 3.0


def test_two_foreign_versions_are_both_named() -> None:
    """A vectorizer of one version and an estimator of another: both are told."""
    one = pickled_by(OTHER_MINOR, LinearRegression())[:-1]
    other = pickled_by("0.24.2", LogisticRegression())[:-1]
    with pytest.raises(ArtifactError, match=rf"0\.24\.2, {OTHER_MINOR}"):
        loads(one + other + b"\x86.")


@pytest.mark.parametrize("version", [5, None, ["1.2"], "1.2\nall is well", ""], ids=repr)
def test_a_version_that_is_none_is_refused_in_one_line(version: object) -> None:
    """A forged version is a foreign one, and no way to another exception."""
    with pytest.raises(ArtifactError) as caught:
        loads(pickled_by(version, LinearRegression()))
    assert len(str(caught.value).splitlines()) == 1


def test_a_missing_library_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model of XGBoost where there is none: which package, and the two ways out."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "xgboost"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(ArtifactError) as caught:
        loads(PROTO_4 + named("xgboost.sklearn", "XGBRegressor") + b")\x81.")
    assert str(caught.value) == (
        "the model was trained with xgboost, which is not installed here: "
        "install xgboost where the service runs, or train another estimator"
    )


def test_warnings_do_not_escape(recwarn: pytest.WarningsRecorder) -> None:
    """What scikit-learn warns of is told by the result, not on the side."""
    loads(pickled_by(OTHER_PATCH, LinearRegression()))
    assert not recwarn.list
