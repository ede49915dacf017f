"""Take in a pair that was saved elsewhere, for a model whose file is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import sklearn

from scoring.artifact.allow_list import allowed
from scoring.artifact.facts import Facts, Provenance
from scoring.artifact.foreign import known_categories, read_pair
from scoring.artifact.manifest import NOT_PROVED, OTHER_VERSION, UNKNOWN, Manifest
from scoring.artifact.reading import read_compiled
from scoring.artifact.writing import write, write_saved
from scoring.compiler.compile import NotCompiled
from scoring.errors import ArtifactError
from scoring.models import Features, Model
from scoring.record import RecordReader
from scoring.saved.containers import Saved, read_files
from scoring.saved.repickle import pair_bytes
from scoring.saved.shapes import Candidate, choose
from scoring.saved.stand_ins import StandIn, walk
from scoring.saved.views import check_readable, minor, saved_parameters, stamps
from scoring.scorers import Scorer
from scoring.scorers.sklearn import SklearnScorer, check_pair
from training.adoption.as_data import read_as_data
from training.adoption.boosters import check_package, is_xgboost, with_booster
from training.adoption.catboost_json import is_catboost
from training.adoption.expectations import Expectation, check_expectations, read_expectations
from training.adoption.lightgbm_text import is_lightgbm
from training.adoption.measure import measure
from training.data.checks import check
from training.data.tables import read
from training.errors import TrainingError
from training.fit.estimators import given_parameters
from training.golden import golden_records
from training.sources import source_of


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a person says of the files; each is an option of training.adopt."""

    output: Path = Path("models")
    pick: str | None = None
    threshold: float | None = None
    positive: str | None = None
    other_version: bool = False
    expect: Sequence[str] = ()  # FILE=ANSWER each
    data: Sequence[Path] = ()  # to measure it on
    target: str | None = None  # the column of the data that it predicts
    notes: Sequence[str] = ()  # more for the manifest
    say: Callable[[str], None] = print  # takes the lines meant for a person


def adopt(model: Model, paths: Sequence[Path], options: Options) -> Manifest:
    """Write `output/<model>/` of the pair in `paths` and return its manifest; the very bytes, where
    there is one file and it is a pickle of the pair.

    A pair of another minor version of scikit-learn is read as data, unless `other_version` has it
    loaded all the same; the manifest then says what was not proved. Raises ArtifactError for what
    can be neither.
    """
    files = read_files(list(paths))
    chosen = choose(files, options.pick)
    expected = read_expectations(options.expect, model)
    versions = stamps((chosen.vectorizer, chosen.estimator))
    other = {v for v in versions if minor(v) != minor(sklearn.__version__)}
    notes = [f"taken in from {_source(files, chosen)}, trained elsewhere", *options.notes]
    if options.target not in (None, model.target):
        raise ArtifactError(f"'{model.name}' predicts {model.target}, not {options.target}")
    if options.positive is not None and model.task != "classification":
        raise ArtifactError(f"--positive names a class; '{model.name}' predicts a number")
    if model.classes and (options.positive, options.threshold) != (None, None):
        raise ArtifactError(
            f"--positive and --threshold are for two classes; '{model.name}' tells "
            f"{len(model.classes)} apart"
        )
    check_package(chosen.estimator)
    made = is_xgboost(chosen.estimator)
    loaded = not other or options.other_version or made
    take = _read_as_data if not loaded or _never_loaded(chosen) else _load
    return take(_Task(model, files, chosen, options, expected, notes, versions, other))


def _never_loaded(chosen: Candidate) -> bool:
    """Say whether it is of a library whose models are read as their trees, whatever version."""
    return is_lightgbm(chosen.estimator) or is_catboost(chosen.estimator)


class _Task(NamedTuple):
    model: Model
    files: Sequence[Saved]
    chosen: Candidate
    options: Options
    expected: Sequence[Expectation]
    notes: list[str]
    versions: set[str]  # of scikit-learn, whose stamps the pair bears
    other: set[str]  # of those, the ones of another minor version than ours

    @property
    def threshold(self) -> float:
        given = self.options.threshold
        return self.model.threshold if given is None else given

    @property
    def golden(self) -> list[dict[str, Any]]:
        return [dict(self.model.example), *(one.record for one in self.expected)]


def _load(task: _Task) -> Manifest:
    """Take in a pair through the allow-list."""
    model, options = task.model, task.options
    notes = list(task.notes)
    data = pair_bytes(task.files, task.chosen)
    if is_xgboost(task.chosen.estimator) and (task.other or not _is_sklearn_like(task.chosen)):
        data = with_booster(task.chosen)
        notes += [f"its DictVectorizer was saved by scikit-learn {v}" for v in sorted(task.other)]
    saved = read_pair(data, model, other_version=options.other_version)
    if saved.versions:
        notes += [OTHER_VERSION, f"pickled by scikit-learn {', '.join(sorted(saved.versions))}"]
    notes += _respelled(saved.respelled, options)
    try:
        vectorizer, estimator = check_pair(saved.pair, model, options.positive)
        model = model.fitted_on(vectorizer.feature_names_, vectorizer.separator)
        task = task._replace(model=model)
        options.say(known_share((vectorizer, estimator), model))
        scorer = SklearnScorer(saved.pair, model, options.positive)
        notes += _expected(task, lambda features: scorer.one(features)[0])
        measured = _measured(task, scorer)
        notes += measured.notes
        facts = Facts(
            threshold=task.threshold,
            provenance=saved.provenance(),
            parameters=given_parameters(estimator),
            positive=options.positive,
            notes=notes,
            **measured.facts,
        )
        return write(
            options.output,
            model,
            (vectorizer, estimator),
            facts,
            golden=[*task.golden, *measured.golden],
            pickled=saved.data if saved.as_saved else None,
            profile=measured.profile,
            say=options.say,
        )
    except (ArtifactError, TrainingError):
        raise
    except Exception as error:  # what came through the checks can still raise anything when asked
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise ArtifactError(
            f"the pair cannot answer the example of '{model.name}': {what}"
        ) from error


def _read_as_data(task: _Task) -> Manifest:
    """Take in a pair that this scikit-learn would not load."""
    model, options = task.model, task.options
    named = ", ".join(sorted(task.versions)) or UNKNOWN
    check_readable(task.versions, sklearn.__version__)
    try:
        read = read_as_data(task.chosen, model, options.positive)
    except NotCompiled as error:
        if _never_loaded(task.chosen):
            raise ArtifactError(str(error)) from error
        raise ArtifactError(
            f"the pair was written by scikit-learn {named} and this is {sklearn.__version__}: it "
            f"can be read as data only, and {error}; {_way_out(task.chosen)}"
        ) from error
    notes = [*task.notes, NOT_PROVED, f"saved by scikit-learn {named}, read as data"]
    notes += _respelled(read.respelled, options)
    options.say(known_share((read.vectorizer, read.estimator), model))
    scorer = read_compiled(read.made.kind, read.made.data, model)
    notes += _expected(task, lambda features: scorer.one(features)[0])
    if not task.expected:
        options.say(f"{NOT_PROVED}: compare an answer with --expect request.json=ANSWER")
    measured = _measured(task, scorer)
    notes += measured.notes
    facts = Facts(
        threshold=task.threshold,
        provenance=Provenance(
            python=UNKNOWN,
            libraries={"scikit-learn": max(task.versions, key=minor, default=UNKNOWN)},
        ),
        parameters=saved_parameters(task.chosen.estimator),
        positive=options.positive,
        notes=notes,
        **measured.facts,
    )
    return write_saved(
        options.output,
        model,
        read.made,
        read.vectorizer.feature_names_,
        read.kind,
        facts,
        golden=[*task.golden, *measured.golden],
        pickled=pair_bytes(task.files, task.chosen),
        profile=measured.profile,
    )


def _way_out(chosen: Candidate) -> str:
    """Say what to do with an estimator that has no compiled form."""
    kinds = [found.kind for found in walk(chosen.estimator) if isinstance(found, StandIn)]
    some = [k for k in kinds if k and k.module[:8] == "sklearn." and k.name[:1].isupper()]
    if all(allowed(kind.module, kind.name) for kind in some):
        return "--other-version loads it all the same"
    return (
        "nor is it on the service's allow-list: train one of those that `python train.py --help` "
        "lists, on the same table"
    )


class _Measures(NamedTuple):
    facts: dict[str, Any]
    golden: list[dict[str, Any]]
    notes: list[str]
    profile: bytes | None = None


def _measured(task: _Task, scorer: Scorer) -> _Measures:
    """Return how good it is on the data, where data was given that has the target."""
    if not task.options.data or (task.options.notes and not task.options.target):
        return _Measures({}, [], [])
    found = measure(task.model, scorer, task.options.data, task.threshold)
    task.options.say(found.table)
    # the first golden record is the example
    return _Measures(found.facts, found.golden[1:], [found.note], found.profile)


def _expected(task: _Task, score: Callable[[Features], float]) -> list[str]:
    def of(record: dict[str, Any]) -> float:
        return score(task.model.features(RecordReader(task.model.record).one(record)))

    return check_expectations(task.expected, task.model, of, task.threshold)


def _is_sklearn_like(chosen: Candidate) -> bool:
    """Say whether an estimator of XGBoost's is one of those that fit a pair, and no Booster."""
    return chosen.estimator.kind is not None and chosen.estimator.kind.module == "xgboost.sklearn"


def _source(files: Sequence[Saved], chosen: Candidate) -> str:
    names = " and ".join(file.name for file in files)
    alone = chosen.estimator.kind and chosen.name == chosen.estimator.kind.name
    return names if alone or len(files) > 1 else f"{names}, {chosen.name}"


def _respelled(changed: Mapping[str, str], options: Options) -> list[str]:
    if not changed:
        return []
    first, new = next(iter(changed.items()))
    note = f"{len(changed)} categories are respelled, as {first!r} to {new!r}"
    options.say(note)
    return [note]


def known_share(pair: tuple[Any, Any], model: Model) -> str:
    """Return a line that says which share of the categories the pair knows, of the example's and
    of those in the bundled sample, if there is one.

    Raises ArtifactError where it knows none of a feature's in the sample: it was fitted on other
    names or another spelling, and would answer everything from the other features.
    """
    source = source_of(model)
    records = [dict(model.example)]
    if source.sample is not None:
        frame = check(read(model, source, []), model, source, max_dropped=1).frame
        records = golden_records(frame, model, len(frame))
    rows = [model.features(model.record.model_validate(record)) for record in records]
    counts = known_categories(pair, rows)
    for name, (known, _) in counts.items():
        if not known and len(rows) > 1:
            head = f"{name}{pair[0].separator}"
            some = next(column for column in pair[0].feature_names_ if column.startswith(head))
            raise ArtifactError(
                f"the pair knows none of the categories of '{name}' in {len(rows)} records of the "
                f"sample: the pair knows {some!r} and the like, the code makes "
                f"'{head}{rows[0][name]}'"
            )
    known, total = map(sum, zip(*counts.values(), strict=True)) if counts else (1, 1)
    of = "record (the example)" if len(rows) == 1 else "records (the example and the sample)"
    return f"it knows {100 * known / total:.3g} % of the categories in {len(rows)} {of}"
