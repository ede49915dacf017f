"""One training from files to a written artifact; `train.py` is its command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction import DictVectorizer
from sklearn.utils.validation import check_is_fitted
from tqdm import tqdm

from scoring.artifact import Dataset, Manifest
from scoring.models import Model
from training import artifact, estimators, evaluation, plots
from training.checks import Checked, check
from training.datasets import WHEN, Source, Table, read, source_of
from training.errors import TrainingError
from training.evaluation import Metrics, Values
from training.features import fit_transform, narrow, transform
from training.profile import profile
from training.profile import table as profile_table
from training.split import Splits, published_split, split


@dataclass(frozen=True)
class Trained:
    """What one training has made, for whoever keeps a record of it."""

    manifest: Manifest
    folder: Path  # holds the manifest, the pickled pair and the plots
    pair: tuple[DictVectorizer, Any]
    frames: dict[str, pd.DataFrame]  # training, validation, test: those that there are


@dataclass(frozen=True, kw_only=True)
class Options:
    """What one training is asked to do; the defaults are train.py's."""

    model: Model
    data: Sequence[Path] = ()  # none: the bundled sample
    validation: Sequence[Path] = ()  # none: a part of the data
    test: Sequence[Path] = ()
    estimator: str | None = None  # none: the task's first
    parameters: dict[str, Any] = field(default_factory=dict)
    output: Path = Path("models")
    seed: int = 1
    threshold: float | None = None
    folds: int = 0
    published: bool = False
    refit: bool = False
    force: bool = False
    max_dropped: float = 0.2
    finished: Callable[[Trained], object] = lambda _trained: None  # called before `train` returns
    say: Callable[[str], None] = tqdm.write


@dataclass(frozen=True)
class Data:
    """The splits of one training, checked, and what the manifest says of them."""

    splits: Splits
    described: dict[str, Dataset]
    dropped: dict[str, int]
    profile: dict[str, dict[str, Any]]


def train(options: Options) -> Manifest:
    """Fits, evaluates, and writes the artifact; gives its manifest. Raises TrainingError where the
    data or the options do not allow it, or where the model is no better than the trivial one."""
    model, say = options.model, options.say
    source = source_of(model)
    artifact.refuse_foreign(options.output / model.name)  # now, not after the long work
    name = options.estimator or estimators.names(model.task)[0]
    estimator = estimators.make(
        model.task, name, options.parameters, options.seed, sparse=source.sparse
    )
    threshold = model.threshold if options.threshold is None else options.threshold
    with tqdm(total=5, desc="reading", bar_format="{desc:12} {bar} {elapsed}", disable=None) as bar:

        def step(what: str) -> None:
            bar.set_description_str(what)
            bar.update()

        data = _prepare(options, source)
        say(profile_table(data.profile))
        step("fitting")
        learned, held_out = _roles(data.splits, refit=options.refit)
        vectorizer = DictVectorizer(sparse=source.sparse)
        fit(vectorizer, estimator, learned, data.splits.validation, model)
        step("evaluating")
        scores = {part: score(vectorizer, estimator, held_out[part], model) for part in held_out}
        found: dict[str, Metrics] = {}
        baseline: dict[str, Metrics] = {}
        for part, frame in held_out.items():
            trivial = evaluation.baseline_scores(learned, model, len(frame))
            found[part] = evaluation.evaluate(model, source, frame, scores[part], threshold)
            baseline[part] = evaluation.evaluate(model, source, frame, trivial, threshold)
        if options.folds:
            found |= _cross_validated(options, name, data.splits, source)
        step("judging")
        say(evaluation.table({p: found[p] for p in held_out}, baseline, _trivial(model)))
        if "cross_validation" in found:
            folds = found["cross_validation"]
            say(
                f"{options.folds}-fold cross-validation: {folds['metric']} "
                f"{folds['mean']:.6f} +- {folds['std']:.6f}"
            )
        part = next(reversed(held_out))  # the test where there is one, else the validation
        _judge(options, found[part], baseline[part], part)
        step("writing")
        manifest = artifact.write(
            options.output,
            model,
            (vectorizer, estimator),
            golden=_golden(held_out[part], model),
            threshold=threshold,
            draw=lambda folder: plots.draw(
                folder, model, source, held_out[part], scores[part], threshold
            ),
            say=say,
            seed=options.seed,
            data=data.described,
            metrics=found,
            baseline=baseline,
            profile=data.profile,
            dropped=data.dropped,
        )
        folder = options.output / model.name
        options.finished(Trained(manifest, folder, (vectorizer, estimator), data.splits.parts()))
        step("done")
    say(f"wrote {options.output / model.name}: {name}, version {manifest.version}")
    return manifest


def fit(
    vectorizer: DictVectorizer,
    estimator: Any,
    training: pd.DataFrame,
    validation: pd.DataFrame,
    model: Model,
) -> None:
    """Fits both on `training`. XGBoost asked to stop early watches `validation`."""
    x = narrow(fit_transform(vectorizer, training, model))  # (n_rows, n_features) float64
    y = training[model.target].to_numpy()
    watch: dict[str, Any] = {}
    if getattr(estimator, "early_stopping_rounds", None):
        seen = transform(vectorizer, validation, model)
        watch = {"eval_set": [(seen, validation[model.target].to_numpy())], "verbose": False}
    try:
        with estimators.progress(estimator), estimators.parallel():
            estimator.fit(x, y, **watch)
    except (ValueError, TypeError) as error:
        raise TrainingError(f"the estimator cannot be fitted: {error}") from error
    if watch:  # its history, of a class that the service would not unpickle
        estimator.evals_result_ = {k: dict(v) for k, v in estimator.evals_result_.items()}
    check_is_fitted(estimator)


def score(vectorizer: DictVectorizer, estimator: Any, frame: pd.DataFrame, model: Model) -> Values:
    """Gives n_rows floats, in order: predicted values, or probabilities of the positive class."""
    x = transform(vectorizer, frame, model)
    found = (
        estimator.predict_proba(x)[:, 1] if model.task == "classification" else estimator.predict(x)
    )
    return np.asarray(found, dtype=np.float64)


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
        by_book = options.published and model.task == "classification"
        splits = published_split(main.frame) if by_book else split(main.frame, model, options.seed)
        described = {part: _describe(table, frame) for part, frame in splits.parts().items()}
    found = profile(splits.training, table.frame, model)
    return Data(splits, described, main.dropped, found)


def _checked(options: Options, source: Source, table: Table) -> Checked:
    found = check(
        table,
        options.model,
        source,
        max_dropped=options.max_dropped,
        keep_out_of_range=options.published,
    )
    options.say(f"{table.name}: {len(found.frame)} of {len(table.frame)} rows are used")
    for reason, count in found.dropped.items():
        hint = " (--published keeps them)" if reason in found.keepable else ""
        options.say(f"  dropped {count}: {reason}{hint}")
    for reason, count in found.kept.items():
        options.say(f"  kept {count} as the published results did: {reason}")
    return found


def _describe(table: Table, frame: pd.DataFrame) -> Dataset:
    days: dict[str, Any] = {}
    if WHEN in frame and len(frame):
        days = {"first": frame[WHEN].min().date(), "last": frame[WHEN].max().date()}
    return Dataset(name=table.name, rows=len(frame), sha256=table.sha256, **days)


def _roles(splits: Splits, *, refit: bool) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Gives the rows to learn from and the parts held out for the metrics."""
    held_out = {name: frame for name, frame in splits.parts().items() if name != "training"}
    if not refit:
        return splits.training, held_out
    if splits.test is None:
        raise TrainingError("--refit learns from the validation too: it needs a test (--test)")
    return splits.together(), {"test": splits.test}


def _cross_validated(
    options: Options, name: str, splits: Splits, source: Source
) -> dict[str, Metrics]:
    model = options.model

    def fit_and_score(training: pd.DataFrame, held_out: pd.DataFrame) -> Values:
        vectorizer = DictVectorizer(sparse=source.sparse)
        estimator = estimators.make(
            model.task, name, options.parameters, options.seed, sparse=source.sparse
        )
        fit(vectorizer, estimator, training, held_out, model)
        return score(vectorizer, estimator, held_out, model)

    found = evaluation.cross_validate(
        model, splits.together(), options.folds, options.seed, fit_and_score
    )
    return {"cross_validation": found}


def _judge(options: Options, found: Metrics, baseline: Metrics, part: str) -> None:
    if evaluation.beats(options.model, found, baseline):
        return
    verdict = f"on the {part} data the model is no better than {_trivial(options.model)}"
    if not options.force:
        raise TrainingError(f"{verdict}; nothing was written (--force writes it all the same)")
    options.say(f"{verdict}; written all the same")


def _trivial(model: Model) -> str:
    return "the mean" if model.task == "regression" else "the class rate"


def _golden(frame: pd.DataFrame, model: Model) -> list[dict[str, Any]]:
    """Gives the example and a few records from all over the held-out data, valid ones only."""
    places = np.linspace(0, len(frame) - 1, 8).astype(int)
    rows = frame.iloc[places][list(model.record.model_fields)].to_dict("records")
    records = [{str(k): v for k, v in row.items()} for row in rows]
    valid = [record for record in records if _is_valid(record, model)]
    return [dict(model.example), *valid]


def _is_valid(record: dict[str, Any], model: Model) -> bool:
    try:
        model.record.model_validate(record)
    except ValueError:
        return False
    return True
