"""What starts workers on a stream: Kubernetes, compose; and the alerts and dashboard about them."""

from __future__ import annotations

import json
import re
import subprocess
from functools import cache
from typing import Any

import pytest
import yaml

from streaming.meter import Meter
from streaming.options import parse
from streaming.settings import StreamSettings
from tests.deploy.test_kubernetes import VERSIONS, kubectl
from tests.support import ROOT, installed
from tests.support.schemas import json_schema

DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.stream.yaml").read_text())["services"]
RULES = yaml.safe_load((DEPLOY / "prometheus" / "stream_alerts.yml").read_text())
ALERTS = RULES["groups"][0]["rules"]

# What KEDA takes of a ScaledObject, as far as we use it
SCALED_OBJECT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "keda.sh/v1alpha1"},
        "kind": {"const": "ScaledObject"},
        "metadata": {"type": "object"},
        "spec": {
            "type": "object",
            "additionalProperties": False,
            "required": ["scaleTargetRef", "triggers"],
            "properties": {
                "scaleTargetRef": {"type": "object", "required": ["name"]},
                "minReplicaCount": {"type": "integer", "minimum": 0},
                "maxReplicaCount": {"type": "integer", "minimum": 1},
                "cooldownPeriod": {"type": "integer", "minimum": 0},
                "triggers": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["type", "metadata"],
                        "properties": {
                            "type": {"const": "kafka"},
                            "metadata": {
                                "type": "object",
                                "additionalProperties": {"type": "string"},
                                "required": ["bootstrapServers", "consumerGroup", "topic"],
                            },
                        },
                    },
                },
            },
        },
    },
}


@cache
def manifests() -> dict[str, Any]:
    """Return the manifests of the worker, by kind."""
    done = subprocess.run(
        [kubectl(), "kustomize", str(DEPLOY / "kubernetes" / "streaming")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return {manifest["kind"]: manifest for manifest in yaml.safe_load_all(done.stdout)}


def pod() -> dict[str, Any]:
    found: dict[str, Any] = manifests()["Deployment"]["spec"]["template"]["spec"]
    return found


def container() -> dict[str, Any]:
    [found] = pod()["containers"]
    return dict(found)


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_the_api_takes_the_deployment(version: str) -> None:
    """Each field is one of that kind; KEDA's object is held against what is used of it."""
    import kubernetes_validate

    for kind, manifest in manifests().items():
        if kind != "ScaledObject":
            kubernetes_validate.validate(manifest, version, strict=True)
    json_schema(SCALED_OBJECT).validate(manifests()["ScaledObject"])


def test_its_words_are_a_worker_s() -> None:
    """The command line takes them, and what scales it looks at the same group and topic."""
    program, *words = container()["args"]
    assert (ROOT / "streaming" / "bin" / program).exists()
    options = parse(words)
    scaled = manifests()["ScaledObject"]["spec"]
    [trigger] = scaled["triggers"]
    assert trigger["metadata"]["consumerGroup"] == options.group
    assert trigger["metadata"]["topic"] == options.source.name
    assert trigger["metadata"]["bootstrapServers"] == options.source.hosts
    assert scaled["scaleTargetRef"]["name"] == manifests()["Deployment"]["metadata"]["name"]
    assert "replicas" not in manifests()["Deployment"]["spec"]


def test_its_settings_are_read_and_its_stop_is_in_time() -> None:
    """Every name is a worker's setting, and what is written lies in a volume."""
    data = manifests()["ConfigMap"]["data"]
    assert {name.lower() for name in data} <= set(StreamSettings.model_fields)
    settings = StreamSettings.from_env(data)
    [mount] = container()["volumeMounts"]
    for path in (settings.registry_cache, settings.stream_state):
        assert str(path).startswith(f"{mount['mountPath']}/")
    assert pod()["terminationGracePeriodSeconds"] > settings.graceful_timeout
    [port] = container()["ports"]
    assert port["containerPort"] == settings.port


def test_its_pod_has_no_rights() -> None:
    """The strictest of the pod security standards; the user is the image's."""
    assert pod()["automountServiceAccountToken"] is False
    assert pod()["securityContext"]["runAsNonRoot"] is True
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert f"USER {pod()['securityContext']['runAsUser']}:" in dockerfile


def test_compose_starts_a_bounded_worker() -> None:
    """Its words and settings are a worker's; Redis publishes no port."""
    program, *words = COMPOSE["stream"]["command"]
    assert (ROOT / "streaming" / "bin" / program).exists()
    assert parse(words).source.hosts == "redis:6379"
    given = COMPOSE["stream"]["environment"]
    assert {name.lower() for name in given} <= set(StreamSettings.model_fields)
    for service in COMPOSE.values():
        assert {"cpus", "mem_limit", "pids_limit", "restart"} <= set(service)
        assert service["read_only"] is True
        assert "ports" not in service


@pytest.mark.slow
def test_docker_compose_reads_both_files() -> None:
    """Together, as the comment at its top has it."""
    files = [word for name in ("compose.yaml", "compose.stream.yaml")
             for word in ("-f", str(DEPLOY / name))]  # fmt: skip
    done = subprocess.run(
        [installed("docker-compose"), *files, "config", "--services"],
        env={"PATH": "/usr/bin:/bin", "MLFLOW_DB_PASSWORD": "word"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {"service", "stream", "redis"} <= set(done.stdout.split())


@pytest.mark.slow
def test_each_alert_fires_where_it_should() -> None:
    """None of them does over a healthy worker."""
    installed("prometheus")
    done = subprocess.run(
        ["promtool", "test", "rules", "stream_alerts_test.yml"], cwd=DEPLOY / "prometheus",
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    tried = yaml.safe_load((DEPLOY / "prometheus" / "stream_alerts_test.yml").read_text())["tests"]
    names = [rule["alert"] for rule in ALERTS]
    assert [test["name"] for test in tried] == [*names, "a healthy worker"]


def test_each_alert_says_what_to_do() -> None:
    """Its runbook is a chapter of the documentation."""
    page = (ROOT / "docs" / "streaming.md").read_text()
    for rule in ALERTS:
        assert rule["annotations"]["runbook"] == f"docs/streaming.md#{rule['alert'].lower()}"
        assert f"### {rule['alert']}\n" in page


def test_alerts_and_dashboard_ask_for_series_that_there_are() -> None:
    """A misspelt one would never fire, and show nothing."""
    families = list(Meter().collect())
    there = {found.name + ("_total" if found.type == "counter" else "") for found in families}
    there |= {f"{found.name}_bucket" for found in families if found.type == "histogram"}
    dashboard = json.loads((DEPLOY / "grafana" / "stream.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked += [rule["expr"] for rule in ALERTS]
    assert set(re.findall(r"stream_[a-z_]+", " ".join(asked))) <= there
