"""A pickle of ours is read; everything else is refused before it runs."""

from __future__ import annotations

import copyreg
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType
from typing import Any
from unittest import mock

import joblib
import numpy as np
import pytest
import sklearn
import sklearn._loss.link
from numpy._core.numeric import _frombuffer
from sklearn.linear_model import LinearRegression, LogisticRegression

from scoring.errors import ArtifactError
from scoring.models import Model, discover
from scoring.unpickle import loads
from tests.support import records, tiny_pair
from training.estimators import make, names
from training.features import narrow

PROTO_4 = b"\x80\x04"
MAJOR, MINOR, PATCH = sklearn.__version__.split(".")[:3]
OTHER_MINOR = f"{MAJOR}.{int(MINOR) - 1}.{PATCH}"
OTHER_PATCH = f"{MAJOR}.{MINOR}.{int(PATCH) + 1}"


class Call:
    """Its pickle calls `function` when it is read."""

    def __init__(self, function: Callable[..., Any], *words: Any) -> None:
        self.call = (function, words)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


def text(value: str) -> bytes:
    """Gives the opcodes that push a text of at most 255 bytes."""
    return b"\x8c" + bytes([len(value.encode())]) + value.encode()


def named(module: str, name: str) -> bytes:
    """Gives the opcodes of protocol 4 that push what `name`, perhaps dotted, is in `module`."""
    return text(module) + text(name) + b"\x93"


def called(module: str, name: str, *words: bytes) -> bytes:
    """Gives a whole pickle that calls it with the pushed `words`."""
    return PROTO_4 + named(module, name) + b"(" + b"".join(words) + b"tR."


def touch(path: Path) -> str:
    return f"touch '{path}'"


def python(path: Path) -> str:
    return f"__import__('pathlib').Path({str(path)!r}).touch()"


def array_file(path: Path) -> bytes:
    held = np.array([Call(os.system, touch(path))], dtype=object)
    np.save(path.with_suffix(".npy"), held, allow_pickle=True)
    return called("numpy", "load", text(str(path.with_suffix(".npy"))), b"N", b"\x88")


def joblib_file(path: Path) -> bytes:
    joblib.dump(Call(os.system, touch(path)), path.with_suffix(".joblib"))
    return called("joblib.numpy_pickle", "load", text(str(path.with_suffix(".joblib"))))


def chain(path: Path) -> bytes:
    """getattr(__import__("os"), "system")(command)"""
    module = named("builtins", "__import__") + text("os") + b"\x85R"
    system = named("builtins", "getattr") + module + text("system") + b"\x86R"
    return PROTO_4 + system + text(touch(path)) + b"\x85R."


def behind_a_pair(path: Path) -> bytes:
    return pickle.dumps((*tiny_pair(discover()["ride"]), Call(os.system, touch(path))))


def in_an_attribute(path: Path) -> bytes:
    estimator = LinearRegression()
    estimator.coef_ = Call(os.system, touch(path))
    return pickle.dumps(estimator)


def protocol(number: int) -> Callable[[Path], bytes]:
    return lambda path: pickle.dumps(Call(os.system, touch(path)), number)


EXTENSION = 0x7F
HOSTILE: dict[str, Callable[[Path], bytes]] = {
    **{f"os.system, protocol {number}": protocol(number) for number in range(6)},
    "eval": lambda p: called("builtins", "eval", text(python(p))),
    "exec": lambda p: called("builtins", "exec", text(python(p))),
    "python 2's eval": lambda p: b"\x80\x02c__builtin__\neval\n" + text(python(p)) + b"\x85R.",
    "getattr": chain,
    "a process": lambda p: called(
        "subprocess", "check_call", b"]" + text("touch") + b"a" + text(str(p)) + b"a"
    ),
    "inst": lambda p: b"(V" + touch(p).encode() + b"\nios\nsystem\n.",
    "obj": lambda p: b"(cos\nsystem\nV" + touch(p).encode() + b"\no.",
    "ext": lambda p: PROTO_4 + b"\x82" + bytes([EXTENSION]) + text(touch(p)) + b"\x85R.",
    "dotted, behind an allowed module": lambda p: called(
        "sklearn.pipeline", "np.lib._npyio_impl.os.system", text(touch(p))
    ),
    "numpy's loader": array_file,
    "joblib's loader": joblib_file,
    "pickle's loader": lambda p: called(
        "_pickle", "loads", b"C" + bytes([len(protocol(4)(p))]) + protocol(4)(p)
    ),
    "behind a good pair": behind_a_pair,
    "in an allowed object": in_an_attribute,
}


@pytest.fixture(autouse=True)
def _extension() -> Iterator[None]:
    copyreg.add_extension(os.system.__module__, "system", EXTENSION)
    yield
    copyreg.remove_extension(os.system.__module__, "system", EXTENSION)


@pytest.mark.parametrize("attack", HOSTILE)
def test_a_hostile_pickle_is_refused_before_it_runs(tmp_path: Path, attack: str) -> None:
    """What a plain unpickler would run leaves no trace here, and is named."""
    canary = tmp_path / "canary"
    data = HOSTILE[attack](canary)
    with pytest.raises(ArtifactError, match=r"not on the service's allow-list; nothing of it"):
        loads(data)
    assert not canary.exists()
    pickle.loads(data)
    assert canary.exists(), "this pickle does no harm anywhere: it proves nothing"


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("sklearn.pipeline", "os.system"),
        ("sklearn.pipeline", "clone"),
        ("sklearn.pipeline", "Pipeline.__init__"),
        ("sklearn.pipeline", "Pipeline.__init__.__globals__"),
        ("sklearn.linear_model", "LinearRegression"),
        ("numpy", "fromfile"),
        ("numpy", "memmap"),
        ("numpy.core.numeric", "fromfile"),
        ("numpy.core", "multiarray"),
        ("numpy.core.", "_reconstruct"),
        ("builtins", "bytearray.fromhex"),
        ("builtins", "type"),
        ("builtins", "open"),
        ("__builtin__", "apply"),
        ("copyreg", "_reconstructor"),
        ("copy_reg", "_reconstructor"),
        ("scoring.unpickle", "loads"),
        ("xgboost.core", "os.system"),
        ("", ""),
        ("__main__", "Anything"),
    ],
)
def test_what_is_not_on_the_list_is_named(module: str, name: str) -> None:
    """Names are compared whole, module and name: neither a neighbour nor a dotted path passes."""
    data = PROTO_4 + named(module, name) + b"."
    with pytest.raises(ArtifactError, match="allow-list") as caught:
        loads(data)
    assert name in str(caught.value)


def test_a_refused_name_makes_one_line() -> None:
    """A name with a newline in it cannot forge a line of the log."""
    with pytest.raises(ArtifactError) as caught:
        loads(PROTO_4 + named("os\nall is well", "x\ny") + b".")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("sklearn._loss.link", "LogitLink"),
        ("sklearn.pipeline", "Pipeline"),
        ("sklearn.tree._tree", "Tree"),
        ("numpy._core.numeric", "_frombuffer"),
        ("numpy", "ndarray"),
    ],
)
@pytest.mark.parametrize("slots", [True, False], ids=["slots", "dict"])
def test_state_is_not_set_on_what_is_only_named(module: str, name: str, slots: bool) -> None:
    """A pickle gives state to objects that it made, never to a class or function of a library."""
    state = b"}" + text("invaded") + b"\x88s"
    build = (b"N" + state + b"\x86" if slots else state) + b"b"
    target = getattr(sys.modules[module], name)
    try:
        with pytest.raises(ArtifactError):
            loads(PROTO_4 + named(module, name) + build + b".")
        assert not hasattr(target, "invaded")
    finally:
        if hasattr(target, "invaded"):
            del target.invaded


def test_a_function_of_numpy_keeps_its_defaults() -> None:
    """Not even by way of a memo: named first, built upon later."""
    assert isinstance(_frombuffer, FunctionType)
    before = _frombuffer.__defaults__
    kept = named("numpy._core.numeric", "_frombuffer") + b"\x940h\x00"
    state = b"N}" + text("__defaults__") + b")s\x86b."
    try:
        with pytest.raises(ArtifactError):
            loads(PROTO_4 + kept + state)
        assert _frombuffer.__defaults__ is before
    finally:
        _frombuffer.__defaults__ = before


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
    vectorizer, plain = tiny_pair(model)
    rows = [model.features(model.record.model_validate(row)) for row in records(model)]
    x = narrow(vectorizer.transform(rows))
    fitted = make(model.task, estimator, {}, 1).fit(x, plain.predict(x))
    (_, read), versions = loads(pickle.dumps((vectorizer, fitted)))
    assert versions == frozenset()
    # a forest adds its trees' answers up in the order in which its threads are done
    np.testing.assert_allclose(read.predict(x), fitted.predict(x), rtol=1e-12)


def pickled_by(version: object, value: object) -> bytes:
    """Gives the pickle of an estimator as scikit-learn `version` would have written it."""
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
