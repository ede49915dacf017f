"""deploy/compose.yaml: read by docker-compose, held against the service, and started as far as the
images that are here go."""

from __future__ import annotations

import os
import re
import subprocess
import uuid
from pathlib import Path

import pytest
import requests
import yaml
from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import OperationalError

from deploy.environment import Container, problems
from serving.settings import Settings
from tests.support import ROOT, installed, wait_for

FILE = ROOT / "deploy" / "compose.yaml"
COMPOSE = yaml.safe_load(FILE.read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
PASSWORD = {"MLFLOW_DB_PASSWORD": "a long/word@with:marks"}

every_service = pytest.mark.parametrize("name", SERVICES)


def composed(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run docker-compose, Docker's predecessor of its plugin, over the file."""
    program = installed("docker-compose")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "PYTHON"))}
    return subprocess.run(
        [program, "-f", str(FILE), *words],
        env=clean | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.slow
def test_docker_compose_reads_it() -> None:
    """The older of both programs takes it, and sees every service."""
    done = composed("config", **PASSWORD)
    assert done.returncode == 0, done.stderr
    found = yaml.safe_load(done.stdout)
    assert set(found["services"]) == {"service", "mlflow", "database", "prometheus"}
    services = {name: found["services"][name]["environment"] for name in ("mlflow", "database")}
    assert services["mlflow"]["PGPASSWORD"] == PASSWORD["MLFLOW_DB_PASSWORD"]
    assert services["database"]["POSTGRES_PASSWORD"] == PASSWORD["MLFLOW_DB_PASSWORD"]


@pytest.mark.slow
def test_mlflow_has_the_driver_of_its_database() -> None:
    """The address asks for the driver that MLflow's image installs, which reads the password."""
    given = SERVICES["mlflow"]["environment"]
    address = make_url(given["MLFLOW_BACKEND_STORE_URI"])
    assert address.host in SERVICES
    driver = address.get_dialect().import_dbapi().__name__
    dockerfile = (ROOT / SERVICES["mlflow"]["build"]["dockerfile"]).read_text(encoding="utf-8")
    assert f"'^{driver}-binary=='" in dockerfile
    assert "PGPASSWORD" in given
    with pytest.raises(OperationalError, match="could not translate host name|connection"):
        create_engine(address).connect()


@pytest.mark.slow
def test_without_a_password_it_says_what_to_do() -> None:
    """No default that everybody knows."""
    done = composed("config")
    assert done.returncode != 0
    assert "set MLFLOW_DB_PASSWORD" in done.stderr


@every_service
def test_a_service_is_for_this_machine_alone(name: str) -> None:
    """Published ports are those of the loopback address."""
    for port in SERVICES[name].get("ports", ()):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)


@every_service
def test_a_service_is_bounded_and_watched(name: str) -> None:
    """Memory, CPU and processes have limits; a file system that is read only, a health check."""
    service = SERVICES[name]
    assert {"cpus", "mem_limit", "pids_limit", "restart"} <= set(service)
    assert service["read_only"] is True
    assert service["security_opt"] == ["no-new-privileges:true"]
    if name == "service":
        assert "HEALTHCHECK" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    else:
        assert {"test", "interval", "timeout", "retries"} <= set(service["healthcheck"])
    for other, how in service.get("depends_on", {}).items():
        assert other in SERVICES
        assert how == {"condition": "service_healthy"}


def test_the_service_is_set_by_its_own_settings(models_dir: Path) -> None:
    """It starts with the variables of the file, at the port that is published, and a stop is in
    time."""
    service = SERVICES["service"]
    [published] = service["ports"]
    container = Container(
        port=int(published.rpartition(":")[2]),
        stop_s=int(service["stop_grace_period"].removesuffix("s")),
        writable=tuple(mount.partition(":")[0] for mount in service["tmpfs"]),
    )
    assert problems(service["environment"], container, models_dir) == []
    known = Settings.from_env(service["environment"])
    assert known.mlflow_tracking_uri == "http://mlflow:5000"
    assert known.model_fallback == "image"
    assert published == f"127.0.0.1:{known.port}:{known.port}"


def test_volumes_and_files_are_there() -> None:
    """What is mounted is declared, or lies beside the file."""
    named = set()
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            if source.startswith("."):
                assert (FILE.parent / source).exists()
            else:
                named.add(source)
    assert named == set(COMPOSE["volumes"])
    assert (ROOT / SERVICES["mlflow"]["build"]["dockerfile"]).exists()


def test_mlflows_image_is_made_of_the_lock() -> None:
    """Base image and pipenv are those of the service's Dockerfile."""
    ours, theirs = (
        set(re.findall(r"^ARG (PYTHON_IMAGE|PIPENV_VERSION)=(\S+)$", path.read_text(), flags=re.M))
        for path in (ROOT / "Dockerfile", ROOT / SERVICES["mlflow"]["build"]["dockerfile"])
    )
    assert len(ours) == 2
    assert ours == theirs


def test_prometheus_asks_the_service() -> None:
    """The targets are services of the file, with their ports."""
    scraped = yaml.safe_load((FILE.parent / "prometheus" / "compose.yml").read_text())
    jobs = {
        job["job_name"]: job["static_configs"][0]["targets"]
        for job in scraped["scrape_configs"]
        if "static_configs" in job
    }
    assert jobs["prediction-service"] == [f"service:{Settings().port}"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")  # at its import
def test_mlflow_answers_by_the_name_that_the_service_asks() -> None:
    """Its command line has every option of the file, and takes the host names but no others."""
    from mlflow.cli import cli
    from mlflow.server.security_utils import is_allowed_host_header

    program, command, *words = SERVICES["mlflow"]["command"]
    assert (program, command) == ("mlflow", "server")
    given = dict(word.split("=", 1) for word in words)
    assert set(given) <= {name for option in cli.commands["server"].params for name in option.opts}
    allowed = given["--allowed-hosts"].split(",")
    asked = SERVICES["service"]["environment"]["MLFLOW_TRACKING_URI"].removeprefix("http://")
    hosts = (asked, "localhost:5000", "127.0.0.1:5000", "elsewhere.example")
    assert [is_allowed_host_header(allowed, host) for host in hosts] == [True, True, True, False]


@pytest.mark.slow
@pytest.mark.container
def test_the_service_runs_as_the_file_says(bundled_image: str, tmp_path: Path) -> None:
    """With its limits and without its neighbours it serves the image's models, on loopback."""
    composed("version")  # skips where it is not there
    service = {k: v for k, v in SERVICES["service"].items() if k not in ("build", "depends_on")}
    service |= {"image": bundled_image, "ports": ["127.0.0.1::9696"], "restart": "no"}
    # nobody is called mlflow here: the start need not wait long to know
    service["environment"] = {**service["environment"], "REGISTRY_START_SECONDS": "1"}
    alone = tmp_path / "compose.yaml"
    alone.write_text(yaml.safe_dump({"version": "3.8", "services": {"service": service}}))
    project = f"test{uuid.uuid4().hex[:12]}"
    words = ["docker-compose", "-p", project, "-f", str(alone)]

    def run(*more: str) -> str:
        done = subprocess.run([*words, *more], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    try:
        run("up", "-d")
        url = f"http://{run('port', 'service', '9696')}"
        assert url.startswith("http://127.0.0.1:")
        wait_for(lambda: _answers(f"{url}/health/ready"), "the service to be ready", 60)
        shown = requests.get(f"{url}/models", timeout=30).json()
        example = requests.get(f"{url}/models/{shown['default']}", timeout=30).json()["example"]
        assert requests.post(f"{url}/predict", json=example, timeout=30).status_code == 200
    finally:
        run("down", "-v", "--timeout", "10")


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False
