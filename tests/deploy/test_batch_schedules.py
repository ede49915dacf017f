"""What starts batches by the clock: the CronJob, and the worker tier's cron.yaml."""

from __future__ import annotations

import json
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from batch.errors import BatchError, TooManyRejectedError, UsageError
from batch.options import parse
from batch.settings import BatchSettings
from batch.worker import PREFIX, words_of
from scoring.models import discover
from tests.deploy.test_kubernetes import VERSIONS, kubectl
from tests.support import ROOT

WORKER = ROOT / "deploy" / "elastic-beanstalk" / "worker"
_FIELD = r"(\*|\d+(-\d+)?)(/\d+)?(,(\*|\d+(-\d+)?)(/\d+)?)*"
SCHEDULE = re.compile(" ".join([_FIELD] * 5))


@cache
def manifests() -> dict[str, Any]:
    """Return the manifests of the CronJob, by kind."""
    folder = ROOT / "deploy" / "kubernetes" / "batch"
    done = subprocess.run(
        [kubectl(), "kustomize", str(folder)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return {manifest["kind"]: manifest for manifest in yaml.safe_load_all(done.stdout)}


def job() -> dict[str, Any]:
    found: dict[str, Any] = manifests()["CronJob"]["spec"]["jobTemplate"]["spec"]
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

    for manifest in manifests().values():
        kubernetes_validate.validate(manifest, version, strict=True)
    wrong = json.loads(json.dumps(manifests()["CronJob"]))
    wrong["spec"]["jobTemplate"]["spec"]["backofLimit"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, version, strict=True)


@pytest.mark.slow
def test_its_words_are_a_batchs() -> None:
    """The command line takes them, and each job has a place of its own that its pods share."""
    program, *words = container()["args"]
    assert (program, (ROOT / "batch" / "bin" / program).exists()) == ("batch", True)
    options = parse(words)
    assert options.model in discover()
    assert options.reference == f"models:/{discover()['churn'].registered_name}@champion"
    [variable] = container()["env"]
    assert f"$({variable['name']})" in options.output
    label = variable["valueFrom"]["fieldRef"]["fieldPath"]
    assert label == "metadata.labels['batch.kubernetes.io/job-name']"
    places = [mount["mountPath"] for mount in container()["volumeMounts"]]
    for path in (*options.inputs, options.output):
        assert path.startswith("/data/")
        assert "/data" in places


def test_its_settings_are_read() -> None:
    """Every name is a batch's setting; what is written lies in a volume."""
    data = manifests()["ConfigMap"]["data"]
    assert {name.lower() for name in data} <= set(BatchSettings.model_fields)
    settings = BatchSettings.from_env(data)
    assert str(settings.registry_cache).startswith("/tmp/")
    named = container()["envFrom"][0]["configMapRef"]["name"]
    assert named == manifests()["ConfigMap"]["metadata"]["name"]


def test_what_another_pod_would_not_change_ends_the_job() -> None:
    """The exit statuses of wrong usage and of a limit; any other is tried again by a new pod."""
    [ends, _] = job()["podFailurePolicy"]["rules"]
    statuses = {UsageError.status, TooManyRejectedError.status}
    assert (ends["action"], set(ends["onExitCodes"]["values"])) == ("FailJob", statuses)
    assert BatchError.status not in statuses
    assert ends["onExitCodes"]["containerName"] == container()["name"]
    assert pod()["restartPolicy"] == "Never"  # the policy wants it
    assert manifests()["CronJob"]["spec"]["concurrencyPolicy"] == "Forbid"
    assert SCHEDULE.fullmatch(manifests()["CronJob"]["spec"]["schedule"])


def test_its_pod_has_no_rights() -> None:
    """The strictest of the pod security standards; the user is the image's."""
    assert pod()["automountServiceAccountToken"] is False
    assert pod()["securityContext"]["runAsNonRoot"] is True
    assert pod()["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert f"USER {pod()['securityContext']['runAsUser']}:" in dockerfile


def test_the_workers_tasks_are_jobs_of_the_worker() -> None:
    """Names differ, schedules have five fields, and the documentation sets each job's words."""
    found = yaml.safe_load((WORKER / "cron.yaml").read_text(encoding="utf-8"))
    assert found["version"] == 1
    tasks = found["cron"]
    assert len({task["name"] for task in tasks}) == len(tasks)
    page = (ROOT / "docs" / "batch.md").read_text(encoding="utf-8")
    for task in tasks:
        assert set(task) == {"name", "url", "schedule"}
        assert SCHEDULE.fullmatch(task["schedule"])
        name = task["url"].removeprefix("/batch/")
        [text] = re.findall(rf"^{PREFIX}{name.upper()}=(.*)$", page, re.MULTILINE)
        words = words_of(name, "2026-11-23T05:00:00Z", {PREFIX + name.upper(): text})
        assert parse(words).model in discover()
        assert "2026-11-23" in parse(words).output


def test_the_workers_image_listens_where_it_is_asked() -> None:
    """The command is in the image, the port is the one that the worker takes."""
    told = json.loads((WORKER / "Dockerrun.aws.json").read_text(encoding="utf-8"))
    assert told["AWSEBDockerrunVersion"] == "1"
    assert Path(ROOT / "batch" / "bin" / told["Command"]).exists()
    assert told["Ports"] == [{"ContainerPort": 9696}]
    assert told["Image"]["Name"].partition("/")[0].endswith(".example")
