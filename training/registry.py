"""Lists the versions of a registered model, and sets which one serves.

    python -m training.registry list ride
    python -m training.registry promote ride 4 --why "two more months of data"
    python -m training.registry rollback ride --why "bias on short rides"
    python -m training.registry archive ride 2
    python -m training.registry history ride

The registry is the one at MLFLOW_TRACKING_URI, by default the embedded sqlite:///mlflow.db.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scoring.errors import StartError
from scoring.models import Model, discover
from scoring.process.usage import described, of_docstring
from training.errors import TrainingError, leave, usable_model
from training.optional import needed_by

if TYPE_CHECKING:
    from training.tracking.versions import Registry


@contextlib.contextmanager
def opened(model: Model, what: str) -> Iterator[Registry]:
    """Yield the versions of a model in the registry at MLFLOW_TRACKING_URI; `what` needs them.

    Raises TrainingError where MLflow is not installed, or fails within the block.
    """
    with needed_by(what):  # it takes seconds to import, and --help needs it not
        from training.tracking import versions
    with versions.in_one_line():
        yield versions.opened(model)


def prepare() -> None:
    """Import what `opened` needs, which takes seconds; where MLflow is not installed, nothing."""
    with contextlib.suppress(ImportError):
        from training.tracking import versions  # noqa: F401


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    models = discover()
    line = argparse.ArgumentParser(prog="python -m training.registry", **of_docstring(__doc__))
    actions = line.add_subparsers(dest="action", required=True, metavar="ACTION")
    said = {
        "list": "the versions, the newest first",
        "promote": "let a version serve",
        "rollback": "let the previous champion serve again",
        "archive": "mark a version as archived",
        "history": "which version was champion since when, set by whom, and why",
    }
    shown = {
        "list": "ride",
        "promote": "ride 4 --why 'two more months of data'",
        "rollback": "ride --why 'bias on short rides'",
        "archive": "ride 2",
        "history": "ride",
    }
    made = {
        name: actions.add_parser(
            name, help=text, **described(text, f"python -m training.registry {name} {shown[name]}")
        )
        for name, text in said.items()
    }
    for name, action in made.items():
        action.add_argument(
            "model", type=usable_model, choices=list(models), metavar="MODEL",
            help=", ".join(models),
        )  # fmt: skip
        if name in ("promote", "archive"):
            action.add_argument("version", metavar="VERSION", help="its number")
        if name in ("promote", "rollback", "archive"):
            action.add_argument("--why", default="", metavar="TEXT", help="kept in the history")
    made["promote"].add_argument(
        "--data", nargs="+", type=Path, default=[], metavar="FILE",
        help="rows that neither version has seen (default: the test part of the bundled sample, "
        "for a version that was trained on it)",
    )  # fmt: skip
    made["promote"].add_argument(
        "--margin", type=float, default=0.01, metavar="SHARE",
        help="share of the champion's RMSE or AUC by which it may be worse (default: %(default)s)",
    )  # fmt: skip
    made["promote"].add_argument(
        "--force",
        action="store_true",
        help="promote it although it is worse or archived; the history says so",
    )
    return line


def main(argv: Sequence[str] | None = None) -> None:
    """Run one action; exit with one line and status 1 where it fails, 3 where it is refused."""
    arguments = parser().parse_args(argv)
    try:
        print(_done(arguments))
    except (TrainingError, StartError) as error:
        leave("training.registry", error)


def _done(arguments: argparse.Namespace) -> str:
    """Do the action and return what there is to say of it."""
    with opened(discover()[arguments.model], "the registry") as registry:
        if arguments.action == "list":
            return "\n".join(registry.versions())
        if arguments.action == "history":
            return "\n".join(registry.history())
        if arguments.action == "promote":
            wanted = {"margin": arguments.margin, "force": arguments.force, "data": arguments.data}
            return registry.promote(arguments.version, why=arguments.why, **wanted)
        if arguments.action == "archive":
            return registry.archive(arguments.version, why=arguments.why)
        return registry.rollback(why=arguments.why)


if __name__ == "__main__":
    main()
