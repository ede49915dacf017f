"""A pickle that would call anything not on the allow-list is refused before it runs."""

from __future__ import annotations

import copyreg
import os
import pickle
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

import joblib
import numpy as np
import pytest
from numpy._core.numeric import _frombuffer  # type: ignore[attr-defined]  # what pickles name
from sklearn.linear_model import LinearRegression

from scoring.artifact.pickles import loads
from scoring.errors import ArtifactError
from scoring.models import discover
from tests.scoring.artifact.opcodes import PROTO_4, called, named, text
from tests.support import tiny_pair


class Call:
    """Its pickle calls `function` when it is read."""

    def __init__(self, function: Callable[..., Any], *words: Any) -> None:
        self.call = (function, words)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


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
        "_pickle", "loads", b"B" + struct.pack("<I", len(protocol(4)(p))) + protocol(4)(p)
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
        ("scoring.artifact.pickles", "loads"),
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
