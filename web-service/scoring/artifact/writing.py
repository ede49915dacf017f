"""From a fitted pair to a model's folder: proved, compiled, and written whole or not at all.

It imports scikit-learn and asks the predictor: it is for those who make an artifact, and for the
validation of a registry's version, which runs in a process of its own.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from scoring.artifact.facts import Facts, describe, last_step
from scoring.artifact.folder import in_place, replace_folder
from scoring.artifact.history import continued
from scoring.artifact.manifest import MANIFEST, PROFILE, Compiled, Golden, Manifest, ProfileFile
from scoring.artifact.pickles import loads
from scoring.artifact.reading import Artifact, load, read_compiled, remedied
from scoring.compiler.compile import CompiledFile, NotCompiled, compile_pair
from scoring.errors import ArtifactError
from scoring.models import Features, Model
from scoring.predictor import Predictor
from scoring.scorers import means
from scoring.scorers.sklearn import SklearnScorer, check_pair

_OF_THE_RECORD: Final = ("unseen", "beyond")  # what no golden answer has


def write(
    output: Path,
    model: Model,
    pair: tuple[Any, Any],
    facts: Facts,
    *,
    golden: Sequence[Mapping[str, Any]],
    draw: Callable[[Path], object] = lambda _folder: None,
    pickled: bytes | None = None,
    profile: bytes | None = None,
    often: Sequence[Features] = (),
    say: Callable[[str], None] = lambda _line: None,
) -> Manifest:
    """Write `output/<model>/` and return its manifest; the pair, read as the service reads it, has
    answered the records `golden` by then, and its compiled form, where it has one, as the pair did.

    `pickled` are the pair's bytes where they exist already, `profile` is the content of the profile
    if there is one, `often` are the categories that records have most often, `draw` puts plots into
    the folder, and `say` takes a line for a person. A folder of the same name is replaced whole.
    Raises ArtifactError where the pair cannot serve, the folder is no artifact or cannot be
    written.
    """
    vectorizer, estimator = check_pair(pair, model, facts.positive)
    data = pickle.dumps(pair, protocol=5) if pickled is None else pickled
    manifest = describe(model, vectorizer.feature_names_, last_step(estimator), data, facts)
    manifest, files = _profiled(manifest, profile)
    # of the pair as the service will read it: what its allow-list refuses must not be written
    served = SklearnScorer(loads(data, other_version=True)[0], model, facts.positive)
    manifest = _answered(Predictor(model, Artifact(manifest, served)), golden)
    manifest, compiled = add_compiled(served, model, manifest, say, often)
    files |= {**compiled, model.artifact_file: data, MANIFEST: manifest.content()}
    files |= continued(output / model.name, manifest)

    def fill(folder: Path) -> None:
        for name, content in files.items():
            (folder / name).write_bytes(content)
        draw(folder)

    replace_folder(output / model.name, fill)
    return manifest


def write_saved(
    output: Path,
    model: Model,
    made: CompiledFile,
    names: Sequence[str],
    estimator: str,
    facts: Facts,
    *,
    golden: Sequence[Mapping[str, Any]],
    pickled: bytes,
    profile: bytes | None = None,
) -> Manifest:
    """Write `output/<model>/` of a pair that cannot be loaded here, and return its manifest.

    `made` is its compiled form, which serves; `pickled` are the pair's bytes, kept for the library
    that can load them; `names` are the vectorizer's columns, `estimator` is its class, `profile` is
    the content of the profile if there is one. The records `golden` are those of the compiled form.
    Raises ArtifactError as `write` does.
    """
    manifest, files = _profiled(describe(model, names, estimator, pickled, facts), profile)
    entry = Compiled(kind=made.kind, file=made.name, sha256=made.sha256)
    manifest = manifest.model_copy(update={"compiled": entry})
    scorer = read_compiled(made.kind, made.data, model)
    manifest = _answered(Predictor(model, Artifact(manifest, scorer)), golden)
    files |= {made.name: made.data, model.artifact_file: pickled, MANIFEST: manifest.content()}
    files |= continued(output / model.name, manifest)

    def fill(folder: Path) -> None:
        for name, content in files.items():
            (folder / name).write_bytes(content)

    replace_folder(output / model.name, fill)
    return manifest


def _profiled(manifest: Manifest, profile: bytes | None) -> tuple[Manifest, dict[str, bytes]]:
    """Return the manifest that names the profile, where there is one, and its file by name."""
    if profile is None:
        return manifest, {}
    entry = ProfileFile(file=PROFILE, sha256=hashlib.sha256(profile).hexdigest())
    return manifest.model_copy(update={"profile_file": entry}), {PROFILE: profile}


def _answered(predictor: Predictor, records: Sequence[Mapping[str, Any]]) -> Manifest:
    """Return the predictor's manifest with its answers to golden records."""
    scored = predictor.many([dict(record) for record in records])
    pairs = [
        Golden(
            record=dict(record), answer={k: v for k, v in answer.items() if k not in _OF_THE_RECORD}
        )
        for record, answer in zip(records, scored.answers, strict=True)
    ]
    return predictor.manifest.model_copy(update={"golden": pairs})


def compile_again(folder: Path, output: Path, model: Model, say: Callable[[str], None]) -> Manifest:
    """Write the artifact in `folder`, as it is but with the compiled form of its pair, to
    `output/<model>/` and return its manifest. Raises ArtifactError where the pair cannot serve."""
    found = load(folder, model, compiled=False)
    assert isinstance(found.scorer, SklearnScorer)  # noqa: S101  # for the type checker
    with remedied(model):
        Predictor(model, found)
        often = _often(in_place(folder), found.manifest)
        manifest, files = add_compiled(found.scorer, model, found.manifest, say, often)
    kept = [found.manifest.file, *(part.file for part in [manifest.profile_file] if part)]
    files |= {name: (in_place(folder) / name).read_bytes() for name in kept}
    files |= {**found.plots, MANIFEST: manifest.content()}
    files |= continued(output / model.name, manifest)

    def fill(aside: Path) -> None:
        for name, content in files.items():
            (aside / name).write_bytes(content)

    replace_folder(output / model.name, fill)
    return manifest


def _often(folder: Path, manifest: Manifest) -> list[Features]:
    """Return the categories that the compiled form in a folder has the scores of; none where there
    is no such form, or it cannot be read."""
    before = manifest.compiled
    if before is None or before.kind != "means":
        return []
    try:
        header = means.read((folder / before.file).read_bytes()).header
    except (OSError, ArtifactError):
        return []
    values = header.often.values if header.often else []
    return [dict(zip(header.categories, of, strict=True)) for of in values]


def add_compiled(
    pair: SklearnScorer,
    model: Model,
    manifest: Manifest,
    say: Callable[[str], None] = lambda _line: None,
    often: Sequence[Features] = (),
) -> tuple[Manifest, dict[str, bytes]]:
    """Return the manifest that names the compiled form of the pair, and the form's file by name.

    It has given the pair's scores and the golden records' answers by then. Where there is no such
    form, `say` takes the reason, and the manifest names none. Raises ArtifactError where a golden
    record is answered otherwise.
    """
    golden = [model.record.model_validate(dict(line.record)) for line in manifest.golden]
    features = model.fitted_on(manifest.feature_names, pair.vectorizer.separator).features
    try:
        made = compile_pair(pair, [features(record) for record in golden], often)
    except NotCompiled as reason:
        say(f"scikit-learn will serve it: {reason}")
        return manifest.model_copy(update={"compiled": None}), {}
    entry = Compiled(kind=made.kind, file=made.name, sha256=made.sha256)
    manifest = manifest.model_copy(update={"compiled": entry})
    Predictor(model, Artifact(manifest, read_compiled(made.kind, made.data, model)))
    return manifest, {made.name: made.data}
