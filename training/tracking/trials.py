"""Logs the trials of a search as runs within the run of their training."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import mlflow
from mlflow.entities import Metric, Param, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from optuna.trial import FrozenTrial, TrialState

from training.evaluation.metrics import deciding_metric
from training.search.folds import shown

if TYPE_CHECKING:
    from training.search.verdict import Found

_STATUS = {TrialState.COMPLETE: "FINISHED", TrialState.PRUNED: "KILLED"}  # others: FAILED


def log_trials(found: Found, parent: str) -> None:
    """Make a child of the run `parent` for each trial, with parameters, metric, size and seconds,
    or why it failed; and keep the journal with the parent."""
    client = mlflow.MlflowClient()
    experiment = client.get_run(parent).info.experiment_id
    for trial in found.journal.counted():
        has = trial.user_attrs
        tags = {
            MLFLOW_PARENT_RUN_ID: parent,
            "trial": str(trial.number),
            "state": trial.state.name.lower(),
            "winner": str(trial.number == found.winner).lower(),
            **({"why": has["why"]} if "why" in has else {}),
        }
        run = client.create_run(
            experiment, start_time=_ms(trial.datetime_start), tags=tags,
            run_name=f"trial-{trial.number}-{has['estimator']}",
        ).info.run_id  # fmt: skip
        client.log_batch(
            run,
            metrics=_metrics(found, trial),
            params=[Param("estimator", has["estimator"]),
                    *(Param(name, str(value)) for name, value in has["parameters"].items())],
            tags=[],
        )  # fmt: skip
        client.set_terminated(run, _STATUS.get(trial.state, "FAILED"), _ms(trial.datetime_complete))
    client.log_batch(parent, tags=[RunTag("search", found.said[:500])])
    client.log_artifact(parent, str(found.file), "search")


def _metrics(found: Found, trial: FrozenTrial) -> list[Metric]:
    if trial.state is not TrialState.COMPLETE or trial.value is None:
        return []
    has = trial.user_attrs
    made = {f"folds_{deciding_metric(found.model)}": shown(found.model, trial.value)}
    made |= {"bytes": float(has["size"]), "seconds": has["seconds"]}
    made |= {"us": has["us"]} if has["us"] is not None else {}
    return [Metric(k, v, _ms(trial.datetime_complete) or 0, 0) for k, v in made.items()]


def _ms(when: datetime | None) -> int | None:
    return None if when is None else int(when.timestamp() * 1000)
