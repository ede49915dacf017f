"""Logs one training as an MLflow run: its inputs, its results and the model itself.

    start run -> train -> parameters, data, plots, manifest -> model -> metrics -> version
                                                                       (with --register, last)

Whatever fails on the way marks the run FAILED; the version is made last and in one step, so that a
run that failed has none.
"""

from __future__ import annotations

import contextlib
import dataclasses
import getpass
import hashlib
import importlib.metadata
import logging
import re
import signal
import subprocess
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import skops.io
from mlflow.data.pandas_dataset import from_pandas
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from sklearn.pipeline import Pipeline

from scoring.artifact.allow_list import allowed
from scoring.artifact.manifest import MANIFEST, Manifest
from scoring.models import Model
from training.errors import TrainingError
from training.fit.features import features
from training.run import Options, Trained, train
from training.sources import source_of
from training.tracking import naming

if TYPE_CHECKING:
    from training.search.verdict import Found

_LOCK = Path(__file__).resolve().parents[2] / "Pipfile.lock"
_EXAMPLES = 5  # rows of the input example
_SHOWN = ("scikit-learn", "numpy", "scipy", "pandas", "mlflow")


def train_tracked(options: Options, *, register: bool) -> Manifest:
    """Train as `train` does, within an MLflow run, and return the manifest.

    With `register` the model becomes a new version of its registered model. Raises TrainingError,
    also where MLflow cannot be reached.
    """
    model = options.model
    uri = naming.tracking_uri()
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    silence_mlflow()
    try:
        mlflow.set_experiment(model.registered_name)
        mlflow.set_system_metrics_sampling_interval(1)  # type: ignore[no-untyped-call]
        with _ended_by_sigterm(), mlflow.start_run(log_system_metrics=True) as run:
            mlflow.set_tags(_first_tags(model))
            logged: list[str] = []
            manifest = train(
                dataclasses.replace(
                    options,
                    searched=lambda found: _log_trials(found, run.info.run_id),
                    finished=lambda t: logged.append(log(model, t, run.info.run_id)),
                )
            )
            if register:
                folder = options.output / model.name
                options.log(make_version(model, folder, run.info.run_id, logged[0])[1])
            options.log(f"MLflow run {run.info.run_id} of experiment {model.registered_name}")
    except MlflowException as error:
        raise TrainingError(one_line(uri, error)) from error
    return manifest


def _log_trials(found: Found, run_id: str) -> None:
    from training.tracking.trials import log_trials  # Optuna takes a second to import

    log_trials(found, run_id)


def log(model: Model, trained: Trained, run_id: str) -> str:
    """Log the results of a training to the active run and return the logged model's id.

    Raises TrainingError where the model has no signature, which MLflow drops silently if it cannot
    make one.
    """
    manifest = trained.manifest
    name = naming.run_name(manifest.estimator, datetime.now(UTC))
    mlflow.MlflowClient().update_run(run_id, name=name)
    mlflow.set_tags(_tags(manifest))
    mlflow.log_params(
        {
            "estimator": manifest.estimator,
            "seed": manifest.seed,
            "threshold": manifest.threshold,
            **manifest.parameters,
        }
    )
    for part, frame in trained.frames.items():
        files = manifest.data[part]
        with warnings.catch_warnings():
            # MLflow warns that whole numbers cannot be missing: no record lacks a field
            warnings.simplefilter("ignore", UserWarning)
            data = from_pandas(
                frame,
                source=files.name,
                # MLflow keeps one dataset a name and digest, and the parts share the files
                name=f"{files.name} ({part})",
                targets=model.target,
                digest=files.sha256[:32],
            )
            mlflow.log_input(data, context=part)
    for path in sorted(trained.folder.glob("*.png")):
        mlflow.log_artifact(str(path), "plots")
    mlflow.log_artifact(str(trained.folder / MANIFEST))
    mlflow.log_artifact(str(_LOCK), "environment")
    mlflow.log_table(_predictions(manifest), "sample_predictions.json")
    model_id = _log_model(model, trained)
    mlflow.log_metrics(_metrics(manifest), model_id=model_id)
    return model_id


def _log_model(model: Model, trained: Trained) -> str:
    """Log one Pipeline for everyone and, next to it, the artifact whose digests the service checks.

    Returns the logged model's id.
    """
    vectorizer, estimator = trained.pair
    pipeline = Pipeline([("vectorizer", vectorizer), ("estimator", estimator)])
    part = next(reversed(trained.frames))
    taken = model.fitted_on(vectorizer.feature_names_, vectorizer.separator)
    rows = [dict(row) for row in features(trained.frames[part].head(_EXAMPLES), taken)]
    signature = infer_signature(rows, pipeline.predict(rows))
    info = mlflow.sklearn.log_model(
        pipeline,
        name=model.registered_name,
        signature=signature,
        input_example=rows,
        pip_requirements=_requirements(trained.manifest),
        metadata={"model": model.name, "version": trained.manifest.version},
        **_format(pipeline),
    )
    if info.signature is None:
        raise TrainingError("MLflow kept no signature of the model: the run has failed")
    client = mlflow.MlflowClient()
    for name in (MANIFEST, *trained.manifest.files):
        client.log_model_artifact(info.model_id, str(trained.folder / name))
    model_id: str = info.model_id
    return model_id


def _format(pipeline: Pipeline) -> dict[str, Any]:
    """Return the arguments for a skops file with the types of the service's own allow-list.

    A model that needs further types is pickled.
    """
    unknown = skops.io.get_untrusted_types(data=skops.io.dumps(pipeline))
    if all(allowed(*name.rsplit(".", 1)) for name in unknown):
        return {"serialization_format": "skops", "skops_trusted_types": unknown or None}
    return {"serialization_format": "cloudpickle"}


def make_version(model: Model, folder: Path, run_id: str, model_id: str) -> tuple[str, str]:
    """Make a version of the artifact in `folder`, which a run logged; return its number, and a line
    that says so. A run whose version there is already gets no second one."""
    name = model.registered_name
    client = mlflow.MlflowClient()
    with contextlib.suppress(MlflowException):  # it exists
        client.create_registered_model(name, description=model.title)
    if known := client.search_model_versions(f"name='{name}' and run_id='{run_id}'"):
        return str(known[0].version), f"{name} version {known[0].version} is of this run already"
    written = (folder / MANIFEST).read_bytes()
    manifest = Manifest.model_validate_json(written)
    main = {k: v for k, v in _metrics(manifest).items() if k.startswith(("test_", "validation_"))}
    tags = {
        **_tags(manifest),
        **{key: f"{value:.6g}" for key, value in main.items()},
        "artifact_sha256": manifest.sha256,
        "manifest_sha256": hashlib.sha256(written).hexdigest(),
        "parent": champion(client, name) or "none",
    }
    version = client.create_model_version(
        name, source=f"models:/{model_id}", run_id=run_id, tags=tags, model_id=model_id
    )
    client.set_registered_model_alias(name, naming.STAGING, version.version)
    held_out = "" if source_of(model).sample else " --data FILE"
    return str(version.version), (
        f"registered {name} version {version.version}; it serves after: "
        f"python -m training.registry promote {model.name} {version.version}{held_out}"
    )


def champion(client: mlflow.MlflowClient, name: str) -> str | None:
    """Return the number of the version that serves, or None."""
    try:
        return str(client.get_model_version_by_alias(name, naming.CHAMPION).version)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def _first_tags(model: Model) -> dict[str, str]:
    """Return what is known before the training, and may explain why it failed."""
    return {"model": model.name, "developer": developer()}


def _tags(manifest: Manifest) -> dict[str, str]:
    parts = next(iter(manifest.data.values()), None)
    found = {
        "model": manifest.model,
        "developer": developer(),
        "git_commit": manifest.git_commit or "unknown",
        "git_dirty": str(manifest.git_dirty).lower(),
        "data_name": parts.name if parts else "unknown",
        "data_sha256": parts.sha256 if parts else "unknown",
        "python": manifest.python,
    }
    libraries = {**manifest.libraries, "mlflow": importlib.metadata.version("mlflow")}
    return found | {name: libraries[name] for name in _SHOWN if name in libraries}


def developer() -> str:
    """Return who trains or promotes: git's user, else the system's."""
    command = ["git", "config", "user.name"]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        found = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # our own words
        if name := found.stdout.strip():
            return name
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"


def _metrics(manifest: Manifest) -> dict[str, float]:
    """Return the manifest's metrics as `test_rmse`, the trivial model's as `baseline_test_rmse`."""
    return {
        f"{prefix}{part}_{name}": float(value)
        for prefix, parts in (("", manifest.metrics), ("baseline_", manifest.baseline))
        for part, values in parts.items()
        for name, value in values.items()
        if isinstance(value, int | float)
    }


def _predictions(manifest: Manifest) -> dict[str, list[Any]]:
    """Return the golden records with their answers, by column."""
    rows = [{**golden.record, **golden.answer} for golden in manifest.golden]
    return {name: [row[name] for row in rows] for name in rows[0]}


def _requirements(manifest: Manifest) -> list[str]:
    names = ["scikit-learn", "numpy", "scipy", "skops"]
    names += ["xgboost-cpu"] if manifest.estimator.startswith("XGB") else []
    return [f"{name}=={importlib.metadata.version(name)}" for name in names]


def silence_mlflow() -> None:
    """Silence the messages of MLflow that a person need not read."""
    # MLflow tries the input example as a request to its own server, which would make a table of it;
    # the pipeline takes records, and is served by our service
    logging.getLogger("mlflow.models.model").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    for name in ("store.db.utils", "system_metrics.system_metrics_monitor", "tracking.fluent"):
        logging.getLogger(f"mlflow.{name}").setLevel(logging.WARNING)


def one_line(uri: str, error: MlflowException) -> str:
    """Return MLflow's error as one line, without a user and password that the address may hold."""
    line = f"MLflow at {uri}: {' '.join(str(error).split())}"
    return re.sub(r"//[^/@ ]*@", "//", line)[:600]


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the run as FAILED rather than leave it running for ever."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
