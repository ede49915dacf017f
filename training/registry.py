"""The registry's command line: which versions there are, and which one serves.

    python -m training.registry list ride
    python -m training.registry promote ride 4 --why "two more months of data"
    python -m training.registry rollback ride --why "bias on short rides"
    python -m training.registry archive ride 2
    python -m training.registry history ride

Where MLFLOW_TRACKING_URI points; unset, the embedded sqlite:///mlflow.db.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from scoring.errors import StartError
from scoring.models import Model, discover
from training import contest, naming
from training.errors import TrainingError
from training.naming import ARCHIVED, CHAMPION, HISTORY, PREVIOUS, PRODUCTION
from training.tracking import champion, developer, quiet, told


@dataclass(frozen=True)
class Registry:
    """One registered model of one MLflow store."""

    client: mlflow.MlflowClient
    model: Model

    @property
    def name(self) -> str:
        return self.model.registered_name

    def versions(self) -> list[str]:
        """Gives a line a version, the newest first."""
        aliases: dict[str, list[str]] = {}
        for alias, number in self._registered().aliases.items():
            aliases.setdefault(str(number), []).append(alias)
        found = self.client.search_model_versions(f"name='{self.name}'")
        metric = contest.metric(self.model)
        lines = [
            f"{'version':>8}  {'aliases':34}{'test ' + metric:>12}  {'data':14}{'commit':10}by"
        ]
        for version in sorted(found, key=lambda v: -int(v.version)):
            tags = version.tags
            words = ", ".join(sorted(aliases.get(str(version.version), [])))
            words = words or ("(archived)" if ARCHIVED in tags else "")
            lines.append(
                f"{version.version:>8}  {words:34}{tags.get(f'test_{metric}', '-'):>12}  "
                f"{tags.get('data_sha256', '-')[:12]:14}{tags.get('git_commit', '-')[:8]:10}"
                f"{tags.get('developer', '-')}"
            )
        return lines

    def promote(
        self, number: str, *, why: str, margin: float, force: bool, data: Sequence[Path]
    ) -> str:
        """Makes a version the champion; gives a line that says so. It is compared with the present
        one on the same rows first. Raises TrainingError where it is worse by more than `margin` (a
        share of the metric), archived, or cannot serve at all; `force` overrides the first two."""
        version = self._version(number)
        before = champion(self.client, self.name)
        if before == number:
            raise TrainingError(f"{self.name} {number} is the champion already")
        objections = []
        if ARCHIVED in version.tags:
            objections.append(f"version {number} is archived: {version.tags[ARCHIVED]}")
        found = contest.hold(self.model, version, self._version(before) if before else None, data)
        objections += found.objections(margin)
        if objections and not force:
            raise TrainingError(f"{'; '.join(objections)} (--force promotes it all the same)")
        event = {"forced": bool(objections), "objections": objections, **found.scores()}
        return self._move("promote", number, before, why, event)

    def rollback(self, *, why: str) -> str:
        """Makes the champion's predecessor the champion again; a second rollback undoes the first.
        Nothing is compared: it must be quick."""
        before = champion(self.client, self.name)
        target = self._registered().aliases.get(PREVIOUS)
        if target is None or str(target) == before:
            raise TrainingError(f"{self.name} has no version before: nothing to roll back to")
        return self._move("rollback", str(target), before, why, {})

    def archive(self, number: str, *, why: str) -> str:
        """Puts a version away: it stays, and is promoted by force only."""
        self._version(number)
        if champion(self.client, self.name) == number:
            raise TrainingError(f"{self.name} {number} is the champion: promote another one first")
        said = f"{_now()} by {developer()}: {why or 'no reason given'}"
        self.client.set_model_version_tag(self.name, number, ARCHIVED, said)
        self.client.set_registered_model_alias(self.name, ARCHIVED, number)
        return f"archived {self.name} {number}"

    def history(self) -> list[str]:
        """Gives a line for each time the champion changed, the oldest first."""
        lines = []
        for event in self.events():
            line = f"{event['when']}  {event['action']:9} {event['from'] or '-':>4} -> "
            line += f"{event['to']:<4} by {event['by']}: {event['why'] or 'no reason given'}"
            if event.get("candidate") is not None:
                line += f" ({event['metric']} {event['candidate']:.6g}"
                line += f", before {event['champion']:.6g})" if event.get("champion") else ")"
            lines.append(line + (" FORCED" if event.get("forced") else ""))
        return lines

    def events(self) -> list[dict[str, Any]]:
        """Gives the changes of the champion as they were kept, the oldest first."""
        tags = self._registered().tags
        return [json.loads(tags[key]) for key in sorted(tags) if key.startswith(HISTORY)]

    def _move(
        self, action: str, number: str, before: str | None, why: str, event: dict[str, Any]
    ) -> str:
        """The record first: a change that is not in the history must not happen."""
        when = _now()
        record = {"when": when, "action": action, "from": before, "to": number}
        record |= {"by": developer(), "why": why[:1000], **event}
        self.client.set_registered_model_tag(self.name, f"{HISTORY}{when}", json.dumps(record))
        if before:
            self.client.set_registered_model_alias(self.name, PREVIOUS, before)
        self.client.set_registered_model_alias(self.name, CHAMPION, number)
        self.client.set_registered_model_alias(self.name, PRODUCTION, number)
        forced = " by force" if event.get("forced") else ""
        return (
            f"{self.name}: version {number} is the champion{forced}, before it {before or 'none'}"
        )

    def _registered(self) -> Any:
        try:
            return self.client.get_registered_model(self.name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            raise TrainingError(
                f"there is no registered model {self.name}: "
                f"python train.py {self.model.name} --register makes one"
            ) from error

    def _version(self, number: str) -> ModelVersion:
        try:
            return self.client.get_model_version(self.name, number)
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise
            raise TrainingError(f"{self.name} has no version {number}; see list") from error


def parser() -> argparse.ArgumentParser:
    """Gives the command line's parser."""
    models = discover()
    described, *_ = (__doc__ or "").split("\n\n")
    line = argparse.ArgumentParser(prog="python -m training.registry", description=described)
    actions = line.add_subparsers(dest="action", required=True, metavar="ACTION")
    said = {
        "list": "the versions, the newest first",
        "promote": "let a version serve",
        "rollback": "let the one before serve again",
        "archive": "put a version away",
        "history": "which version was champion when, by whom, why",
    }
    made = {name: actions.add_parser(name, help=text) for name, text in said.items()}
    for name, action in made.items():
        action.add_argument("model", choices=list(models), metavar="MODEL", help=", ".join(models))
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
        help="by how much of its RMSE or AUC it may be worse (default: %(default)s)",
    )  # fmt: skip
    made["promote"].add_argument(
        "--force", action="store_true", help="promote it though it is worse; this is recorded"
    )
    return line


def main(words: Sequence[str] | None = None) -> None:
    """Does one action; exits with status 1 and one line where it cannot."""
    given = parser().parse_args(words)
    uri = naming.tracking_uri()
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    quiet()
    try:
        registry = Registry(mlflow.MlflowClient(), discover()[given.model])
        if given.action == "list":
            print("\n".join(registry.versions()))
        elif given.action == "history":
            print("\n".join(registry.history()))
        elif given.action == "promote":
            wanted = {"margin": given.margin, "force": given.force, "data": given.data}
            print(registry.promote(given.version, why=given.why, **wanted))
        elif given.action == "archive":
            print(registry.archive(given.version, why=given.why))
        else:
            print(registry.rollback(why=given.why))
    except (TrainingError, StartError) as error:
        sys.exit(f"training.registry: {error}")
    except MlflowException as error:
        sys.exit(f"training.registry: {told(uri, error)}")


def _now() -> str:
    """UTC to the millisecond: the history's order."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


if __name__ == "__main__":
    main()
