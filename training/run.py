"""One training from files to a written artifact; `train.py` is its command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from sklearn.feature_extraction import DictVectorizer
from tqdm import tqdm

from scoring.artifact.facts import Facts
from scoring.artifact.folder import refuse_foreign
from scoring.artifact.manifest import Dataset, Manifest
from scoring.artifact.writing import write
from scoring.models import Model
from training.contest import Candidate, calibration_of, contender_of, contest
from training.data.checks import Checked, check
from training.data.profile import profile
from training.data.profile import table as profile_table
from training.data.split import Splits, published_split, split
from training.data.tables import Table, read
from training.errors import Refused, TrainingError
from training.evaluation import metrics as evaluation
from training.evaluation import plots
from training.evaluation.calibration import calibrate
from training.evaluation.metrics import Metrics, Values
from training.evaluation.reference import reference
from training.evaluation.spread import spread
from training.fit import estimators
from training.fit.pair import fit, score
from training.golden import golden_records
from training.often import often
from training.provenance import provenance
from training.search.settings import Settings
from training.search.within import Within, searching
from training.sources import WHEN, Source, source_of

if TYPE_CHECKING:
    from training.search.verdict import Found


@dataclass(frozen=True)
class Trained:
    """The results of one training, for whoever keeps a record of it."""

    manifest: Manifest
    folder: Path  # holds the manifest, the pickled pair and the plots
    pair: tuple[DictVectorizer, Any]
    frames: dict[str, pd.DataFrame]  # training, validation and, if there is one, test


@dataclass(frozen=True, kw_only=True)
class Options:
    """The settings of one training, with the defaults of train.py."""

    model: Model
    data: Sequence[Path] = ()  # empty: the bundled sample
    validation: Sequence[Path] = ()  # empty: a part of the data
    test: Sequence[Path] = ()
    estimator: str | None = None  # None: the task's first
    parameters: dict[str, Any] = field(default_factory=dict)
    output: Path = Path("models")
    seed: int = 1
    threshold: float | None = None
    folds: int = 0
    calibrate: bool = False
    published: bool = False
    refit: bool = False
    force: bool = False
    max_dropped: float = 0.2
    search: Settings | None = None
    searched: Callable[[Found], object] = lambda _found: None  # called after a search
    finished: Callable[[Trained], object] = lambda _trained: None  # called before `train` returns
    log: Callable[[str], None] = tqdm.write  # takes the lines meant for a person


@dataclass(frozen=True)
class Data:
    """The splits of one training, checked, and what the manifest says of them."""

    splits: Splits
    described: dict[str, Dataset]
    dropped: dict[str, int]
    profile: dict[str, dict[str, Any]]


def train(options: Options) -> Manifest:
    """Fit, evaluate and write the artifact, and return its manifest.

    Raises TrainingError where the data or the options do not allow it, ArtifactError where the
    artifact cannot be written, and Refused where too many
    rows are unusable or the model is not better than the trivial one. Nothing is written then.
    """
    model, log = options.model, options.log
    source = source_of(model)
    refuse_foreign(options.output / model.name)  # now, not after the long work
    task = estimators.task_of(model)
    name = options.estimator or estimators.names(task)[0]
    candidate = Candidate.of(model, source, name, options.parameters, options.seed)
    threshold = model.threshold if options.threshold is None else options.threshold
    bar = tqdm(total=5, desc="reading", bar_format="{desc:12} {bar} {elapsed}", disable=None)
    with ExitStack() as held, bar:

        def step(what: str) -> None:
            bar.set_description_str(what)
            bar.update()

        data = _prepare(options, source)
        log(profile_table(data.profile))
        found = held.enter_context(searching(options, data, candidate))
        options, candidate = found.options, found.candidate
        step("fitting")
        learned, held_out = _roles(data.splits, refit=options.refit)
        left_open = not (options.estimator or options.parameters or options.published)
        contender = contender_of(source, data.splits) if left_open else None
        if contender is not None:
            rival = Candidate.of(model, source, contender, {}, options.seed)
            candidate = contest(candidate, rival, data.splits, log)
        name, model = candidate.name, candidate.model
        vectorizer, estimator = candidate.vectorizer, candidate.estimator
        if contender is None or options.refit:
            fit(vectorizer, estimator, learned, data.splits.validation, model)
        if options.calibrate:
            part = next(iter(held_out))
            estimator = calibration_of(
                candidate, options.seed, learned, part, held_out[part], log
            ).estimator
        step("evaluating")
        scores = {part: score(vectorizer, estimator, held_out[part], model) for part in held_out}
        metrics: dict[str, Metrics] = {}
        baseline: dict[str, Metrics] = {}
        for part, frame in held_out.items():
            trivial = evaluation.baseline_scores(learned, model, len(frame))
            metrics[part] = evaluation.evaluate(model, source, frame, scores[part], threshold)
            baseline[part] = evaluation.evaluate(model, source, frame, trivial, threshold)
        if options.folds:
            metrics |= _cross_validated(options, candidate, data.splits, source)
        step("judging")
        log(evaluation.table({p: metrics[p] for p in held_out}, baseline, _trivial(model)))
        if "cross_validation" in metrics:
            folds = metrics["cross_validation"]
            log(
                f"{options.folds}-fold cross-validation: {folds['metric']} "
                f"{folds['mean']:.6f} +- {folds['std']:.6f}"
            )
        part = next(reversed(held_out))  # the test where there is one, else the validation
        _judge(options, metrics[part], baseline[part], part)
        step("writing")
        facts = Facts(
            threshold=threshold,
            provenance=provenance(),
            parameters=estimators.given_parameters(estimator),
            seed=options.seed,
            data=data.described,
            metrics=metrics,
            baseline=baseline,
            profile=data.profile,
            calibration=calibrate(model, part, held_out[part], scores[part], log),
            dropped=data.dropped,
            spread=spread(vectorizer, estimator, learned, model),
            notes=found.notes,
        )

        shown = (model, source, held_out[part], scores[part], threshold)

        manifest = write(
            options.output,
            model,
            (vectorizer, estimator),
            facts,
            golden=golden_records(held_out[part], model),
            profile=reference(model, learned, part, held_out[part], scores[part]).content(),
            often=often(learned, model, estimator),
            draw=lambda folder: _draw(folder, *shown, found, log),
            say=log,
        )
        folder = options.output / model.name
        options.finished(Trained(manifest, folder, (vectorizer, estimator), data.splits.parts()))
        step("done")
    log(f"wrote {options.output / model.name}: {name}, version {manifest.version}")
    return manifest


def _draw(
    folder: Path,
    model: Model,
    source: Source,
    frame: pd.DataFrame,
    scores: Values,
    threshold: float,
    found: Within,
    log: Callable[[str], object],
) -> None:
    if not plots.installed():
        log("no plots are drawn: matplotlib is not installed; make setup installs it")
        return
    plots.draw(folder, model, source, frame, scores, threshold)
    found.draw(folder)


def _prepare(options: Options, source: Source) -> Data:
    model = options.model
    table = read(model, source, options.data)
    main = _checked(options, source, table)
    described: dict[str, Dataset] = {}
    if options.validation:
        parts = {"training": main.frame}
        described["training"] = _describe(table, main.frame)
        for part, paths in (("validation", options.validation), ("test", options.test)):
            if paths:
                other = read(model, source, paths)
                parts[part] = _checked(options, source, other).frame
                described[part] = _describe(other, parts[part])
        splits = Splits(**parts)
    else:
        if options.test:
            raise TrainingError("--test goes with --validation; without both the data is split")
        by_book = options.published and model.task == "classification" and not model.classes
        splits = published_split(main.frame) if by_book else split(main.frame, model, options.seed)
        described = {part: _describe(table, frame) for part, frame in splits.parts().items()}
    return Data(splits, described, main.dropped, profile(splits.training, table.frame, model))


def _checked(options: Options, source: Source, table: Table) -> Checked:
    checked = check(
        table,
        options.model,
        source,
        max_dropped=options.max_dropped,
        keep_out_of_range=options.published,
    )
    options.log(f"{table.name}: {len(checked.frame)} of {len(table.frame)} rows are used")
    for reason, count in checked.dropped.items():
        hint = " (--published keeps them)" if reason in checked.keepable else ""
        options.log(f"  dropped {count}: {reason}{hint}")
    for reason, count in checked.kept.items():
        options.log(f"  kept {count} as the published results did: {reason}")
    return checked


def _describe(table: Table, frame: pd.DataFrame) -> Dataset:
    days: dict[str, Any] = {}
    if WHEN in frame and len(frame):
        # one wrong clock moves an end by years: nearly all rows are between the inner two
        ordered = frame[WHEN].dropna().sort_values()
        aside = len(ordered) // 100
        days = {
            "first": ordered.iloc[0].date(),
            "last": ordered.iloc[-1].date(),
            "usual_first": ordered.iloc[aside].date(),
            "usual_last": ordered.iloc[-1 - aside].date(),
        }
    return Dataset(name=table.name, rows=len(frame), sha256=table.sha256, **days)


def _roles(splits: Splits, *, refit: bool) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Return the rows to learn from and, by name, the parts held out for the metrics."""
    held_out = {name: frame for name, frame in splits.parts().items() if name != "training"}
    if not refit:
        return splits.training, held_out
    if splits.test is None:
        raise TrainingError(
            "--refit learns from the validation data too: it needs test data (--test)"
        )
    return splits.together(), {"test": splits.test}


def _cross_validated(
    options: Options, candidate: Candidate, splits: Splits, source: Source
) -> dict[str, Metrics]:
    name, model = candidate.name, candidate.model

    def fit_and_score(training: pd.DataFrame, held_out: pd.DataFrame) -> Values:
        one = Candidate.of(model, source, name, options.parameters, options.seed)
        fit(one.vectorizer, one.estimator, training, held_out, model)
        return score(one.vectorizer, one.estimator, held_out, model)

    result = evaluation.cross_validate(
        model, splits.together(), options.folds, options.seed, fit_and_score
    )
    return {"cross_validation": result}


def _judge(options: Options, metrics: Metrics, baseline: Metrics, part: str) -> None:
    if evaluation.beats(options.model, metrics, baseline):
        return
    verdict = f"on the {part} data the model is no better than {_trivial(options.model)}"
    if not options.force:
        raise Refused(f"{verdict}; nothing was written (--force writes it all the same)")
    options.log(f"{verdict}; written all the same")


def _trivial(model: Model) -> str:
    return "the mean" if model.task == "regression" else "the class rate"
