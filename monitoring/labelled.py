"""Score rows whose truth is known with one artifact: no log, no store, no registry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from monitoring import truths
from monitoring.errors import MonitoringError, UsageError
from monitoring.kept import SEGMENT
from monitoring.outcomes import VERSION, Outcomes
from scoring.cells import kinds
from scoring.errors import InvalidRecords
from scoring.predictor import Predictor
from scoring.profiles.fields import field_kinds
from training import errors, sources

_ROWS: Final = 50_000


def outcomes_of(
    predictor: Predictor, paths: Sequence[Path], actual: str | None
) -> tuple[Outcomes, Counter[str]]:
    """Return the scores and truths of the rows of these files, and why others were left out.

    The files are such as the training reads, published ones too; the truth is in the column
    `actual`, else the model's target. Raises UsageError where a column is missing, MonitoringError
    for a file that cannot be read.
    """
    left: Counter[str] = Counter()
    scores: list[float] = []
    true: list[float] = []
    tables: list[pa.Table] = []
    fields = [name for name, kind in field_kinds(predictor.model).items() if kind == "category"]
    for path in paths:
        try:
            for frame in _frames(path):
                found = _scored(predictor, frame, path, actual, left)
                scores += found[0]
                true += found[1]
                tables.append(_segments(found[2], fields))
        except (pa.ArrowException, OSError, pd.errors.ParserError, UnicodeDecodeError) as error:
            raise MonitoringError(f"{path} cannot be read: {error}") from None
    table = pa.concat_tables(tables, promote_options="permissive") if tables else pa.table({})
    if len(table):
        table = table.append_column(VERSION, pa.repeat(predictor.version, len(table)))
    hours = np.zeros(len(scores), np.int64)
    return Outcomes(hours, np.array(scores), np.array(true), table.combine_chunks()), left


def _frames(path: Path) -> Iterator[pd.DataFrame]:
    if path.suffix == ".parquet":
        for batch in pq.ParquetFile(path).iter_batches(_ROWS):
            yield batch.to_pandas()
    elif path.suffix == ".csv":
        yield from pd.read_csv(path, chunksize=_ROWS)
    else:
        raise UsageError(f"{path}: labelled rows are read from .parquet and .csv")


def _scored(
    predictor: Predictor, frame: pd.DataFrame, path: Path, actual: str | None, left: Counter[str]
) -> tuple[list[float], list[float], list[dict[str, Any]]]:
    model, source = predictor.model, sources.source_of(predictor.model)
    if actual is not None:
        if actual not in frame:
            raise UsageError(f"{path} has no column '{actual}'; it has {', '.join(frame.columns)}")
        frame = frame.rename(columns={actual: model.target})
    if {*model.record.model_fields, model.target} <= set(frame.columns):
        tidy = frame
    else:
        try:
            tidy = source.tidy(frame)
        except errors.TrainingError as error:
            raise UsageError(f"{path}: {error}") from None
    for name in (*model.record.model_fields, model.target):
        if name not in tidy:
            raise UsageError(f"{path} has no column '{name}'; it has {', '.join(frame.columns)}")
    true = truths.number_of(pa.array(tidy[model.target], from_pandas=True), model)
    target = true.to_numpy(zero_copy_only=False).astype(np.float64)
    some = ~np.isnan(target)
    if source.target_range is not None:
        low, high = source.target_range
        inside = (target >= low) & (target <= high)
        left[f"the truth is not from {low:g} to {high:g}, as in training"] += int(
            (some & ~inside).sum()
        )
        some &= inside
    else:
        left["no truth"] += int((~some).sum())
    records = _records(tidy[some], predictor)
    scored, refused = predictor.each(records)
    for why in refused.values():
        assert isinstance(why, InvalidRecords)  # noqa: S101  # for the type checker
        left[f"{why.errors[0].field}: {why.errors[0].problem}"] += 1
    kept = [place for place in range(len(records)) if place not in refused]
    return scored.scores, target[some][kept].tolist(), [vars(one) for one in scored.records]


def _records(frame: pd.DataFrame, predictor: Predictor) -> list[dict[str, Any]]:
    """Return the rows as a request would have them."""
    fields = kinds(predictor.model.record)
    used = frame[list(fields)]
    whole = {
        name: used[name].astype("Int64")
        for name, kind in fields.items()
        if kind == "integer" and pd.api.types.is_float_dtype(used[name])
        and (used[name].dropna() % 1 == 0).all()
    }  # fmt: skip
    found: list[dict[str, Any]] = pa.Table.from_pandas(
        used.assign(**whole), preserve_index=False
    ).to_pylist()
    return found


def _segments(records: list[dict[str, Any]], fields: Sequence[str]) -> pa.Table:
    return pa.table(
        {SEGMENT + name: pa.array([str(record[name]) for record in records], pa.string())
         for name in fields}
    )  # fmt: skip
