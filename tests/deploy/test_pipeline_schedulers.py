"""What starts the pipeline elsewhere: Kubernetes, GitHub Actions, EventBridge, and engines, each of
which is really run by `make test-orchestrators`."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.cli import _parser
from pipeline.config import read
from pipeline.errors import PipelineError, RefusedError, UsageError
from pipeline.steps import NAMES
from scoring.models import discover
from tests.deploy.test_batch_schedules import SCHEDULE
from tests.deploy.test_kubernetes import VERSIONS, kubectl
from tests.support import ROOT

FOLDER = ROOT / "deploy" / "pipeline"
KUBERNETES = ROOT / "deploy" / "kubernetes" / "pipeline"
ENGINES = ("airflow_dag.py", "dagster_job.py", "prefect_flow.py", "mage/custom/step.py")
# what stands for a name or an expression in the words of an engine's file
MEANT = {"name": "check", "given['block_uuid']": "check", "model": "ride", "pipeline.model": "ride",
         "given['model']": "ride", "(params or {})['model']": "ride"}  # fmt: skip


@cache
def manifests() -> dict[str, list[Any]]:
    """Return the manifests of the CronJob, by kind."""
    done = subprocess.run(
        [kubectl(), "kustomize", str(KUBERNETES)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, list[Any]] = {}
    for manifest in yaml.safe_load_all(done.stdout):
        found.setdefault(manifest["kind"], []).append(manifest)
    return found


def job() -> dict[str, Any]:
    found: dict[str, Any] = manifests()["CronJob"][0]["spec"]["jobTemplate"]["spec"]
    return found


def pod() -> dict[str, Any]:
    found: dict[str, Any] = job()["template"]["spec"]
    return found


def container() -> dict[str, Any]:
    [found] = pod()["containers"]
    return dict(found)


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_the_api_takes_the_cron_job(version: str) -> None:
    """Each field is one of that kind; a misspelt one is refused."""
    import kubernetes_validate

    for some in manifests().values():
        for manifest in some:
            kubernetes_validate.validate(manifest, version, strict=True)
    wrong = json.loads(json.dumps(manifests()["CronJob"][0]))
    wrong["spec"]["jobTemplate"]["spec"]["backofLimit"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, version, strict=True)


@pytest.mark.slow
def test_its_words_and_settings_are_ours() -> None:
    """The command line takes them, and the file that they name is a configuration."""
    given = _parser().parse_args(container()["args"])
    assert given.model in discover()
    places = {mount["name"]: mount["mountPath"] for mount in container()["volumeMounts"]}
    assert str(given.config.parent) == places["config"]
    volumes = {volume["name"]: volume for volume in pod()["volumes"]}
    maps = {one["metadata"]["name"]: one["data"] for one in manifests()["ConfigMap"]}
    assert set(maps[volumes["config"]["configMap"]["name"]]) == {given.config.name}
    memory = read(KUBERNETES / given.config.name, given.model).train.max_memory_mb
    assert memory
    assert memory < int(container()["resources"]["limits"]["memory"].removesuffix("Gi")) * 1024
    [claim] = manifests()["PersistentVolumeClaim"]
    assert volumes["data"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    [settings, _] = container()["envFrom"]
    assert set(maps[settings["configMapRef"]["name"]]) == {"MLFLOW_TRACKING_URI"}


def test_what_another_pod_would_not_change_ends_the_job() -> None:
    """The exit statuses of wrong usage and of a refusal; any other is tried again by a new pod."""
    [ends, _] = job()["podFailurePolicy"]["rules"]
    assert ends["action"] == "FailJob"
    assert set(ends["onExitCodes"]["values"]) == {UsageError.status, RefusedError.status}
    assert PipelineError.status not in ends["onExitCodes"]["values"]
    assert ends["onExitCodes"]["containerName"] == container()["name"]
    assert pod()["restartPolicy"] == "Never"  # the policy wants it
    spec = manifests()["CronJob"][0]["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    assert SCHEDULE.fullmatch(spec["schedule"])


def test_its_pod_has_no_rights() -> None:
    """The strictest of the pod security standards; the user is the image's."""
    assert pod()["automountServiceAccountToken"] is False
    assert pod()["securityContext"]["runAsNonRoot"] is True
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert f"USER {pod()['securityContext']['runAsUser']}:" in (FOLDER / "Dockerfile").read_text()


def test_the_image_has_all_that_the_pipeline_runs() -> None:
    """Each folder that a step's key is made of is copied, and the build may see it."""
    text = (FOLDER / "Dockerfile").read_text()
    copied = {word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE)
              for word in line.split()}  # fmt: skip
    seen = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0:1] == "!"
    }
    from pipeline.reasons import CODE

    needed = {place.partition("/")[0] for places in CODE.values() for place in places}
    assert needed <= copied
    assert copied <= seen
    [version] = re.findall(r"PIPENV_VERSION=([0-9.]+)", text)
    assert f"PIPENV_VERSION := {version}\n" in (ROOT / "Makefile").read_text()
    # every place that it writes to is a volume's or /tmp
    assert {mount["mountPath"] for mount in container()["volumeMounts"]} >= {"/data", "/tmp"}
    assert set(re.findall(r"(?:DATA_DIR|MODELS_DIR|WORKDIR)[= ](/data)\b", text)) == {"/data"}


def test_the_workflow_runs_our_command() -> None:
    """Its words are ours, its times five fields, and it is no workflow of this repository."""
    found = yaml.safe_load((FOLDER / "github-actions.yml").read_text())
    [trigger] = found[True]["schedule"]  # YAML reads `on` as a truth
    assert SCHEDULE.fullmatch(trigger["cron"])
    [line] = re.findall(
        r"\.venv/bin/python -m pipeline (.*?) >", found["jobs"]["ride"]["steps"][-1]["run"]
    )
    given = _parser().parse_args(shlex.split(line.replace("$WORDS", "--from gate --approve")))
    assert (given.model, given.json, given.first, given.approve) == ("ride", True, "gate", True)
    assert not (ROOT / ".github" / "workflows" / "github-actions.yml").exists()


class _Template(yaml.SafeLoader):
    """CloudFormation's short forms are read as what they lead to."""


_Template.add_multi_constructor("!", lambda loader, _, node: loader.construct_scalar(node))


def test_the_schedule_starts_the_image() -> None:
    """The task's words are ours, its parts name each other, its folder is the image's."""
    found = yaml.load((FOLDER / "eventbridge.yaml").read_text(), _Template)
    parts = found["Resources"]
    [one] = parts["Task"]["Properties"]["ContainerDefinitions"]
    assert one["Command"] == ["run", "Model"]
    given = _parser().parse_args(["run", found["Parameters"]["Model"]["Default"]])
    assert given.model in discover()
    assert one["MountPoints"][0]["ContainerPath"] == "/data"
    user = parts["Folder"]["Properties"]["PosixUser"]
    assert f"USER {user['Uid']}:{user['Gid']}" in (FOLDER / "Dockerfile").read_text()
    target = parts["Morning"]["Properties"]["Target"]
    assert target["EcsParameters"]["TaskDefinitionArn"] == "Task"


@pytest.mark.parametrize("file", ENGINES)
def test_an_engines_file_gives_words_that_the_command_takes(file: str) -> None:
    """Its two lists are one command, of a step that there is; no package of ours is imported."""
    tree = ast.parse((FOLDER / file).read_text())
    command = [
        part for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AugAssign) and isinstance(node.value, ast.List)
        for part in node.value.elts
    ]  # fmt: skip
    words = [
        part.value if isinstance(part, ast.Constant) else MEANT[ast.unparse(part)]
        for part in command
        if not isinstance(part, ast.JoinedStr | ast.Starred)
    ]
    assert words[:2] == ["-m", "pipeline"]
    given = _parser().parse_args([str(word) for word in words[2:]])
    assert (given.model, given.until, given.json) == ("ride", "check", True)
    [python] = [ast.unparse(part) for part in command if isinstance(part, ast.JoinedStr)]
    assert "}/.venv/bin/python" in python
    ours = {path.name for path in ROOT.iterdir() if path.is_dir()} | {"scoring"}
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names] if isinstance(node, ast.Import)
            else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        )
    }  # fmt: skip
    assert not imported & ours


@pytest.mark.parametrize("file", ENGINES[:3])
def test_an_engines_steps_are_ours(file: str) -> None:
    """All of them, in their order."""
    tree = ast.parse((FOLDER / file).read_text())
    [steps] = [
        ast.literal_eval(node.value) for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "STEPS"
    ]  # fmt: skip
    assert steps == NAMES


def test_mages_blocks_are_the_steps() -> None:
    """Each is the one file, after the one before; nothing is told to its makers."""
    found = yaml.safe_load(
        (FOLDER / "mage" / "pipelines" / "retrain" / "metadata.yaml").read_text()
    )
    blocks = found["blocks"]
    assert tuple(block["uuid"] for block in blocks) == NAMES
    assert [block["upstream_blocks"] for block in blocks] == [[], *([name] for name in NAMES[:-1])]
    assert [block["downstream_blocks"] for block in blocks] == [*([n] for n in NAMES[1:]), []]
    for block in blocks:
        assert Path(FOLDER, "mage", block["configuration"]["file_path"]).is_file()
    project = yaml.safe_load((FOLDER / "mage" / "metadata.yaml").read_text())
    assert project["help_improve_mage"] is False
