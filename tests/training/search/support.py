"""What the tests of searches share: folds in files, of few rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scoring.models import Model
from tests.training.support import rows_of, table
from training.contest import Candidate
from training.data.checks import check
from training.search import folds
from training.search.evaluate import Place
from training.sources import source_of


def placed(model: Model, folder: Path, *names: str, timed: bool = False, **given: Any) -> Place:
    """Write the folds of 200 rows for the estimators `names` and return where they are."""
    source = source_of(model)
    frame = check(table(source.tidy(rows_of(model, 200))), model, source).frame
    frame = folds.ordered(frame)
    parts = folds.cut(frame, model, 1)
    made = [Candidate.of(model, source, name, given, 1) for name in names]
    folds.prepare(folder, frame, parts, model, source, made)
    return Place(folder, len(parts), model, source.sparse, 1, timed)
