"""The versions of a registered model, and which one serves: the work of `training.registry`."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from scoring.models import Model
from scoring.registry.changes import HISTORY
from training.errors import Refused, TrainingError
from training.evaluation.champion import compare_champion
from training.evaluation.metrics import deciding_metric
from training.tracking import naming
from training.tracking.naming import ARCHIVED, CHAMPION, PREVIOUS, PRODUCTION
from training.tracking.runs import champion, developer, make_version, one_line, silence_mlflow


@dataclass(frozen=True)
class Registry:
    """One registered model of one MLflow store."""

    client: mlflow.MlflowClient
    model: Model

    @property
    def name(self) -> str:
        """The registered model's name."""
        return self.model.registered_name

    def versions(self) -> list[str]:
        """Return one line for each version, the newest first."""
        aliases: dict[str, list[str]] = {}
        for alias, number in self._registered().aliases.items():
            aliases.setdefault(str(number), []).append(alias)
        found = self.client.search_model_versions(f"name='{self.name}'")
        metric = deciding_metric(self.model)
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

    def register(self, run_id: str, folder: Path) -> str:
        """Return the number of the version that an MLflow run of train.py logged, made if there is
        none yet; `folder` holds its artifact. Raises TrainingError where the run logged no model.
        """
        outputs = self.client.get_run(run_id).outputs
        if outputs is None or not outputs.model_outputs:
            raise TrainingError(f"the MLflow run {run_id} logged no model")
        return make_version(self.model, folder, run_id, outputs.model_outputs[0].model_id)[0]

    def promote(
        self, number: str, *, why: str, margin: float, force: bool, data: Sequence[Path]
    ) -> str:
        """Make a version the champion and return a line that says so.

        It is first compared with the present champion on the same rows. Raises Refused where it is
        archived or worse by more than `margin`, a share of the metric, unless `force` is given;
        ArtifactError where it is unable to serve.
        """
        version = self._version(number)
        before = champion(self.client, self.name)
        if before == number:
            raise TrainingError(f"{self.name} {number} is the champion already")
        objections = []
        if ARCHIVED in version.tags:
            objections.append(f"version {number} is archived: {version.tags[ARCHIVED]}")
        present = self._version(before) if before else None
        comparison = compare_champion(self.model, version, present, data)
        objections += comparison.objections(margin)
        if objections and not force:
            raise Refused(f"{'; '.join(objections)} (--force promotes it all the same)")
        event = {"forced": bool(objections), "objections": objections, **comparison.scores()}
        return self._move("promote", number, before, why, event)

    def rollback(self, *, why: str) -> str:
        """Make the champion's predecessor the champion again and return a line that says so.

        A second rollback undoes the first. Nothing is compared, because it must be quick.
        """
        before = champion(self.client, self.name)
        target = self._registered().aliases.get(PREVIOUS)
        if target is None or str(target) == before:
            raise TrainingError(f"{self.name} has no version before: nothing to roll back to")
        return self._move("rollback", str(target), before, why, {})

    def archive(self, number: str, *, why: str) -> str:
        """Mark a version as archived: it stays, and is promoted by force only."""
        self._version(number)
        if champion(self.client, self.name) == number:
            raise TrainingError(f"{self.name} {number} is the champion: promote another one first")
        said = f"{_now()} by {developer()}: {why or 'no reason given'}"
        self.client.set_model_version_tag(self.name, number, ARCHIVED, said)
        self.client.set_registered_model_alias(self.name, ARCHIVED, number)
        return f"archived {self.name} {number}"

    def history(self) -> list[str]:
        """Return one line for each change of the champion, the oldest first."""
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
        """Return the recorded changes of the champion, the oldest first."""
        tags = self._registered().tags
        return [json.loads(tags[key]) for key in sorted(tags) if key.startswith(HISTORY)]

    def _move(
        self, action: str, number: str, before: str | None, why: str, event: dict[str, Any]
    ) -> str:
        """Record the change, then make it: a change must never be missing from the history."""
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


def opened(model: Model) -> Registry:
    """Return the registry of a model at MLFLOW_TRACKING_URI, by default the embedded one."""
    uri = naming.tracking_uri()
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    silence_mlflow()
    return Registry(mlflow.MlflowClient(), model)


@contextlib.contextmanager
def in_one_line() -> Iterator[None]:
    """Turn what MLflow raises into a TrainingError, whose message is one line without a login."""
    try:
        yield
    except MlflowException as error:
        raise TrainingError(one_line(naming.tracking_uri(), error)) from error


def _now() -> str:
    """Return the time in UTC to the millisecond, by which the history is ordered."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
