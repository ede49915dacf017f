"""One search, from rows to the estimator and parameters to train with."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Final

import optuna
import pandas as pd
from optuna.trial import TrialState
from tqdm import tqdm

from training.contest import Candidate
from training.errors import TrainingError
from training.fit import estimators, spaces
from training.fit.spaces import Space
from training.search import folds, journal
from training.search.evaluate import Outcome
from training.search.journal import Journal
from training.search.verdict import Asked, Found, chosen
from training.search.worker import PRUNED, Event, Pool, Start, Task, share_of_memory, threads_for
from training.sources import source_of

_SAY_S: Final = 10.0  # between two lines where there is no terminal
_LOOK_S: Final = 0.5  # between two looks at the clock
_IN_VAIN: Final = 5  # trials that all failed


@contextlib.contextmanager
def searched(asked: Asked) -> Iterator[Found]:
    """Yield what the search found; its folder is this process's until the block ends, and the
    search is done with if it ends well.

    Ctrl-C ends the search, and what it has found by then is yielded. Raises TrainingError where it
    cannot be done or SIGTERM ends it, and Refused where no trial keeps the limits.
    """
    model, settings = asked.model, asked.settings
    task = estimators.task_of(model)
    default = asked.estimator or estimators.names(task)[0]
    names = [asked.estimator] if asked.estimator else estimators.searched(task)
    tried = {name: _space(asked, name) for name in names}
    limits = {"us": settings.max_us, "size": settings.max_bytes}
    described = {
        "model": model.name, "data": dict(asked.digests), "rows": len(asked.frame),
        "estimator": names, "parameters": dict(asked.parameters), "seed": asked.seed,
        "space": {name: spaces.as_plain(space) for name, space in tried.items()},
        "limits": limits,
    }  # fmt: skip
    firsts = [default, *(name for name in names if name != default)]
    folder = asked.output / f".{model.name}.search"
    opened = journal.opened(
        folder, described, resume=settings.resume, seed=asked.seed, firsts=firsts, spaces=tried,
        limits={name: most for name, most in limits.items() if most is not None},
    )  # fmt: skip
    with opened as kept:
        before = len(kept.counted())
        if before:
            asked.log(f"search: {before} trials are there already, in {folder}")
        rows = folds.ordered(asked.frame)
        parts = folds.cut(rows, model, asked.seed)
        ended = ""
        if before < settings.trials:
            ended = _Searching(asked, kept, rows, parts, firsts).run()
        found = chosen(asked, kept, parts, default, ended)
        asked.told(found)
        yield found
        kept.finish()


def _space(asked: Asked, name: str) -> Space:
    """Return what is tried for an estimator. Raises TrainingError where that is nothing, or what
    the estimator does not have, or a step before it."""
    task = estimators.task_of(asked.model)
    space = {**estimators.space_of(task, name), **spaces.read(asked.settings.space)}
    for key in asked.parameters:
        space.pop(key, None)
    if not space:
        others = ", ".join(n for n in estimators.names(task) if estimators.space_of(task, n))
        raise TrainingError(
            f"estimator '{name}' has nothing to search: name another with --estimator ({others}), "
            "or what to try with --space"
        )
    sparse = source_of(asked.model).sparse
    for place in (0, -1):
        ends = {key: part.ends[place] for key, part in space.items()}
        made = estimators.make(task, name, {**asked.parameters, **ends}, asked.seed, sparse=sparse)
    for key in space:
        step = key.rpartition("__")[0]
        if step and step != made.steps[-1][0]:
            raise TrainingError(
                f"--space: {key} is of a step before the estimator, whose features are made once; "
                f"give it a value with --param {key}=..."
            )
    return space


@dataclass
class _Searching:
    asked: Asked
    kept: Journal
    rows: pd.DataFrame
    parts: list[folds.Fold]
    names: list[str]  # of the estimators that have features of their own
    asked_for: dict[int, optuna.Trial] = field(default_factory=dict)
    signals: list[int] = field(default_factory=list)
    said_at: float = 0.0

    def run(self) -> str:
        """Search, and return what ended it before all trials were done, or nothing."""
        asked, settings = self.asked, self.asked.settings
        begun = self.said_at = time.monotonic()
        source = source_of(asked.model)
        start = Start(
            self.kept.folder / "features", len(self.parts), asked.model.name, source.sparse,
            asked.seed, settings.max_us is not None, share_of_memory(settings.jobs),
            threads_for(settings.jobs),
        )  # fmt: skip
        done = len(self.kept.counted())
        bar = tqdm(total=settings.trials, initial=done, desc="search", unit="trial", disable=None)
        with self._told(), Pool(start, settings.jobs) as pool, bar:
            folds.prepare(
                start.folder, self.rows, self.parts, asked.model, source,
                [self._made(name) for name in self.names],
            )  # fmt: skip
            while not self._over(begun):
                self._give(pool)
                if not pool.running():
                    return ""
                for event in pool.events(_LOOK_S):
                    self._take(pool, event, bar)
                self._say()
            for task in pool.running():
                self.kept.stop(self.asked_for[task.number])
        if signal.SIGTERM in self.signals:
            raise TrainingError(
                f"search: stopped after {len(self.kept.counted())} of {settings.trials} trials; "
                "--resume goes on; nothing was written"
            )
        return "Ctrl-C" if self.signals else f"--timeout {settings.timeout_s:g}"

    def _made(self, name: str) -> Candidate:
        asked = self.asked
        source = source_of(asked.model)
        return Candidate.of(asked.model, source, name, dict(asked.parameters), asked.seed)

    def _over(self, begun: float) -> bool:
        limit = self.asked.settings.timeout_s
        return bool(self.signals) or (limit is not None and time.monotonic() - begun > limit)

    def _give(self, pool: Pool) -> None:
        while (worker := pool.free()) is not None:
            if len(self.kept.counted()) >= self.asked.settings.trials:
                return
            trial = self.kept.ask()
            may_stop = bool(trial.user_attrs["parameters"])  # the defaults are judged to their end
            self.asked_for[trial.number] = trial
            given = {**self.asked.parameters, **trial.user_attrs["parameters"]}
            pool.give(worker, Task(trial.number, trial.user_attrs["estimator"], given, may_stop))

    def _take(self, pool: Pool, event: Event, bar: Any) -> None:
        trial = self.asked_for[event.task.number]
        if isinstance(event.said, tuple):
            step, loss = event.said
            trial.report(loss, step)
            pool.answer(event.worker, stop=trial.should_prune())
            return
        bar.update()
        if isinstance(event.said, Outcome):
            loss = float(folds.weights(self.parts) @ event.said.losses)
            self.kept.end(trial, loss, event.said)
            if (best := self.kept.best()) is not None:
                bar.set_postfix_str(f"best {folds.shown(self.asked.model, best):.6g}")
        elif event.said == PRUNED:
            self.kept.prune(trial)
        else:
            self.kept.fail(trial, event.said)
            self._in_vain(event.said)

    def _in_vain(self, why: str) -> None:
        counted = [t for t in self.kept.counted() if t.state.is_finished()]
        if len(counted) >= min(_IN_VAIN, self.asked.settings.trials) and all(
            trial.state is TrialState.FAIL for trial in counted
        ):
            raise TrainingError(f"search: each of {len(counted)} trials failed: {why}")

    def _say(self) -> None:
        """Say every ten seconds how far it is, where no bar shows it."""
        if time.monotonic() - self.said_at < _SAY_S:
            return
        self.said_at = time.monotonic()
        finished = [t for t in self.kept.counted() if t.state.is_finished()]
        self.asked.log(f"search: {len(finished)} of {self.asked.settings.trials} trials")

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Keep Ctrl-C and SIGTERM for the loop to see; a second Ctrl-C ends it at once."""

        def note(number: int, _frame: FrameType | None) -> None:
            if number in self.signals:
                raise KeyboardInterrupt
            self.signals.append(number)

        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
