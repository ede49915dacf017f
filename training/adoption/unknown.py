"""Take in a pair for which there is no model file: one is guessed, written and said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from scoring.artifact.manifest import Manifest
from scoring.compiler.as_data import vectorizer_of
from scoring.saved.containers import read_files
from scoring.saved.shapes import Candidate, choose, steps_of
from scoring.saved.views import view
from scoring.values.shares import class_text
from training.adoption.boosters import check_package, classes_of, is_xgboost
from training.adoption.catboost_json import catboost_trees, is_catboost
from training.adoption.lightgbm_text import is_lightgbm, lightgbm_classes
from training.adoption.take_in import Options, adopt
from training.data.tables import read_raw
from training.sketch.model_file import write_model_file
from training.sketch.vectorizer import sketch_of_vectorizer

NOT_MEASURED = "nobody has measured it here: --data FILE --target COLUMN does"


def adopt_unknown(name: str, paths: Sequence[Path], options: Options) -> Manifest:
    """Write a model file `name` and `output/<name>/` of the pair in `paths`; return the manifest.

    Raises ArtifactError or TrainingError where that cannot be; no model file is left then.
    """
    files = read_files(list(paths))
    chosen = choose(files, options.pick)
    held = vectorizer_of(chosen)
    classes = _classes(chosen)
    sketch = sketch_of_vectorizer(
        name,
        held.feature_names_,
        held.separator,
        "regression" if classes is None else "classification",
        classes=classes if classes and len(classes) > 2 else (),
        table=read_raw(options.data) if options.data else None,
        target=options.target,
        origin=" and ".join(file.name for file in files),
    )
    options.say(f"{name}: a {sketch.task} of {sketch.target}")
    for note in sketch.notes:
        options.say(note)
    model, path = write_model_file(sketch)
    options.say(f"wrote {path}: look through its fields, limits, example and answer")
    try:
        measured = bool(options.data and options.target)
        notes = () if measured else (NOT_MEASURED,)
        return adopt(model, paths, replace(options, notes=notes))
    except Exception:
        path.unlink()
        raise


def _classes(chosen: Candidate) -> tuple[str, ...] | None:
    """Return the classes that it tells apart, none where they are not known; None of a
    regression."""
    steps = steps_of(chosen.estimator)
    last = steps[-1][1] if steps else chosen.estimator
    held = view(last)
    found = getattr(held, "classes_", None)
    named = last.kind is not None and last.kind.name.endswith("Classifier")
    if is_lightgbm(last):
        number = lightgbm_classes(last)
        known = getattr(held, "_classes", None)
        found = range(number) if number and known is None else known
        named = number > 0
    elif is_catboost(last):
        found = catboost_trees(last, len(vectorizer_of(chosen).feature_names_)).classes or None
        named = found is not None
    elif is_xgboost(last):
        check_package(last)
        found = classes_of(last) or None
        named = found is not None
    if found is not None:
        return tuple(class_text(name) for name in found)
    return () if named else None
