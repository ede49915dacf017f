"""The built image: which models it serves, and how it starts and stops."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from scoring.models import discover
from tests.load import Fate, Load, Request
from tests.support import clean_tree, post, wait_for, write_artifact
from tests.support.containers import Container, answering, docker, started

pytestmark = [pytest.mark.slow, pytest.mark.container]
MODELS = discover()
STOP_S = 10  # what `docker stop` grants


@pytest.fixture
def other_models(tmp_path: Path) -> Path:
    """A folder with a tiny artifact of every model, for anyone to read."""
    folder = tmp_path / "models"
    for model in MODELS.values():
        write_artifact(model, folder)
    folder.chmod(0o755)
    return folder


def digest_of(folder: Path, name: str) -> str:
    manifest = json.loads((folder / name / "manifest.json").read_text(encoding="utf-8"))
    return f"sha256:{manifest['sha256']}"


def assert_answers(container: Container, name: str) -> None:
    """Assert that `name` answers the example that it shows at /models."""
    example = requests.get(f"{container.url()}/models/{name}", timeout=30).json()["example"]
    response = post(f"{container.url()}/predict/{name}", example)
    assert response.status_code == 200
    assert set(response.json()) - {"unseen", "beyond"} == {
        *MODELS[name].answer(0.5, 0.5),
        "model_version",
    }


@pytest.mark.parametrize("name", MODELS)
def test_a_model_trained_in_the_build_answers_its_example(running: Container, name: str) -> None:
    """The example at GET /models is answered by POST /predict/<model>."""
    assert_answers(running, name)


def test_every_model_is_served_in_its_order(running: Container) -> None:
    """Without MODELS the image serves every file of scoring/models."""
    assert list(running.served()) == list(MODELS)


def test_models_names_the_one_that_is_served(image: str) -> None:
    """`-e MODELS=churn` serves churn as the default and nothing else."""
    with answering(image, "-e", "MODELS=churn") as container:
        assert list(container.served()) == ["churn"]
        answer = post(f"{container.url()}/predict", dict(MODELS["churn"].example))
        assert "churn_probability" in answer.json()
        ride = post(f"{container.url()}/predict/ride", dict(MODELS["ride"].example))
        assert ride.status_code == 404


def test_mounted_models_take_the_place_of_the_builds(
    image: str, running: Container, other_models: Path
) -> None:
    """A folder mounted at /app/models is served, and not what the image holds."""
    with answering(image, "-v", f"{other_models}:/app/models:ro") as container:
        mounted = {name: digest_of(other_models, name) for name in MODELS}
        assert container.served() == mounted
        assert not set(mounted.values()) & set(running.served().values())


def test_a_damaged_mounted_model_ends_the_start_with_one_line(
    image: str, other_models: Path
) -> None:
    """The container exits with an error and says which model, which file and what to run."""
    pickled = other_models / "ride" / MODELS["ride"].artifact_file
    pickled.write_bytes(pickled.read_bytes()[:-1] + b"!")
    with started(image, "-v", f"{other_models}:/app/models:ro") as container:
        wait_for(lambda: not container.state()["Running"], "the container to end")
        assert container.state()["ExitCode"] not in (0, 137)
        [line] = container.logs().splitlines()
        assert "model 'ride'" in line
        assert pickled.name in line
        assert "python train.py ride" in line


@pytest.mark.long
def test_models_of_the_context_are_taken_as_they_are(
    build: Callable[..., str], tmp_path: Path, other_models: Path
) -> None:
    """Models beside the Dockerfile are in the image with the files that serving reads, no more."""
    context = clean_tree(tmp_path / "context")
    (other_models / "ride" / "plot.png").write_bytes(b"a picture")
    (other_models / "ride" / "notes.txt").write_text("for ourselves", encoding="utf-8")
    shutil.copytree(other_models, context / "models")
    shutil.copytree(other_models / "ride", context / "models" / "unknown")
    with answering(build(context)) as container:
        assert container.served() == {name: digest_of(other_models, name) for name in MODELS}
        found = container.python(
            "import json, pathlib; at = pathlib.Path('/app/models');"
            "print(json.dumps([str(p.relative_to(at)) for p in at.rglob('*') if p.is_file()]))"
        )
        assert set(found) == {"ride/plot.png"} | {
            f"{model.name}/{file}"
            for model in MODELS.values()
            for file in (model.artifact_file, "manifest.json", "scorer.json")
        }


@pytest.mark.long
def test_a_build_for_one_model_serves_that_one(
    build: Callable[..., str], tmp_path: Path, other_models: Path
) -> None:
    """`--build-arg MODELS=churn` makes an image that holds churn and serves it by default."""
    context = clean_tree(tmp_path / "context")
    shutil.copytree(other_models, context / "models")
    with answering(build(context, "--build-arg", "MODELS=churn")) as container:
        assert container.served() == {"churn": digest_of(other_models, "churn")}
        found = "import json, os; print(json.dumps(os.listdir('/app/models')))"
        assert container.python(found) == ["churn"]


def test_gunicorn_is_the_first_process_and_not_root(running: Container) -> None:
    """PID 1 gets the signals itself, and its user is the number that USER names."""
    code = "import json; print(json.dumps(open('/proc/1/cmdline').read().split(chr(0))))"
    command = running.python(code)
    assert command[1].endswith("/gunicorn")
    assert running.python("import json, os; print(json.dumps(os.stat('/proc/1').st_uid))") == 10001
    assert docker("inspect", "-f", "{{.Config.User}}", running.id) == "10001:10001"


def test_nothing_that_serves_can_be_changed_by_the_service(running: Container) -> None:
    """No file or folder of the code, the models or the packages is the user's to write."""
    writable = running.python(
        "import json, os; print(json.dumps([os.path.join(at, name)"
        " for top in ('/app', '/opt') for at, folders, files in os.walk(top)"
        " for name in ['.', *folders, *files] if os.access(os.path.join(at, name), os.W_OK)]))"
    )
    assert writable == []


def test_it_serves_read_only_without_capabilities_as_any_user(image: str) -> None:
    """A strict platform's container answers for every model and complains of nothing."""
    strict = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--user", "12345")
    with answering(image, *strict, "--security-opt", "no-new-privileges") as container:
        for name in MODELS:
            assert_answers(container, name)
        assert re.findall(r".* (?:WARNING|ERROR|CRITICAL) .*|Traceback", container.logs()) == []


def test_a_quota_of_one_cpu_gives_one_worker(image: str) -> None:
    """`--cpus 1` runs the first process and a single worker, whatever the machine has."""
    with answering(image, "--cpus", "1") as container:
        assert len(docker("top", container.id).splitlines()[1:]) == 2


def health(container: Container) -> str:
    status: str = container.state()["Health"]["Status"]
    return status


def test_the_health_check_finds_the_service_on_its_port(image: str) -> None:
    """The container turns healthy on another PORT too, and unhealthy once no worker answers."""
    often = ("--health-interval", "1s", "--health-retries", "1", "--health-timeout", "2s")
    with started(image, "-e", "PORT=8000", "-e", "WORKERS=1", *often) as container:
        wait_for(lambda: health(container) == "healthy", "the container to be healthy")
        worker = docker("exec", container.id, "cat", "/proc/1/task/1/children").split()[0]
        container.python(f"import os; os.kill({worker}, 19); print(0)")  # SIGSTOP
        wait_for(lambda: health(container) == "unhealthy", "the container to be unhealthy")


def test_serve_is_what_sagemaker_starts(image: str, other_models: Path) -> None:
    """`docker run IMAGE serve` has gunicorn as the first process, on 8080 and healthy there, and
    answers with the models of the archive that SageMaker unpacks for it."""
    options = ("-p", "127.0.0.1::8080", "-v", f"{other_models}:/opt/ml/model:ro", "--read-only")
    often = ("--tmpfs", "/tmp", "--health-interval", "1s", "-e", "WORKERS=1")
    with started(image, *options, *often, command=("serve",)) as container:
        wait_for(lambda: health(container) == "healthy", "the container to be healthy")
        first = "import json; print(json.dumps(open('/proc/1/cmdline').read()))"
        assert "/gunicorn\x00" in container.python(first)
        ports = json.loads(docker("inspect", "-f", "{{json .NetworkSettings.Ports}}", container.id))
        url = f"http://127.0.0.1:{ports['8080/tcp'][0]['HostPort']}"
        assert requests.get(f"{url}/ping", timeout=30).status_code == 200
        default, model = next(iter(MODELS.items()))
        answer = post(f"{url}/invocations", {"instances": [dict(model.example)]})
        assert set(answer.json()["predictions"][0]) - {"unseen", "beyond"} == {
            *model.answer(0.5, 0.5)
        }
        shown = requests.get(f"{url}/models/{default}", timeout=30).json()
        assert shown["digest"] == digest_of(other_models, default)


def test_the_health_check_is_left_as_the_image_says(running: Container) -> None:
    """With the image's own intervals a container is healthy before half a minute is over."""
    wait_for(lambda: health(running) == "healthy", "the container to be healthy", timeout_s=30)


class Halfway:
    """A request whose head the service has taken: it said so, and waits for the body."""

    def __init__(self, address: tuple[str, int], body: bytes) -> None:
        self.body = body
        self.socket = socket.create_connection(address, timeout=30)
        head = (
            "POST /predict HTTP/1.1",
            "Host: test",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            "Expect: 100-continue",
        )
        self.socket.sendall("\r\n".join((*head, "", "")).encode())
        assert self.socket.recv(1000).startswith(b"HTTP/1.1 100 ")

    def finish(self) -> dict[str, Any]:
        """Send the body and return the answer."""
        with contextlib.closing(self.socket):
            self.socket.sendall(self.body)
            response = http.client.HTTPResponse(self.socket, method="POST")
            with contextlib.closing(response):
                response.begin()
                assert response.status == 200
                answer: dict[str, Any] = json.loads(response.read())
        return answer


def test_a_stop_under_load_answers_what_was_accepted(image: str) -> None:
    """SIGTERM ends the container with 0 in time, every request that it had taken answered whole."""
    default = next(iter(MODELS.values()))
    asked = Request.of("/predict", [dict(default.example)] * 50)
    with answering(image) as container:
        host, port = container.url().removeprefix("http://").split(":")
        address = (host, int(port))
        with Load(address, [asked], until_refused=True) as load:
            wait_for(lambda: load.everybody_has(10), "the load to be steady")
            taken = [Halfway(address, asked.body) for _ in range(3)]
            began = time.monotonic()
            with subprocess.Popen(["docker", "stop", "-t", str(STOP_S), container.id]) as stop:
                wait_for(lambda: "Handling signal: term" in container.logs(), "the signal")
                answers = [request.finish() for request in taken]
            took = time.monotonic() - began
        assert stop.returncode == 0
        assert took < STOP_S
        assert container.state()["ExitCode"] == 0
        assert [len(answer["predictions"]) for answer in answers] == [50] * len(taken)
        assert load.statuses() == {200}
        assert load.failed(Fate.CLOSED, Fate.BROKEN) == []
        # only after the signal may a new connection find nobody: Docker's own port takes it
        assert [f for f in load.failures if f.sent < began] == []
