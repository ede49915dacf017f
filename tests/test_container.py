"""The image that ships: built from a clean tree by a Docker engine, run as its users run it.

The tests share one image and, where they only ask, one container. Under xdist each worker asks for
the image by a tag of its own, one after the other: all but the first find every step in the cache.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import itertools
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
import tomllib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from packaging.markers import Marker

from deploy.supplychain.sbom import document, problem_of
from scoring.models import discover
from scoring.settings import Settings
from tests.support import ROOT, post, wait_for, write_artifact

pytestmark = [pytest.mark.slow, pytest.mark.container]

MODELS = discover()
PORT = Settings().port
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
LARGEST = 230_000_000  # bytes over the base image
STOP_S = 10  # what `docker stop` grants


def docker(*words: str, timeout_s: float = 60) -> str:
    """Gives what `docker WORDS` prints; fails the test with its complaint where it fails."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=timeout_s)
    if done.returncode:
        pytest.fail(f"docker {' '.join(words)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout.strip()


@dataclass(frozen=True)
class Container:
    """A container of ours, running or ended."""

    id: str

    def url(self) -> str:
        """Gives where the service is to be found; raises LookupError once the container ended."""
        ports = json.loads(docker("inspect", "-f", "{{json .NetworkSettings.Ports}}", self.id))
        return f"http://127.0.0.1:{ports[f'{PORT}/tcp'][0]['HostPort']}"

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(docker("inspect", "-f", "{{json .State}}", self.id))
        return found

    def logs(self) -> str:
        words = ["docker", "logs", self.id]
        both = subprocess.run(
            words, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60
        )
        return both.stdout.decode()

    def python(self, code: str) -> Any:
        """Gives the value that `code`, run in the container, prints as JSON."""
        return json.loads(docker("exec", self.id, "python", "-c", code))

    def served(self) -> dict[str, str]:
        """Gives the digest of each model that is served, in order."""
        models = requests.get(f"{self.url()}/models", timeout=30).json()["models"]
        return {model["name"]: model["digest"] for model in models}


@contextlib.contextmanager
def started(image: str, *options: str, command: tuple[str, ...] = ()) -> Iterator[Container]:
    """Runs `image` with `options`, a free port of this machine published, until the block ends."""
    words = ("run", "-d", "-p", f"127.0.0.1::{PORT}", *options, image, *command)
    container = Container(docker(*words))
    try:
        yield container
    finally:
        docker("rm", "-f", "-v", container.id)


@contextlib.contextmanager
def answering(image: str, *options: str) -> Iterator[Container]:
    """Runs `image` as `started` does, and waits until it answers."""

    def there() -> bool:
        if not container.state()["Running"]:
            pytest.fail(f"the container ended: {container.logs()}")
        with contextlib.suppress(requests.RequestException, LookupError):
            return requests.get(f"{container.url()}/ping", timeout=5).text == "PONG"
        return False

    with started(image, *options) as container:
        wait_for(there, "the container to answer", timeout_s=60)
        yield container


def need_engine() -> None:
    """Skips the tests where no Docker engine answers; in CI they fail instead."""
    try:
        words = ["docker", "version", "--format", "{{.Server.Version}}"]
        subprocess.run(words, capture_output=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        reason = f"no Docker engine answers: {error}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Lets one process at a time into the block."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # closing the file gives it back
        yield


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Builds an image from a folder and gives its tag; all of them are removed in the end."""
    need_engine()
    base = tmp_path_factory.getbasetemp()
    lock = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "docker-build.lock"
    tags: list[str] = []
    steps: set[str] = set()

    def made(folder: Path, *options: str) -> str:
        tag = f"prediction-service-test:{uuid.uuid4().hex}"
        with alone(lock):
            told = docker("build", "-t", tag, *options, str(folder), timeout_s=1200)
        tags.append(tag)
        if (folder / "models").exists():
            # Without BuildKit every step leaves an image without a name. Those of the clean tree
            # are the next build's cache; models that are made for one test are of no more use.
            steps.update(re.findall(r"^ ---> ([0-9a-f]{12})$", told, re.MULTILINE))
        return tag

    yield made
    with alone(lock):
        for tag in tags:
            docker("rmi", "-f", tag)
        for step in steps & set(docker("images", "-q", "-f", "dangling=true").split()):
            docker("rmi", step)


def clean_tree(folder: Path) -> Path:
    """Copies what git tracks, or would, to `folder`: no local model, cache or secret is in it."""
    words = ["git", "-C", str(ROOT), "ls-files", "-z", "-co", "--exclude-standard"]
    listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    for name in listed.rstrip("\0").split("\0"):
        if (ROOT / name).is_file():  # a deleted one is listed until it is committed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def image(build: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image as a fresh clone builds it, which trains its models on the bundled sample."""
    return build(clean_tree(tmp_path_factory.mktemp("context")), "--build-arg", "REVISION=c0ffee")


@pytest.fixture(scope="session")
def running(image: str) -> Iterator[Container]:
    """A container as `docker run -p 9696:9696` starts it, shared by the tests that only ask."""
    with answering(image) as container:
        yield container


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
    """Asserts that `name` answers the example that it shows at /models."""
    example = requests.get(f"{container.url()}/models/{name}", timeout=30).json()["example"]
    response = post(f"{container.url()}/predict/{name}", example)
    assert response.status_code == 200
    assert set(response.json()) - {"unseen"} == {*MODELS[name].answer(0.5, 0.5), "model_version"}


# What it serves


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


# What was built


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


def test_the_image_adds_little_to_its_base(image: str) -> None:
    """All layers over the base image hold at most 230 MB, unpacked."""

    def size(name: str) -> int:
        rows = docker("history", "--human=false", "--format", "{{.Size}}", name)
        return sum(int(row) for row in rows.splitlines())

    [base] = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", DOCKERFILE, re.MULTILINE)
    if not docker("images", "-q", base):  # BuildKit keeps what it pulls to itself
        docker("pull", "-q", base, timeout_s=600)
    assert 0 < size(image) - size(base) <= LARGEST


def test_the_packages_are_the_locks_default_group(running: Container) -> None:
    """Each package of the default group is installed in the version of the lock, and no other but
    the HTTP parser, which is a group of its own for machines without a compiler."""
    lock = json.loads((ROOT / "Pipfile.lock").read_text(encoding="utf-8"))
    locked = lock["default"] | lock["fast"]
    wanted = {
        name: entry["version"].removeprefix("==")
        for name, entry in locked.items()
        if "markers" not in entry or Marker(entry["markers"]).evaluate()
    }
    found = running.python(
        "import json, importlib.metadata as m;"
        "print(json.dumps({d.name.lower().replace('_', '-').replace('.', '-'): d.version"
        " for d in m.distributions(path=['/opt/venv/lib/python%d.%d/site-packages' %"
        " __import__('sys').version_info[:2]])}))"
    )
    assert found == wanted


def test_the_bill_of_materials_is_of_what_the_image_holds(image: str) -> None:
    """It lists Python, the locked packages and Debian's, and none that it was built without."""
    text, summary = document(image)
    assert problem_of(text) is None
    assert image in summary
    found = {part["purl"]: part for part in json.loads(text)["components"]}
    names = {purl.partition("@")[0] for purl in found}
    assert {"pkg:generic/python", "pkg:pypi/flask", "pkg:deb/debian/libc6"} <= names
    assert "pkg:pypi/boto3" not in names
    assert {part["scope"] for part in found.values()} == {"required"}


@pytest.mark.parametrize("package", ["pandas", "mlflow", "pyarrow", "xgboost", "pytest", "pipenv"])
def test_a_package_that_does_not_serve_cannot_be_imported(running: Container, package: str) -> None:
    """Nothing of the training, the tests or the build is in the image, whichever its folder."""
    code = f"import json, importlib.util as u; print(json.dumps(u.find_spec('{package}') is None))"
    assert running.python(code) is True


@pytest.mark.parametrize("program", ["gcc", "cc", "g++", "make", "git", "pipenv"])
def test_no_build_tool_is_installed(running: Container, program: str) -> None:
    """Neither a compiler nor a version control system is on the path."""
    code = f"import json, shutil; print(json.dumps(shutil.which('{program}')))"
    assert running.python(code) is None


def test_neither_training_code_nor_tests_nor_data_are_inside(running: Container) -> None:
    """Over the base there is no folder of tests, no training, no sample, no header, no stub."""
    found = running.python(
        "import json, os; print(json.dumps([os.path.join(at, name)"
        " for top in ('/app', '/opt', '/build', '/home', '/root', '/srv', '/tmp')"
        " for at, folders, files in os.walk(top)"
        " for name in folders + files"
        " if name in ('tests', 'training', 'train.py', '.git')"
        " or name.endswith(('.parquet', '.whl', '.pyi', '.pxd', '.h'))]))"
    )
    assert found == []


def test_a_start_compiles_nothing_but_our_own_code(image: str) -> None:
    """The bytecode of all that is imported is in the image and fits; ours may be mounted over."""
    words = ["docker", "run", "--rm", "-e", "PYTHONVERBOSE=1", image]
    words += ["gunicorn", "--check-config", "-c", "/app/web-service/gunicorn.conf.py"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120)
    compiled = set(re.findall(r"^# code object from (/.*\.py)$", done.stderr, re.MULTILINE))
    assert "/app/web-service/predict.py" in compiled
    assert [path for path in compiled if not path.startswith("/app/")] == []


def test_the_labels_say_what_it_is(image: str) -> None:
    """Title, description, licence, version and the revision that the build was told."""
    labels = json.loads(docker("inspect", "-f", "{{json .Config.Labels}}", image))
    project = tomllib.loads((ROOT / "web-service/pyproject.toml").read_text(encoding="utf-8"))
    at = "org.opencontainers.image."
    assert labels[f"{at}title"] == project["project"]["name"]
    assert labels[f"{at}description"]
    assert labels[f"{at}licenses"] == "Apache-2.0"
    assert labels[f"{at}version"] == project["project"]["version"]
    assert labels[f"{at}revision"] == "c0ffee"


# How it runs


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
        assert set(answer.json()["predictions"][0]) - {"unseen"} == {*model.answer(0.5, 0.5)}
        shown = requests.get(f"{url}/models/{default}", timeout=30).json()
        assert shown["digest"] == digest_of(other_models, default)


def test_the_health_check_is_left_as_the_image_says(running: Container) -> None:
    """With the image's own intervals a container is healthy before half a minute is over."""
    wait_for(lambda: health(running) == "healthy", "the container to be healthy", timeout_s=30)


@dataclass
class Caller:
    """Posts records over a keep-alive connection, and the next one, until nobody listens."""

    address: tuple[str, int]
    body: bytes
    answered: int = 0
    # of each request without an answer: its number on the connection, when it was sent, and why
    failed: list[tuple[int, float, Exception]] = field(default_factory=list)

    def run(self) -> None:
        with contextlib.suppress(ConnectionRefusedError):
            while len(self.failed) < 1000:  # a port that Docker still holds accepts and resets
                self._connection()

    def _connection(self) -> None:
        with contextlib.closing(http.client.HTTPConnection(*self.address, timeout=30)) as caller:
            caller.connect()
            kind = {"Content-Type": "application/json"}
            for number in itertools.count(1):
                sent = time.monotonic()
                try:
                    caller.request("POST", "/predict", self.body, kind)
                    response = caller.getresponse()
                    json.loads(response.read())
                except (OSError, http.client.HTTPException) as error:
                    self.failed.append((number, sent, error))
                    return
                assert response.status == 200
                self.answered += 1
                if response.will_close:
                    return


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
        """Sends the body and gives the answer."""
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
    body = json.dumps([dict(default.example)] * 50).encode()
    with answering(image) as container:
        host, port = container.url().removeprefix("http://").split(":")
        callers = [Caller((host, int(port)), body) for _ in range(4)]
        threads = [threading.Thread(target=caller.run, daemon=True) for caller in callers]
        for thread in threads:
            thread.start()
        wait_for(lambda: all(caller.answered > 10 for caller in callers), "the load to be steady")
        taken = [Halfway((host, int(port)), body) for _ in range(3)]

        began = time.monotonic()
        with subprocess.Popen(["docker", "stop", "-t", str(STOP_S), container.id]) as stop:
            wait_for(lambda: "Handling signal: term" in container.logs(), "the signal to arrive")
            answers = [request.finish() for request in taken]
        took = time.monotonic() - began
        for thread in threads:
            thread.join(30)

        assert stop.returncode == 0
        assert took < STOP_S
        assert container.state()["ExitCode"] == 0
        assert [len(answer["predictions"]) for answer in answers] == [50] * len(taken)
        failed = [failure for caller in callers for failure in caller.failed]
        # only a connection that is made after the signal may find nobody: Docker's port takes it
        assert [error for number, sent, error in failed if number > 1 or sent < began] == []


# What the files say


def test_the_one_exposed_port_is_written_out_and_the_services(image: str) -> None:
    """Elastic Beanstalk reads EXPOSE from the file: one line, one number, gunicorn's port."""
    exposed = re.findall(r"^EXPOSE\b(.*)$", DOCKERFILE, re.MULTILINE | re.IGNORECASE)
    assert exposed == [f" {PORT}"]
    ports = json.loads(docker("inspect", "-f", "{{json .Config.ExposedPorts}}", image))
    assert list(ports) == [f"{PORT}/tcp"]


def test_the_build_uses_the_versions_of_the_project() -> None:
    """Python is the Pipfile's and pipenv the Makefile's; no package index is named anywhere."""
    pipfile = tomllib.loads((ROOT / "Pipfile").read_text(encoding="utf-8"))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    [pipenv] = re.findall(r"^PIPENV_VERSION := (\S+)$", makefile, re.MULTILINE)
    assert f"ARG PYTHON_IMAGE=python:{pipfile['requires']['python_version']}-slim-" in DOCKERFILE
    assert f"ARG PIPENV_VERSION={pipenv}\n" in DOCKERFILE
    assert not re.search(r"https?://|pypi|index-url", DOCKERFILE, re.IGNORECASE)
