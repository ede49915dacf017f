"""From the paths that a person gives to what the files hold: bytes are unpacked within a limit, and
a file that is no model is named for what it is."""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from scoring.errors import ArtifactError
from scoring.saved.arrays import read_joblib_array
from scoring.saved.native import native
from scoring.saved.skops_file import read_skops
from scoring.saved.stand_ins import read_pickles

# A file of four million nodes, the most that are compiled, has a third of it.
MAX_BYTES: Final = 1 << 30
_BLOCK: Final = 1 << 20
_LZMA_MEMORY: Final = 1 << 28


class Saved(NamedTuple):
    """One file, read as data."""

    name: str
    roots: list[Any]  # one value a pickle in it
    data: bytes | None  # of the file, where it is a pickle and nothing else


class _Decompressor(Protocol):
    eof: bool
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


_PACKED: Final[dict[bytes, Callable[[], Any]]] = {
    b"\x1f\x8b": lambda: zlib.decompressobj(zlib.MAX_WBITS | 32),
    b"x": zlib.decompressobj,  # no pickle begins with it
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ": lambda: lzma.LZMADecompressor(memlimit=_LZMA_MEMORY),
    b"\x5d\x00\x00": lambda: lzma.LZMADecompressor(memlimit=_LZMA_MEMORY),
}
# The first bytes of what is given by mistake, and what to do.
_OTHERS: Final = {
    b"version https://git-lfs": "a pointer of Git LFS, not the file: run git lfs pull there",
    b"<": "a web page or XML, not a model: download the file itself",
    b"ZF": "written by joblib before 0.10: load it where it was made and write it again",
    b"\x04\x22\x4d\x18": "packed with LZ4: write it again with joblib.dump(..., compress=3)",
    b"\x28\xb5\x2f\xfd": "packed with Zstandard: unpack it first",
    b"\x89HDF": "an HDF5 file, as Keras writes: only models of a DictVectorizer are taken in",
    b"PAR1": "a Parquet table, not a model: give it with --data",
    b"{": "JSON, and not what save_model of XGBoost or CatBoost writes",
}


def read_files(paths: list[Path], limit: int = MAX_BYTES) -> list[Saved]:
    """Return what each file holds, in order; a folder of MLflow's stands for the model in it.

    Raises ArtifactError with the file's name for one that cannot be read, that is no pickle, joblib
    or skops file, or that holds more than `limit` bytes once it is unpacked.
    """
    return [_read(path, limit) for path in paths]


def _read(path: Path, limit: int) -> Saved:
    file = _in_folder(path) if path.is_dir() else path
    try:
        if file.stat().st_size > limit:
            raise ArtifactError(f"{file.name} has more than {_shown(limit)}")
        data = file.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{file} cannot be read: {error.strerror}") from error
    return read_bytes(file.name, data, limit)


def read_bytes(name: str, data: bytes, limit: int = MAX_BYTES) -> Saved:
    """Return what the bytes of the file `name` hold, as `read_files` does."""
    try:
        if data.startswith(b"PK\x03\x04"):
            return Saved(name, [read_skops(data, limit)], None)
        if booster := native(data):
            return Saved(name, [booster], None)
        for head, what in _OTHERS.items():
            if data.startswith(head):
                raise ArtifactError(f"it is {what}")
        unpacked = _unpacked(data, limit)
        roots = read_pickles(unpacked, read_joblib_array)
    except ArtifactError as error:
        raise ArtifactError(f"{name}: {error}") from error
    # from protocol 2 on; those before name what the allow-list does not
    plain = unpacked is data and data.startswith(b"\x80") and not _has_records(data)
    return Saved(name, roots, data if plain and len(roots) == 1 else None)


def _has_records(data: bytes) -> bool:
    """Say whether arrays stand between a pickle's instructions, as joblib writes them."""
    return b"NumpyArrayWrapper" in data


def _unpacked(data: bytes, limit: int) -> bytes:
    """Return the bytes of a compressed file, or those of any other as they are."""
    make = next((make for head, make in _PACKED.items() if data.startswith(head)), None)
    if make is None:
        return data
    parts: list[bytes] = []
    room = limit
    try:
        while data:
            one: _Decompressor = make()
            while not one.eof:
                part = one.decompress(data, min(_BLOCK, room + 1))
                data = getattr(one, "unconsumed_tail", b"")
                if not part and not data and not one.eof:
                    raise ArtifactError("it ends too soon: was it copied whole?")
                parts.append(part)
                room -= len(part)
                if room < 0:
                    raise ArtifactError(f"it unpacks to more than {_shown(limit)}")
            data = one.unused_data
            if not data.strip(b"\0"):
                break
    except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
        raise ArtifactError(f"it cannot be unpacked: {error}") from error
    return b"".join(parts)


_IN_MLMODEL: Final = re.compile(
    r"^\s+(?:pickled_model|model_path|data): *['\"]?([\w.-]+)", re.MULTILINE
)


def _in_folder(folder: Path) -> Path:
    """Return the file of the model in a folder of MLflow's, as its MLmodel names it."""
    try:
        told = (folder / "MLmodel").read_text(encoding="utf-8", errors="replace")
    except OSError:
        raise ArtifactError(
            f"{folder} is a folder without MLmodel or manifest.json: name the file of the model"
        ) from None
    names = [*_IN_MLMODEL.findall(told), "model.skops", "model.pkl"]
    for name in names:
        if (folder / name).is_file():
            return folder / str(name)
    flavours = ", ".join(re.findall(r"^  (\w+):", told, re.MULTILINE)) or "none"
    raise ArtifactError(
        f"{folder} holds no model of scikit-learn (its flavours: {flavours}): name the files of "
        "the DictVectorizer and of the model"
    )


def _shown(limit: int) -> str:
    return f"{limit >> 20} MiB"
