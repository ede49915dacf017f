"""The manifests: built by kustomize, held against the API's schemas and against the service."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.environment import Container, problems
from scoring.models import discover
from serving.app import create_app
from serving.settings import Settings
from tests.support import ROOT, skip_or_fail
from tests.support.schemas import json_schema

OVERLAYS = sorted(path.name for path in (ROOT / "deploy" / "kubernetes" / "overlays").iterdir())
# the oldest and the newest of the API's versions that the manifests should be taken by
VERSIONS = ("1.31", "1.37")
SETTINGS = Settings.model_fields

# What the Prometheus operator takes of a ServiceMonitor, as far as we use it.
SERVICE_MONITOR = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "monitoring.coreos.com/v1"},
        "spec": {
            "type": "object",
            "required": ["endpoints", "selector"],
            "additionalProperties": False,
            "properties": {
                "selector": {
                    "type": "object",
                    "required": ["matchLabels"],
                    "properties": {"matchLabels": {"type": "object", "minProperties": 1}},
                },
                "endpoints": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["port"],
                        "additionalProperties": False,
                        "properties": {
                            "port": {"type": "string"},
                            "path": {"type": "string", "pattern": "^/"},
                            "interval": {"type": "string", "pattern": "^[0-9]+(ms|s|m)$"},
                            "scrapeTimeout": {"type": "string", "pattern": "^[0-9]+(ms|s|m)$"},
                        },
                    },
                },
            },
        },
    },
}


def kubectl() -> str:
    """Return the program that builds: the lock's, or this machine's."""
    own = shutil.which("kubectl", path=str(Path(sys.prefix, "bin")))
    return own or shutil.which("kubectl") or skip_or_fail("kubectl is not there: make setup")


@cache
def built(overlay: str) -> dict[str, Any]:
    """Return the manifests of an overlay, by kind."""
    folder = ROOT / "deploy" / "kubernetes" / "overlays" / overlay
    done = subprocess.run(
        [kubectl(), "kustomize", str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # a deprecated field is a warning there
    found = list(yaml.safe_load_all(done.stdout))
    assert len({manifest["kind"] for manifest in found}) == len(found)
    return {manifest["kind"]: manifest for manifest in found}


@pytest.fixture(params=OVERLAYS)
def manifests(request: pytest.FixtureRequest) -> dict[str, Any]:
    return built(request.param)


def container(manifests: dict[str, Any]) -> dict[str, Any]:
    [found] = manifests["Deployment"]["spec"]["template"]["spec"]["containers"]
    return dict(found)


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_the_api_takes_every_manifest(manifests: dict[str, Any], version: str) -> None:
    """Each field is one of that kind, with a value of its type."""
    import kubernetes_validate

    for kind, manifest in manifests.items():
        if kind != "ServiceMonitor":
            kubernetes_validate.validate(manifest, version, strict=True)
    json_schema(SERVICE_MONITOR).validate(manifests["ServiceMonitor"])


@pytest.mark.slow
def test_a_wrong_field_would_be_seen() -> None:
    """The schemas are strict: a misspelt field is refused."""
    import kubernetes_validate

    manifest = json.loads(json.dumps(built("both")["Deployment"]))
    manifest["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, VERSIONS[-1], strict=True)


@pytest.mark.slow
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_serves_its_models(overlay: str, models_dir: Path) -> None:
    """The service starts with the settings, all of which it knows, and serves what is named."""
    manifests = built(overlay)
    data = manifests["ConfigMap"]["data"]
    served = data["MODELS"].split(",")
    assert served == [name for name in discover() if name in served]
    assert overlay == served[0] or len(served) > 1
    assert {name.lower() for name in data} <= set(SETTINGS)
    [port] = container(manifests)["ports"]
    pod = manifests["Deployment"]["spec"]["template"]["spec"]
    waits_s = int(container(manifests)["lifecycle"]["preStop"]["exec"]["command"][1])
    limits = Container(
        port=port["containerPort"],
        stop_s=pod["terminationGracePeriodSeconds"] - waits_s,
        writable=tuple(mount["mountPath"] for mount in container(manifests)["volumeMounts"]),
    )
    assert problems(data, limits, models_dir) == []


def test_the_overlays_do_not_meet() -> None:
    """Both single models can run in one namespace: no name and no selector is the other's."""
    names = [{m["metadata"]["name"] for m in built(o).values()} for o in ("ride", "churn")]
    assert not names[0] & names[1]
    assert pods(built("ride"))["app.kubernetes.io/instance"] == "ride"


def pods(manifests: dict[str, Any]) -> dict[str, str]:
    """Return the labels of the pods."""
    labels: dict[str, str] = manifests["Deployment"]["spec"]["template"]["metadata"]["labels"]
    return labels


def test_every_selector_means_these_pods(manifests: dict[str, Any]) -> None:
    """None is empty, which would mean every pod of the namespace."""
    spec = {kind: manifest.get("spec", {}) for kind, manifest in manifests.items()}
    [spread] = spec["Deployment"]["template"]["spec"]["topologySpreadConstraints"]
    for selector in (
        spec["Deployment"]["selector"]["matchLabels"],
        spec["Service"]["selector"],
        spec["PodDisruptionBudget"]["selector"]["matchLabels"],
        spec["NetworkPolicy"]["podSelector"]["matchLabels"],
        spread["labelSelector"]["matchLabels"],
    ):
        assert selector == pods(manifests)
    # a monitor selects services, by their labels
    service = manifests["Service"]["metadata"]["labels"]
    assert spec["ServiceMonitor"]["selector"]["matchLabels"].items() <= service.items()
    assert len(spec["ServiceMonitor"]["selector"]["matchLabels"]) == 2


def test_everything_that_is_named_is_there(manifests: dict[str, Any]) -> None:
    """The autoscaler's target, the account and the settings have the names of the overlay."""
    name = manifests["Deployment"]["metadata"]["name"]
    assert manifests["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == name
    account = manifests["Deployment"]["spec"]["template"]["spec"]["serviceAccountName"]
    assert account == manifests["ServiceAccount"]["metadata"]["name"]
    [config, secret] = container(manifests)["envFrom"]
    assert config["configMapRef"]["name"] == manifests["ConfigMap"]["metadata"]["name"]
    assert secret["secretRef"]["optional"] is True


def test_ports_and_probes_are_the_services(manifests: dict[str, Any], models_dir: Path) -> None:
    """The port is PORT's default; live and ready are asked where the app answers them."""
    found = container(manifests)
    [port] = found["ports"]
    assert port == {"name": "http", "containerPort": SETTINGS["port"].default}
    paths = {found[f"{which}Probe"]["httpGet"]["path"] for which in ("startup", "readiness")}
    assert paths == {"/health/ready"}
    assert found["livenessProbe"]["httpGet"]["path"] == "/health/live"
    served = {
        rule.rule for rule in create_app(Settings(models_dir=models_dir)).url_map.iter_rules()
    }
    assert paths | {"/health/live"} <= served
    for which in ("startup", "readiness", "liveness"):
        assert found[f"{which}Probe"]["httpGet"]["port"] == port["name"]
    assert manifests["Service"]["spec"]["ports"][0]["targetPort"] == port["name"]


def test_a_pod_has_no_rights_and_writes_memory_alone(manifests: dict[str, Any]) -> None:
    """The strictest of the pod security standards, and a token for nothing."""
    pod = manifests["Deployment"]["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(manifests)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {volume["emptyDir"]["medium"] for volume in pod["volumes"]} == {"Memory"}
    assert {m["mountPath"] for m in container(manifests)["volumeMounts"]} >= {"/tmp"}
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert f"USER {pod['securityContext']['runAsUser']}:" in dockerfile


def test_capacity_never_falls_below_what_is_wanted(manifests: dict[str, Any]) -> None:
    """A rollout and a drain take one pod at a time of two or more; a CPU is one worker's."""
    scaler = manifests["HorizontalPodAutoscaler"]["spec"]
    assert 2 <= scaler["minReplicas"] < scaler["maxReplicas"]
    assert manifests["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1
    assert manifests["Deployment"]["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert "replicas" not in manifests["Deployment"]["spec"]
    resources = container(manifests)["resources"]
    assert resources["requests"] == resources["limits"]
    assert resources["limits"]["cpu"] == "1"
