"""Files that are packed, broken, hostile, or something else: read in bounded memory, or named."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from joblib.numpy_pickle import NumpyArrayWrapper

from scoring.errors import ArtifactError
from scoring.saved.arrays import as_array
from scoring.saved.containers import read_bytes, read_files
from scoring.saved.shapes import pairs
from scoring.saved.stand_ins import StandIn, walk

LIMIT = 1 << 20
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
}


@pytest.mark.parametrize("kind", list(PACKERS))
def test_a_packed_file_is_unpacked(kind: str) -> None:
    """Whatever its size is within the limit."""
    text = "x" * (LIMIT - 100)
    assert read_bytes("x", PACKERS[kind](pickle.dumps(text)), LIMIT).roots == [text]


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(PACKERS))
def test_a_bomb_is_refused_before_it_is_unpacked(kind: str) -> None:
    """A hundred megabytes of zeros take no more memory than the limit and some blocks."""
    data = PACKERS[kind](bytes(100 * LIMIT))
    tracemalloc.start()
    with pytest.raises(ArtifactError, match="x: it unpacks to more than 1 MiB"):
        read_bytes("x", data, LIMIT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30 * LIMIT


@pytest.mark.parametrize("kind", list(PACKERS))
def test_a_packed_file_that_ends_too_soon_is_refused(kind: str) -> None:
    """As a download that broke off."""
    data = PACKERS[kind](pickle.dumps(list(range(10_000))))
    with pytest.raises(ArtifactError, match="x: it (ends too soon|cannot be unpacked)"):
        read_bytes("x", data[: len(data) // 2], LIMIT)


def test_a_file_packed_in_two_pieces_is_one(tmp_path: Path) -> None:
    """As `cat a.gz b.gz` makes it."""
    data = pickle.dumps("some words")
    whole = gzip.compress(data[:5]) + gzip.compress(data[5:])
    (tmp_path / "x.pkl.gz").write_bytes(whole)
    assert read_files([tmp_path / "x.pkl.gz"])[0].roots == ["some words"]


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype="<f8").reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype="<i4").reshape(2, 3)),
        np.arange(6, dtype=">i8"),
        np.array(3.5),
        np.zeros((0, 4)),
        np.array([(1, 2.5), (3, 4.5)], dtype=[("a", "<i8"), ("b", "<f8")]),
        np.array([1, "x", None], dtype=object),
        np.array([True, False]),
    ],
    ids=["rows", "columns", "big-endian", "none", "empty", "fields", "objects", "bools"],
)
@pytest.mark.parametrize("how", ["joblib", "0", "2", "5"])
def test_an_array_is_what_numpy_saved(array: Any, how: str) -> None:
    """By pickle of any protocol, and between a pickle's instructions as joblib writes it."""
    if how == "joblib":
        file = io.BytesIO()
        joblib.dump({"a": array, "b": [array]}, file)
        data = file.getvalue()
    else:
        data = pickle.dumps({"a": array, "b": [array]}, int(how))
    [root] = read_bytes("x", data).roots
    for found in (root["a"], root["b"][0]):
        again = as_array(found)
        assert again.dtype == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(again, array)


def test_a_number_of_numpys_is_an_array_of_no_dimension() -> None:
    """As a score beside a model is."""
    [root] = read_bytes("x", pickle.dumps(np.float32(1.5))).roots
    assert as_array(root) == 1.5


def _array(shape: Any, dtype: str = "f8") -> bytes:
    """Return joblib's record of an array, with 32 bytes behind it."""
    record = NumpyArrayWrapper(np.ndarray, shape, "C", np.dtype(dtype))
    return pickle.dumps(record, 2)[:-1] + b"\0" * 33 + b"."


def _twice(depth: int, nest: Callable[[Any], Any]) -> Any:
    found: Any = ()
    for _ in range(depth):
        found = nest(found)
    return found


def _zip(**sizes: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, size in sizes.items():
            made.writestr(name.replace("_", "."), b" " * size)
    return file.getvalue()


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "an array of a terabyte": (
        lambda: _array((1 << 37,)),
        "an array of 1099511627776 bytes where the file has 33 left",
    ),
    "an array of no length": (
        lambda: _array((-1,)),
        "an array of a shape that is none",
    ),
    "an array of addresses": (
        lambda: _array((4,), "O"),
        "the pickle cannot be read",
    ),
    "an array of bytes": (lambda: _array((4,), "S2"), "an array of the type 'S2'"),
    "texts of no length": (lambda: _array((1 << 39,), "U0"), "an array of the type 'U0'"),
    "texts of no characters": (
        lambda: _array((4,), "U2").replace(b"\0" * 33, b"\0" + b"\xff" * 32),
        "characters that there are not",
    ),
    "bytes without end": (lambda: b"\x80\x04\x8e" + b"\xff" * 7 + b"\x0f.", "cannot be read"),
    "a bytearray without end": (lambda: b"\x80\x05\x96" + b"\xff" * 7 + b"\x0f.", "cannot be read"),
    "a text without end": (lambda: b"\x80\x04\x8d" + b"\xff" * 7 + b"\x0f.", "cannot be read"),
    "a key that takes forever": (
        lambda: b"\x80\x02})" + b"2\x86" * 60 + b"Ns.",
        "the pickle cannot be read: UnpicklingError",
    ),
    "a set that takes forever": (
        lambda: b"\x80\x04\x8f()" + b"2\x86" * 60 + b"\x90.",
        "the pickle cannot be read: UnpicklingError",
    ),
    "state for a function": (lambda: b"\x80\x02cos\nsystem\n}b.", "changes a class or function"),
    "an extension": (lambda: b"\x80\x02\x82\x01.", "cannot be read"),
    "a persistent id": (lambda: b"Px\n.", "cannot be read"),
    "nothing": (lambda: b"", "it is empty"),
    "half a pickle": (lambda: pickle.dumps(list(range(1000)))[:500], "cannot be read"),
    "a page": (lambda: b"<!DOCTYPE html><html>", "it is a web page or XML"),
    "a pointer": (lambda: b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    "old joblib": (lambda: b"ZF0x1f", "written by joblib before 0.10"),
    "LZ4": (lambda: b"\x04\x22\x4d\x18xx", r"joblib.dump\(..., compress=3\)"),
    "memory for LZMA": (
        lambda: b"\x5d\x00\x00\x00\xff" + b"\xff" * 8 + b"\x00" * 40,
        "it cannot be unpacked",
    ),
    "another zip": (lambda: _zip(a_txt=3), "it is a zip file, not one of skops"),
    "a zip's bomb": (lambda: _zip(schema_json=2, x_npy=200 * LIMIT), "unpacks to more than"),
    "a schema's bomb": (lambda: _zip(schema_json=65 << 20), "more than"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(HOSTILE))
def test_a_hostile_file_is_refused_in_bounded_memory(name: str) -> None:
    """Whatever lengths it claims: one line that says what was seen."""
    make, words = HOSTILE[name]
    data = make()
    tracemalloc.start()
    with pytest.raises(ArtifactError, match=words):
        read_bytes("x", data, 100 * LIMIT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * LIMIT + len(data)


@pytest.mark.parametrize(
    "value",
    [
        _twice(60, lambda x: [x, x]),
        _twice(60, lambda x: (x, x)),
        _twice(60, lambda x: {"a": x, "b": x}),
    ],
    ids=["lists", "tuples", "dictionaries"],
)
def test_what_refers_to_itself_a_billion_times_is_looked_at_once(value: Any) -> None:
    """Sixty lists, each twice in the next, are sixty lists."""
    began = time.process_time()
    saved = read_bytes("x", pickle.dumps(value))
    assert pairs([saved]) == []
    assert len(list(walk(saved.roots))) < 1000
    assert time.process_time() - began < 5


@pytest.mark.slow
def test_deep_nesting_is_no_crash() -> None:
    """A hundred thousand lists in each other, which Python's stack does not hold."""
    saved = read_bytes("x", b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".")
    assert pairs([saved]) == []
    assert len(list(walk(saved.roots))) == 100_001


def test_nothing_is_imported(tmp_path: Path) -> None:
    """A class that is named stays a name, also where importing its module would do something."""
    (tmp_path / "trap_module.py").write_text("raise SystemExit('imported')")
    [root] = read_bytes("x", b"\x80\x02ctrap_module\nTrap\n)\x81}q\x00b.").roots
    assert isinstance(root, StandIn)
    assert str(root.kind) == "trap_module.Trap"
