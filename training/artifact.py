"""Writes a model's folder: the pair, its manifest and its plots, all of it or nothing."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import importlib.metadata
import os
import pickle
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scoring.artifact import (
    MANIFEST,
    VERSION_DIGITS,
    Artifact,
    Compiled,
    Golden,
    Manifest,
    load,
    read_compiled,
    remedied,
)
from scoring.models import Model
from scoring.predictor import Predictor
from scoring.scorers import compiling
from scoring.scorers.pair import Pair, check_pair
from scoring.unpickle import loads
from training.errors import TrainingError
from training.estimators import given_parameters

_LIBRARIES = ("scikit-learn", "numpy", "scipy", "pandas", "pyarrow", "xgboost-cpu")
_PROJECT = Path(__file__).resolve().parents[1]


def write(
    output: Path,
    model: Model,
    pair: tuple[Any, Any],
    *,
    golden: Sequence[Mapping[str, Any]],
    threshold: float,
    draw: Callable[[Path], object] = lambda _folder: None,
    pickled: bytes | None = None,
    say: Callable[[str], None] = lambda _line: None,
    **facts: Any,
) -> Manifest:
    """Writes `output/<model>/` and gives its manifest; the pair, read as the service reads it, has
    answered the records `golden` by then, and its compiled form, where it has one, as the pair did.
    `facts` are the manifest's other fields; `pickled` are the pair's bytes where they exist
    already. A folder of the same name is exchanged whole, one that is no artifact is left alone
    with a TrainingError."""
    vectorizer, estimator = check_pair(pair, model)
    data = pickle.dumps(pair, protocol=5) if pickled is None else pickled
    digest = hashlib.sha256(data).hexdigest()
    commit, dirty = _git()
    manifest = Manifest(
        model=model.name,
        version=digest[:VERSION_DIGITS],
        file=model.artifact_file,
        sha256=digest,
        created=datetime.now(UTC).replace(microsecond=0),
        estimator=_title(estimator),
        parameters=given_parameters(estimator),
        threshold=threshold,
        python=platform.python_version(),
        libraries=_versions(),
        git_commit=commit,
        git_dirty=dirty,
        feature_names=[str(name) for name in vectorizer.feature_names_],
        golden=[],
        **facts,
    )
    # of the pair as the service will read it: what its allow-list refuses must not be written
    served = Pair(loads(data, other_version=True)[0], model)
    predictor = Predictor(model, Artifact(manifest, served))
    scored = predictor.many([dict(record) for record in golden])
    pairs = [
        Golden(record=dict(record), answer={k: v for k, v in answer.items() if k != "unseen"})
        for record, answer in zip(golden, scored.answers, strict=True)
    ]
    manifest = manifest.model_copy(update={"golden": pairs})
    manifest, files = _compiled(served, model, manifest, say)
    files |= {model.artifact_file: data, MANIFEST: _text(manifest)}

    def fill(folder: Path) -> None:
        for name, content in files.items():
            (folder / name).write_bytes(content)
        draw(folder)

    _replace_folder(output / model.name, fill)
    return manifest


def compile_again(folder: Path, output: Path, model: Model, say: Callable[[str], None]) -> Manifest:
    """Writes the artifact in `folder`, as it is but with the compiled form of its pair, to
    `output/<model>/` and gives its manifest. Raises ArtifactError where the pair cannot serve."""
    found = load(folder, model, compiled=False)
    assert isinstance(found.scorer, Pair)  # noqa: S101  # for the type checker
    with remedied(model):
        Predictor(model, found)
        manifest, files = _compiled(found.scorer, model, found.manifest, say)
    files |= {manifest.file: (folder / manifest.file).read_bytes(), **found.plots}
    files[MANIFEST] = _text(manifest)

    def fill(aside: Path) -> None:
        for name, content in files.items():
            (aside / name).write_bytes(content)

    _replace_folder(output / model.name, fill)
    return manifest


def _compiled(
    pair: Pair, model: Model, manifest: Manifest, say: Callable[[str], None]
) -> tuple[Manifest, dict[str, bytes]]:
    """Gives the manifest that names the compiled form, which has answered the golden records, and
    its file; neither where there is no such form."""
    golden = [model.record.model_validate(dict(line.record)) for line in manifest.golden]
    try:
        made = compiling.compiled(pair, [model.features(record) for record in golden])
    except compiling.NotCompiled as reason:
        say(f"scikit-learn will serve it: {reason}")
        return manifest.model_copy(update={"compiled": None}), {}
    entry = Compiled(kind=made.kind, file=made.name, sha256=made.sha256)
    manifest = manifest.model_copy(update={"compiled": entry})
    Predictor(model, Artifact(manifest, read_compiled(made.kind, made.data)))
    return manifest, {made.name: made.data}


def _text(manifest: Manifest) -> bytes:
    return manifest.model_dump_json(indent=1).encode() + b"\n"


def refuse_foreign(target: Path) -> None:
    """Raises TrainingError where `target` is there already and no training wrote it."""
    try:
        if target.exists() and not target.is_dir():
            raise TrainingError(f"{target} is no folder: name another --output")
        if target.is_dir() and any(target.iterdir()) and not (target / MANIFEST).exists():
            raise TrainingError(f"{target} holds files but no {MANIFEST}: name another --output")
    except OSError as error:
        raise TrainingError(f"{target} cannot be read: {error.strerror}") from error


def _title(estimator: Any) -> str:
    """`LinearRegression`; of a pipeline, its last step's."""
    return type(getattr(estimator, "steps", [("", estimator)])[-1][1]).__name__


def _versions() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _git() -> tuple[str | None, bool | None]:
    """Gives the project's commit and whether the tree differs from it; None, None outside git."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(_PROJECT), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603  # our own words

    try:
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return None, None


def _replace_folder(target: Path, fill: Callable[[Path], None]) -> None:
    """Puts a folder that `fill` filled in the place of `target`, in one step: a reader sees the old
    files or the new ones, and a writer that is killed leaves the old ones."""
    refuse_foreign(target)
    target = target.resolve()  # of a link, what it points to: that can be exchanged
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=f".{target.name}.", dir=target.parent, ignore_cleanup_errors=True
        ) as name:
            aside = Path(name)
            fill(aside)
            for path in aside.iterdir():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
            aside.chmod(0o755)  # the temporary 0700 would keep the service's user out
            _put(aside, target)
    except OSError as error:
        full = error.errno == errno.ENOSPC
        reason = "the disk is full" if full else error.strerror or type(error).__name__
        raise TrainingError(f"{target} cannot be written: {reason}; it is as it was") from error


def _put(one: Path, target: Path) -> None:
    """Gives the folder `one` the name `target`. What is there is asked by trying: another training
    may have put its own there a moment ago."""
    try:
        one.rename(target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        _exchange(one, target)


def _exchange(one: Path, other: Path) -> None:
    """Lets two folders change names. Linux does it in one step; elsewhere it takes two."""
    at_cwd, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE of <linux/fs.h>
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "renameat2"):
        if libc.renameat2(at_cwd, os.fsencode(one), at_cwd, os.fsencode(other), exchange) == 0:
            return
        if ctypes.get_errno() not in (errno.EINVAL, errno.ENOSYS):  # the file system cannot
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(other))
    old = one.with_name(one.name + ".old")
    other.rename(old)
    one.rename(other)
    shutil.rmtree(old)
