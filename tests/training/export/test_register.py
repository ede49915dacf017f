"""Exports lie beside the version that they were made of, on a real MLflow server."""

from __future__ import annotations

import hashlib
import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from scoring.artifact.manifest import MANIFEST
from scoring.models import Model, discover
from scoring.registry.cache import VersionRef
from tests.scoring.registry.mlflow_server import Mlflow, mlflow_server
from tests.support import write_artifact
from tests.training.export.test_command import REGISTERED
from training.export.__main__ import main
from training.export.attach import Attachment
from training.export.form import ExportError
from training.export.judges import NotJudged

RIDE: Model = discover()["ride"]
CHAMPION = f"models:/{RIDE.registered_name}@champion"


@pytest.fixture
def mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A server whose champion is version 1, and an environment that names it."""
    (tmp_path / "server").mkdir()
    write_artifact(RIDE, tmp_path / "models")
    with mlflow_server(tmp_path / "server") as server:
        number, _ = server.version(RIDE.registered_name, tmp_path / "models" / "ride", server.run())
        server.alias(RIDE.registered_name, "champion", number)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
        monkeypatch.setenv("REGISTRY_CACHE", str(tmp_path / "cache"))
        monkeypatch.chdir(tmp_path)
        yield server


def version(server: Mlflow, number: str = "1") -> dict[str, Any]:
    path = f"model-versions/get?name={RIDE.registered_name}&version={number}"
    found: dict[str, Any] = server.call("GET", path, {})["model_version"]
    return found


def ref(number: str) -> VersionRef:
    return VersionRef(number=number, created=0, source="", model=RIDE.registered_name)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_exports_are_attached_to_the_version(
    mlflow: Mlflow, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """By the page's command: each folder among the files of the version's run, its digest in a tag
    of the version. What is not proved is not attached, nor is what is of no version with a run."""
    [command] = REGISTERED
    main(shlex.split(command))
    told = capsys.readouterr().out
    found = version(mlflow)
    run = found["run_id"]
    tags = {tag["key"]: tag["value"] for tag in found["tags"]}
    for to, model in (("onnx", "model.onnx"), ("pmml", "model.pmml")):
        folder = tmp_path / "exports" / f"ride-{to}"
        manifest = (folder / MANIFEST).read_bytes()
        assert tags[f"export.{to}"] == hashlib.sha256(manifest).hexdigest()
        assert tags[f"export.{to}.path"] == f"runs:/{run}/exports/ride-{to}"
        assert f"attached as runs:/{run}/exports/ride-{to}" in told
        listed = mlflow.call("GET", f"artifacts/list?run_id={run}&path=exports/ride-{to}", {})
        names = {Path(one["path"]).name: int(one["file_size"]) for one in listed["files"]}
        assert names[MANIFEST] == len(manifest)
        assert names[model] == (folder / model).stat().st_size
        assert json.loads(manifest)["version"] == "1"

    def absent(*_: object) -> None:
        raise NotJudged("node is not installed")

    monkeypatch.setattr("training.export.judges.program", absent)
    with pytest.raises(SystemExit, match="is not proved, so it is not attached: node is not"):
        main([CHAMPION, "--to", "javascript", "--register"])
    assert "export.javascript" not in {tag["key"] for tag in version(mlflow)["tags"]}

    body = {"name": RIDE.registered_name, "source": "s3://elsewhere/ride"}
    alone = mlflow.call("POST", "model-versions/create", body)["model_version"]
    with pytest.raises(ExportError, match="has no run, among whose files"):
        Attachment(ref(alone["version"]))
    with pytest.raises(ExportError, match="not found"):
        Attachment(ref("99"))


def test_a_version_is_named_to_be_attached_to(capsys: pytest.CaptureFixture[str]) -> None:
    """An artifact of a folder is none: wrong usage."""
    with pytest.raises(SystemExit) as caught:
        main(["ride", "--to", "c", "--register"])
    assert caught.value.code == 2
    assert "NAME is then models:/NAME@ALIAS or models:/NAME/NUMBER" in capsys.readouterr().err
