"""Exports beside the version of the registry that they were made of.

The folder lies among the files of the version's run, `exports/NAME-FORMAT`; the version has two
tags for each: `export.FORMAT`, the sha256 of the export's manifest (which holds the digests of the
other files), and `export.FORMAT.path`, the address of the folder.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import mlflow
from mlflow.exceptions import MlflowException

from scoring.artifact.manifest import MANIFEST
from scoring.registry.cache import VersionRef
from training.export.form import ExportError
from training.tracking import naming
from training.tracking.runs import one_line, silence_mlflow

TAG: Final = "export"


class Attachment:
    """A version of the registry that takes exports."""

    def __init__(self, ref: VersionRef) -> None:
        """Find the version. Raises ExportError where it has no run, or MLflow does not answer."""
        self._ref = ref
        self._uri = naming.tracking_uri()
        silence_mlflow()
        self._client = mlflow.MlflowClient(self._uri, self._uri)
        try:
            found = self._client.get_model_version(ref.model, ref.number)
        except MlflowException as error:
            raise ExportError(one_line(self._uri, error)) from error
        if not found.run_id:
            raise ExportError(f"{ref.title} has no run, among whose files an export would lie")
        self._run_id: str = found.run_id

    def add(self, folder: Path, to: str) -> str:
        """Add an export's folder and the version's tags, and return the folder's address there.
        What was there under its name is replaced. Raises ExportError where MLflow does not take
        it."""
        digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
        place = f"exports/{folder.name}"
        address = f"runs:/{self._run_id}/{place}"
        tags = {f"{TAG}.{to}": digest, f"{TAG}.{to}.path": address}
        try:
            self._client.log_artifacts(self._run_id, str(folder), place)
            for name, value in tags.items():  # last: what a tag says is there whole
                self._client.set_model_version_tag(self._ref.model, self._ref.number, name, value)
        except MlflowException as error:
            raise ExportError(one_line(self._uri, error)) from error
        return address
