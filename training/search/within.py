"""A search within a training: what it may see, and what the training goes on with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from training.contest import Candidate
from training.errors import TrainingError
from training.sources import source_of

if TYPE_CHECKING:
    from training.run import Data, Options


@dataclass(frozen=True)
class Within:
    """What to train with, and what manifest and card say of the search, if there was one."""

    options: Options
    candidate: Candidate
    notes: list[str]
    draw: Callable[[Path], object]


@contextmanager
def searching(options: Options, data: Data, candidate: Candidate) -> Iterator[Within]:
    """Yield what the search found that `options` ask for; without one, `candidate` as it is.

    It sees no row that a metric to believe is of: the rows to learn from and, where there is a
    test, those to validate on.
    """
    if options.search is None:
        yield Within(options, candidate, [], lambda _folder: None)
        return
    if find_spec("optuna") is None:
        raise TrainingError("--search needs Optuna; make setup installs it")
    from training.search.run import searched  # Optuna takes a second to import
    from training.search.verdict import Asked

    model, splits = options.model, data.splits
    asked = Asked(
        settings=options.search,
        model=model,
        frame=splits.training if splits.test is None else splits.together(),
        digests={part: described.sha256 for part, described in data.described.items()},
        estimator=options.estimator,
        parameters=options.parameters,
        seed=options.seed,
        output=options.output,
        log=options.log,
        told=options.searched,
    )
    with searched(asked) as found:
        name, parameters = found.estimator, found.parameters
        chosen = Candidate.of(model, source_of(model), name, parameters, options.seed)
        told = replace(options, estimator=name, parameters=parameters)
        yield Within(told, chosen, [found.said], found.draw)
