"""A candidate that passed: a version in the registry, and what serves."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.config import Gate
from pipeline.errors import PipelineError, RefusedError
from pipeline.steps import Result, Work
from scoring.artifact.folder import replace_folder
from scoring.errors import ArtifactError
from scoring.models import Model
from scoring.process.settings import ModelSettings


def register(model: Model, artifact: Path, run_id: str | None) -> Work:
    """Return the step that makes a version of the MLflow run that trained; without one, where no
    registry is set, it only says so."""

    def work(_: Path) -> Result:
        if run_id is None:
            return {"said": "MLFLOW_TRACKING_URI is not set: it has no number", "number": None}
        number = _of_registry(model, lambda found: found.register(run_id, artifact))
        return {"said": f"{model.registered_name} {number}", "number": number}

    return work


def promote(
    model: Model, artifact: Path, number: str | None, held_out: Sequence[Path], config: Gate,
    why: str, environ: Mapping[str, str],
) -> Work:  # fmt: skip
    """Return the step that lets a candidate serve: by the registry's alias, which compares once
    more with whatever is champion then, else by taking its folder's place in MODELS_DIR."""

    def work(_: Path) -> Result:
        if number is not None:
            said = _of_registry(
                model,
                lambda found: found.promote(
                    number, why=why, margin=config.margin, force=False, data=held_out
                ),
            )
            return {"said": said}
        target = ModelSettings.from_env(environ).models_dir / model.name
        copy(artifact, target)
        return {"said": f"{target} is the new one"}

    return work


def roll_back(model: Model, why: str) -> str:
    """Move the registry's alias to the version that had it before, and return a line of it."""
    return _of_registry(model, lambda found: found.rollback(why=why))


def copy(artifact: Path, target: Path) -> None:
    """Let a copy of an artifact take the place of a folder, whole or not at all."""

    def fill(aside: Path) -> None:
        for path in artifact.iterdir():
            shutil.copyfile(path, aside / path.name)

    try:
        replace_folder(target, fill)
    except ArtifactError as error:
        raise PipelineError(str(error)) from None


def _of_registry(model: Model, what: Callable[[Any], str]) -> str:
    from training import errors, registry  # it and MLflow take seconds to import

    try:
        with registry.opened(model, "a version in the registry") as versions:
            return what(versions)
    except errors.Refused as error:
        raise RefusedError([str(error)]) from None
    except (errors.TrainingError, ArtifactError) as error:
        raise PipelineError(str(error)) from None
