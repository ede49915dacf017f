"""The built image: what is in it, and what is not."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib

import pytest
from packaging.markers import Marker

from deploy.supplychain.sbom import document, problem_of
from scoring import __version__
from tests.support import ROOT
from tests.support.containers import PORT, Container, docker

pytestmark = [pytest.mark.slow, pytest.mark.container]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
LARGEST = 230_000_000  # bytes over the base image


def test_the_image_adds_little_to_its_base(image: str) -> None:
    """All layers over the base image hold at most 230 MB, unpacked."""

    def size(name: str) -> int:
        rows = docker("history", "--human=false", "--format", "{{.Size}}", name)
        return sum(int(row) for row in rows.splitlines())

    [base] = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", DOCKERFILE, re.MULTILINE)
    if not docker("images", "-q", base):  # BuildKit keeps what it pulls to itself
        docker("pull", "-q", base, timeout_s=600)
    assert 0 < size(image) - size(base) <= LARGEST


def test_the_packages_are_those_of_the_lock(running: Container) -> None:
    """What serves, the HTTP parser, and what scores through scikit-learn are installed in the
    versions of the lock, and no other package is."""
    lock = json.loads((ROOT / "Pipfile.lock").read_text(encoding="utf-8"))
    locked = lock["default"] | lock["fast"] | lock["sklearn"]
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


@pytest.mark.long
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
    assert labels[f"{at}version"] == __version__
    assert labels[f"{at}revision"] == "c0ffee"


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
