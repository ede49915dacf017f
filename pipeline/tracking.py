"""A run in MLflow: a parent with a child for each step, its inputs as datasets, its files.

It is written once the run has ended: what MLflow says or does not say then changes nothing of that.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipeline.records import FAILED, FINISHED, Record
from scoring.models import Model

if TYPE_CHECKING:
    import mlflow

_DIGITS: Final = 36  # of a dataset's digest, at most
_LONGEST: Final = 5000  # characters of a tag


def keep(
    model: Model, record: Record, environ: Mapping[str, str], say: Callable[[str], None]
) -> None:
    """Write a run that has ended to MLflow, where MLFLOW_TRACKING_URI is set; of one that was
    stopped there is nothing. Where MLflow does not take it, say so in a line."""
    if not environ.get("MLFLOW_TRACKING_URI") or record["state"] not in (*FINISHED, FAILED):
        return
    from training import errors, registry  # it and MLflow take seconds to import

    try:
        with registry.opened(model, "MLFLOW_TRACKING_URI") as versions:
            _parent(versions.client, f"{model.registered_name}-pipeline", record)
    except errors.TrainingError as error:
        say(f"MLflow keeps no record of this run: {error}")


def _parent(client: mlflow.MlflowClient, name: str, record: Record) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    experiment = client.get_experiment_by_name(name)
    place = experiment.experiment_id if experiment else client.create_experiment(name)
    tags = {key: str(record[key])[:_LONGEST] for key in ("model", "state", "why", "said", "plan")}
    begun, ended = (_ms(record[key]) for key in ("started", "finished"))
    parent = client.create_run(place, begun, tags, run_name=record["run"]).info.run_id
    client.log_inputs(
        parent,
        datasets=[
            DatasetInput(
                Dataset(
                    Path(one["file"]).name, one["sha256"][:_DIGITS], "local",
                    json.dumps({"uri": one["file"]}),
                ),
                [InputTag("mlflow.data.context", "input")],
            )
            for one in record["inputs"]
        ],
    )  # fmt: skip
    client.log_dict(parent, record, "run.json")
    for step in record["steps"]:
        _child(client, place, parent, step, begun)
    status = "FAILED" if record["state"] == FAILED else "FINISHED"
    client.set_terminated(parent, status, ended)


def _child(
    client: mlflow.MlflowClient, place: str, parent: str, step: Mapping[str, Any], begun: int
) -> None:
    tags = {key: str(step[key])[:_LONGEST] for key in ("key", "state", "said", "reused")}
    tags["mlflow.parentRunId"] = parent
    run = client.create_run(place, begun, tags, run_name=step["name"]).info.run_id
    folder = Path(step["folder"])
    for file in sorted([*folder.glob("*.json"), *folder.glob("*.log")]):
        client.log_artifact(run, str(file))
    if (folder / "gate.json").exists():
        found = json.loads((folder / "gate.json").read_bytes())["metrics"]
        for name, value in found.items():
            if isinstance(value, int | float):
                client.log_metric(run, name, value)
    if (folder / "result.json").exists():
        told = json.loads((folder / "result.json").read_bytes())
        if training := told.get("mlflow_run"):  # the run of train.py, in its own experiment
            client.set_tag(run, "training_run", training)
            if not step["reused"]:
                client.set_tag(training, "pipeline_run", parent)
    client.set_terminated(run, "FAILED" if step["state"] == "failed" else "FINISHED")


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
