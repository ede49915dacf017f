"""The trials of a search in a file to which each is added as it ends: kill -9 loses none.

models/.ride.search/    journal.log   Optuna's journal
                        search.json   what is searched, and whether the search came to its end
                        lock          held by the process that searches
                        features/     of the folds, while a search runs

It is a journal and not SQLite, as the search's own process is the only one that writes it. The
sampler is seeded with the number of trials before each: a search that goes on suggests what it
would have suggested undisturbed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from scoring.process.atomic_files import write_file
from training.errors import TrainingError
from training.fit.spaces import Choice, Space
from training.search.evaluate import Outcome

_STOPPED: Final = "stopped"  # in the attributes of a trial that the end of a search cut short
_USUAL: Final = "usual"  # in those of a trial of default parameters
_AT_RANDOM: Final = 10  # trials before the sampler learns from them
_BEFORE_PRUNING: Final = 4  # trials that came to their end
_KEPT: Final = 100 / 3  # percent of the trials so far among whose losses one must be to go on


@dataclass
class Journal:
    """An open search."""

    folder: Path
    study: optuna.Study
    described: dict[str, Any]
    seed: int
    firsts: Sequence[str]  # estimators whose defaults are tried first, in order
    spaces: Mapping[str, Space]  # by estimator
    limits: Mapping[str, float]  # attribute of a trial -> the most that it may be

    def counted(self) -> list[FrozenTrial]:
        """Return the trials that count: not those that were cut short."""
        return [t for t in self.study.get_trials(deepcopy=False) if _STOPPED not in t.user_attrs]

    def ask(self) -> optuna.Trial:
        """Return the next trial; its attributes say the estimator and its parameters."""
        counted = self.counted()
        before = len(counted)
        usual = {t.user_attrs["estimator"] for t in counted if t.user_attrs.get(_USUAL)}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            self.study.sampler = optuna.samplers.TPESampler(
                seed=(self.seed * 100_003 + before) % 2**32, n_startup_trials=_AT_RANDOM,
                multivariate=True, group=len(self.spaces) > 1,
            )  # fmt: skip
        trial = self.study.ask()
        if untried := [name for name in self.firsts if name not in usual]:
            name, parameters = untried[0], {}
            trial.set_user_attr(_USUAL, True)
        else:
            names = list(self.spaces)
            name = trial.suggest_categorical("estimator", names) if names[1:] else names[0]
            parameters = _suggested(trial, name, self.spaces[name])
        trial.set_user_attr("estimator", name)
        trial.set_user_attr("parameters", parameters)
        return trial

    def end(self, trial: optuna.Trial, loss: float, outcome: Outcome) -> None:
        """Keep what came out of a trial."""
        for name, value in vars(outcome).items():
            trial.set_user_attr(name, value)
        for name, most in self.limits.items():
            trial.set_constraint(name, getattr(outcome, name) / most - 1)
        self.study.tell(trial, loss)

    def prune(self, trial: optuna.Trial) -> None:
        """Keep that a trial was stopped, as others were better by then."""
        self.study.tell(trial, state=TrialState.PRUNED)

    def fail(self, trial: optuna.Trial, why: str) -> None:
        """Keep why a trial failed."""
        trial.set_user_attr("why", why)
        self.study.tell(trial, state=TrialState.FAIL)

    def stop(self, trial: optuna.Trial) -> None:
        """Keep that a trial was cut short; it does not count."""
        trial.set_user_attr(_STOPPED, True)
        self.study.tell(trial, state=TrialState.FAIL)

    def default(self) -> FrozenTrial | None:
        """Return the trial of what is trained without a search, if it was tried."""
        own = (t for t in self.counted() if t.user_attrs.get(_USUAL))
        return next((t for t in own if t.user_attrs["estimator"] == self.firsts[0]), None)

    def best(self) -> float | None:
        """Return the least loss of those that keep the limits."""
        done = (t for t in self.counted() if t.state is TrialState.COMPLETE and self.fits(t))
        return min((t.value for t in done if t.value is not None), default=None)

    def fits(self, trial: FrozenTrial) -> bool:
        """Return whether a trial keeps the limits."""
        return all(trial.user_attrs[name] <= most for name, most in self.limits.items())

    def finish(self) -> None:
        """Mark the search as one that came to its end: the next may take its place."""
        _describe(self.folder, self.described, finished=True)


@contextlib.contextmanager
def opened(
    folder: Path,
    described: dict[str, Any],
    *,
    resume: bool,
    seed: int,
    firsts: Sequence[str],
    spaces: Mapping[str, Space],
    limits: Mapping[str, float],
) -> Iterator[Journal]:
    """Yield the search in `folder`, a new one or, with `resume`, that which is there.

    Raises TrainingError where another process is at it, or where the one that is there is not what
    is asked for, or would be lost.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise TrainingError(
                f"another search is at work in {folder} (process {lock.read().strip()}); wait for "
                "it, or name another --output"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        _look(folder, described, resume=resume)
        _mend(folder / "journal.log")
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        storage = JournalStorage(JournalFileBackend(str(folder / "journal.log")))
        study = optuna.create_study(
            storage=storage, study_name="search", load_if_exists=True,
            pruner=optuna.pruners.PercentilePruner(_KEPT, n_startup_trials=_BEFORE_PRUNING),
        )  # fmt: skip
        journal = Journal(folder, study, described, seed, firsts, spaces, limits)
        for left in study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
            journal.stop(optuna.Trial(study, left._trial_id))  # of a killed process
        _describe(folder, described, finished=False)
        try:
            yield journal
        finally:
            shutil.rmtree(folder / "features", ignore_errors=True)


def _look(folder: Path, described: Mapping[str, Any], *, resume: bool) -> None:
    """Let a search begin in `folder`, or refuse to."""
    place = folder / "search.json"
    found = json.loads(place.read_text(encoding="utf-8")) if place.exists() else None
    if found is not None and resume:
        asked = json.loads(json.dumps(described))
        other = [name for name, value in asked.items() if found["of"].get(name) != value]
        if other:
            raise TrainingError(
                f"--resume: the search in {folder} was of another {', '.join(other)}; ask for the "
                "same, or begin anew: remove that folder"
            )
        return
    if found is not None and not found["finished"]:
        raise TrainingError(
            f"{folder} holds a search that did not come to its end: --resume goes on with it; to "
            "begin anew, remove that folder"
        )
    for name in ("journal.log", "search.json"):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / "features", ignore_errors=True)


def _mend(journal: Path) -> None:
    """Leave out what a killed process left behind: half a line at the end, and Optuna's own lock,
    on which it would wait; ours is held."""
    journal.with_name(f"{journal.name}.lock").unlink(missing_ok=True)
    if journal.exists():
        data = journal.read_bytes()
        if not data.endswith(b"\n"):
            write_file(journal, data[: data.rfind(b"\n") + 1])


def _describe(folder: Path, described: Mapping[str, Any], *, finished: bool) -> None:
    text = json.dumps({"of": described, "finished": finished}, indent=1)
    write_file(folder / "search.json", text.encode() + b"\n")


def _suggested(trial: optuna.Trial, estimator: str, space: Space) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, part in space.items():
        key = f"{estimator}.{name}"
        if isinstance(part, Choice):
            made[name] = trial.suggest_categorical(key, part.values)
        elif part.whole:
            made[name] = trial.suggest_int(key, int(part.low), int(part.high), log=part.log)
        else:
            made[name] = trial.suggest_float(key, part.low, part.high, log=part.log)
    return made
