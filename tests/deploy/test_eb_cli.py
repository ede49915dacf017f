"""What `eb` itself makes of our files, by its own code, offline."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from deploy.bundle.build import build, included
from tests.support import ROOT, skip_or_fail
from tests.support.containers import alone

pytestmark = pytest.mark.slow

GUIDE = ROOT / "docs" / "elastic-beanstalk.md"

# run by the interpreter that has awsebcli, in the folder of a project
ASK = """
import json, sys, zipfile
from ebcli.core import fileoperations
from ebcli.containers import dockerrun
asked = sys.argv[1]
if asked == "zip":
    fileoperations.zip_up_project(sys.argv[2], fileoperations.get_ebignore_list())
    print(json.dumps(None))
elif asked == "artifact":
    print(json.dumps(fileoperations.get_config_setting("deploy", "artifact")))
else:
    found = dockerrun.get_dockerrun("Dockerrun.aws.json")
    dockerrun.validate_dockerrun_v1(found, True)
    print(json.dumps([dockerrun.get_base_img(found), dockerrun.get_exposed_port(found)]))
"""


@pytest.fixture(scope="session")
def interpreter() -> Path:
    """A Python that has awsebcli, whose packages and ours do not go together: made once."""
    with alone(Path(sys.prefix) / "eb.lock"):
        words = ["make", "--no-print-directory", ".venv-eb/.ready"]
        made = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if made.returncode:
        skip_or_fail(f"awsebcli cannot be installed: {made.stderr[-500:]}")
    return ROOT / ".venv-eb" / "bin" / "python"


def ask(interpreter: Path, folder: Path, *words: str) -> Any:
    """Return what `eb`'s code says in `folder`."""
    done = subprocess.run(
        [interpreter, "-c", ASK, *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def project(folder: Path) -> Path:
    """Make `folder` one of `eb`'s, with the guide's lines in its settings."""
    [lines] = re.findall(r"^```yaml\n(deploy:.*?)^```", GUIDE.read_text(), flags=re.M | re.S)
    (folder / ".elasticbeanstalk").mkdir()
    (folder / ".elasticbeanstalk" / "config.yml").write_text(f"global:\n  sc: git\n{lines}")
    return folder


def test_eb_zips_what_we_do(interpreter: Path, tree: Path, tmp_path: Path) -> None:
    """Of the whole tree, .ebignore leaves `eb` the files that it leaves us."""
    folder = project(shutil.copytree(tree, tmp_path / "tree"))
    (folder / ".env").write_text("SECRET=1")
    ask(interpreter, folder, "zip", str(tmp_path / "eb.zip"))
    with zipfile.ZipFile(tmp_path / "eb.zip") as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    assert names == set(included(folder))


def test_eb_deploys_our_bundle(interpreter: Path, tmp_path: Path) -> None:
    """By the setting that the guide shows, `eb deploy` sends what make eb-bundle made."""
    found = ask(interpreter, project(tmp_path), "artifact")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert found == "dist/prediction-service-eb.zip"
    assert found in makefile


def test_eb_reads_our_dockerrun(interpreter: Path, tree: Path, tmp_path: Path) -> None:
    """It is one of version 1, with the image and the port."""
    name = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/predictions:1.0.0"
    build(tmp_path / "bundle.zip", root=tree, image=name)
    folder = tmp_path / "unzipped"
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        archive.extractall(folder)
    assert ask(interpreter, project(folder), "dockerrun") == [name, 9696]
