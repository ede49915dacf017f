"""The options of a search, on train.py's command line and as values."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

_ALONE = ("timeout", "jobs", "resume", "space", "max_us", "max_bytes")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How long and where a search looks, and what a model must not exceed."""

    trials: int
    timeout_s: float | None = None
    jobs: int = 1
    resume: bool = False
    space: tuple[str, ...] = ()  # as `--space` takes them
    max_us: float | None = None  # microseconds for one record
    max_bytes: int | None = None  # of the file that serves


def add_options(line: argparse.ArgumentParser) -> None:
    """Add the options to train.py's."""
    group = line.add_argument_group("search")
    group.add_argument(
        "--search", type=int, metavar="N",
        help="try N sets of parameters (of --estimator, else of each quick estimator) on folds of "
        "the training data, and train the best; the test data has no part in it",
    )  # fmt: skip
    group.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="end the search after this time"
    )
    group.add_argument(
        "--jobs", type=int, metavar="N", help="processes that try at once (default: 1)"
    )
    group.add_argument(
        "--resume", action="store_true", default=None,
        help="go on with a search that was interrupted, if there is one",
    )  # fmt: skip
    group.add_argument(
        "--space", action="append", metavar="FILE|NAME=VALUES",
        help="a TOML or JSON file, NAME=LOW..HIGH, NAME=LOW..HIGH,log or NAME=VALUE,VALUE: "
        "what to try in place of the estimator's own; with --estimator; may be repeated",
    )  # fmt: skip
    group.add_argument(
        "--max-us", type=float, metavar="US", help="most microseconds for one record"
    )
    group.add_argument(
        "--max-bytes", type=int, metavar="N", help="largest file of a model that serves"
    )


def check_options(line: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Exit with status 2 where the options do not go together, or a value is out of its limits."""
    if arguments.search is None:
        for name in _ALONE:
            if getattr(arguments, name) is not None:
                line.error(f"--{name.replace('_', '-')} goes with --search")
        return
    if arguments.all:
        line.error("--search is for one MODEL")
    for name in ("search", "timeout", "jobs", "max_us", "max_bytes"):
        value = getattr(arguments, name)
        if value is not None and not value > 0:
            line.error(f"--{name.replace('_', '-')} takes a number above 0")
    for name in ("space", "param"):
        if getattr(arguments, name) and not arguments.estimator:
            line.error(f"--{name} goes with --estimator, where there is --search")


def settings_of(arguments: argparse.Namespace) -> Settings | None:
    """Return the search that is asked for; None where there is none."""
    if arguments.search is None:
        return None
    return Settings(
        trials=arguments.search,
        timeout_s=arguments.timeout,
        jobs=arguments.jobs or 1,
        resume=bool(arguments.resume),
        space=tuple(arguments.space or ()),
        max_us=arguments.max_us,
        max_bytes=arguments.max_bytes,
    )
