"""The bundle: what is in it, and that it is the same bytes every time."""

from __future__ import annotations

import json
import shutil
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.bundle.__main__ import main
from deploy.bundle.build import POLICIES, PORT, BundleError, build, included
from deploy.bundle.verify import problems
from scoring.models import discover
from tests.support import write_artifact

pytestmark = pytest.mark.slow


def read(bundle: Path, name: str) -> str:
    with zipfile.ZipFile(bundle) as archive:
        return archive.read(name).decode()


def test_a_bundle_has_nothing_wrong(bundle: Path) -> None:
    """What is built passes every check."""
    assert problems(bundle) == []


def test_the_same_files_make_the_same_bytes(bundle: Path, tree: Path, tmp_path: Path) -> None:
    """Another folder, other times and another order of making them change nothing."""
    copy = tmp_path / "copy"
    shutil.copytree(tree, copy, copy_function=shutil.copy)  # with the times of now
    build(tmp_path / "again.zip", root=copy)
    assert (tmp_path / "again.zip").read_bytes() == bundle.read_bytes()


def test_it_holds_what_an_instance_builds_of_and_nothing_else(bundle: Path) -> None:
    """The models are in it; tests, documents, the compose file and local leftovers are not."""
    with zipfile.ZipFile(bundle) as archive:
        names = archive.namelist()
    assert names == sorted(names)
    top = {name.split("/")[0] for name in names}
    assert top == {
        ".dockerignore", ".ebextensions", ".platform", "Dockerfile", "Pipfile", "Pipfile.lock",
        "models", "train.py", "training", "web-service",
    }  # fmt: skip
    for name, model in discover().items():
        assert {f"models/{name}/manifest.json", f"models/{name}/{model.artifact_file}"} <= {*names}


def test_ebignore_decides(tree: Path, tmp_path: Path) -> None:
    """Leftovers of development stay out, below folders that are let in as well."""
    copy = shutil.copytree(tree, tmp_path / "copy")
    before = included(copy)
    for name in (".env", "training/__pycache__/x.pyc", "models/.ride.tmp/x", ".venv/bin/python",
                 "web-service/x.egg-info/PKG-INFO", "deploy/compose.yaml"):  # fmt: skip
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text("x")
    assert included(copy) == before
    (copy / "training" / "another.py").write_text("")
    assert set(included(copy)) - set(before) == {"training/another.py"}


def test_modes_are_kept(bundle: Path) -> None:
    """Hooks and `serve` are executable, the rest is not."""
    with zipfile.ZipFile(bundle) as archive:
        modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
    assert {stat.filemode(mode) for mode in modes.values()} == {"-rw-r--r--", "-rwxr-xr-x"}
    runs = {name for name, mode in modes.items() if mode & stat.S_IXUSR}
    assert runs == {name for name in modes if name.endswith(".sh")} | {"web-service/bin/serve"}


@pytest.mark.parametrize("policy", POLICIES)
def test_the_policy_is_chosen(tree: Path, tmp_path: Path, policy: str) -> None:
    """EB_POLICY names how a new version replaces the old one; each passes the checks."""
    target = tmp_path / "bundle.zip"
    build(target, root=tree, policy=policy)
    assert problems(target) == []
    chosen = yaml.safe_load(read(target, ".ebextensions/10-deployment.config"))["option_settings"]
    assert chosen["aws:elasticbeanstalk:command"]["DeploymentPolicy"] == policy


def test_an_image_of_a_registry_takes_the_place_of_the_code(tree: Path, tmp_path: Path) -> None:
    """EB_IMAGE makes a Dockerrun of version 1, which needs no models."""
    target = tmp_path / "bundle.zip"
    shutil.copytree(tree / "deploy", tmp_path / "tree" / "deploy")
    names = build(target, root=tmp_path / "tree", image="registry.example/predictions:1.4.2")
    assert problems(target) == []
    assert all(name.startswith((".ebextensions/", ".platform/", "Dockerrun")) for name in names)
    told = json.loads(read(target, "Dockerrun.aws.json"))
    assert told["AWSEBDockerrunVersion"] == "1"
    assert told["Image"]["Name"] == "registry.example/predictions:1.4.2"
    assert told["Ports"] == [{"ContainerPort": PORT}]


def test_settings_and_secrets_reach_the_service(tree: Path, tmp_path: Path) -> None:
    """EB_SETTINGS are written out, of EB_SECRETS only where they are kept."""
    arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mlflow-AbCdEf:password::"
    given: dict[str, Any] = {
        "settings": "MLFLOW_TRACKING_URI=https://mlflow.example "
        'MLFLOW_TRACKING_USERNAME=eb TEAM=rides,"taxis"',
        "secrets": f"MLFLOW_TRACKING_PASSWORD={arn}",
    }
    target = tmp_path / "bundle.zip"
    build(target, root=tree, **given)
    assert problems(target) == []
    found = yaml.safe_load(read(target, ".ebextensions/50-environment.config"))["option_settings"]
    environment = found["aws:elasticbeanstalk:application:environment"]
    assert environment["MLFLOW_TRACKING_URI"] == "https://mlflow.example"
    assert environment["TEAM"] == 'rides,"taxis"'
    secrets = found["aws:elasticbeanstalk:application:environmentsecrets"]
    assert secrets == {"MLFLOW_TRACKING_PASSWORD": arn}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"policy": "Rolling"}, "must be one of RollingWithAdditionalBatch"),
        ({"settings": "LOG_LEVEL"}, "EB_SETTINGS: 'LOG_LEVEL'"),
        ({"secrets": "MLFLOW_TRACKING_PASSWORD=hunter2"}, "EB_SECRETS: 'MLFLOW_TRACKING_PASSWORD'"),
    ],
    ids=["policy", "settings", "secrets"],
)
def test_what_cannot_be_understood_makes_no_bundle(
    tree: Path, tmp_path: Path, given: dict[str, Any], says: str
) -> None:
    """One line that says which word and what it should be; never the secret; no file is left."""
    with pytest.raises(BundleError, match=says) as refused:
        build(tmp_path / "bundle.zip", root=tree, **given)
    assert "hunter2" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_model_without_an_artifact_is_left_out(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither its code nor its folder is in the bundle, which starts with the others; a line says
    so, and which command makes it."""
    copy = shutil.copytree(tree, tmp_path / "copy")
    (copy / "models" / "churn" / "manifest.json").unlink()
    target = tmp_path / "bundle.zip"
    words = ["build", "--bundle", str(target), "--models-dir", str(copy / "models")]
    assert main(words) == 0
    told = capsys.readouterr()
    assert "there is no model 'churn', which is left out; `python train.py churn" in told.out
    assert "checks passed" in told.out
    with zipfile.ZipFile(target) as archive:
        names = set(archive.namelist())
    assert not [name for name in names if name.startswith("models/churn")]
    assert "web-service/scoring/models/churn.py" not in names
    assert {f"web-service/scoring/models/{name}.py" for name in ("ride", "__init__")} <= names
    assert "models/ride/manifest.json" in names


def test_a_model_that_is_named_must_be_there(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """MODELS says which ones the bundle holds; one without an artifact makes none, and no more
    does a folder without any, as each instance would train its own."""
    copy = shutil.copytree(tree, tmp_path / "copy")
    shutil.rmtree(copy / "models" / "churn")
    target = tmp_path / "bundle.zip"
    with pytest.raises(BundleError, match=r"models/churn.*python train\.py churn"):
        build(target, root=copy, models=["ride", "churn"])
    with pytest.raises(BundleError, match="MODELS names 'rides', which is not a model; "):
        build(target, root=copy, models=["rides"])
    shutil.rmtree(copy / "models")
    with pytest.raises(BundleError, match="no model in 'models/"):
        build(target, root=copy)
    monkeypatch.setenv("MODELS", "churn")
    monkeypatch.setenv("MODELS_DIR", str(tree / "models"))
    assert main(["build", "--bundle", str(target)]) == 0
    assert "left out" not in capsys.readouterr().out
    with zipfile.ZipFile(target) as archive:
        assert not [name for name in archive.namelist() if name.startswith("models/ride")]


def test_settings_name_only_models_of_the_bundle(tree: Path, tmp_path: Path) -> None:
    """EB_SETTINGS with a model that was left out would stop every instance's start."""
    copy = shutil.copytree(tree, tmp_path / "copy")
    shutil.rmtree(copy / "models" / "churn")
    build(tmp_path / "bundle.zip", root=copy, settings="MODELS=ride,churn")
    [problem] = problems(tmp_path / "bundle.zip")
    assert "MODELS names 'churn', which is not a model; there are: ride" in problem.what


def test_the_models_of_another_folder_are_packed(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make eb-bundle MODELS_DIR=elsewhere` packs those and none of `models/`."""
    elsewhere = tmp_path / "elsewhere"
    for model in discover().values():
        write_artifact(model, elsewhere, notes=["another one"])
    (elsewhere / ".half-written").mkdir()
    (elsewhere / ".half-written" / "x").touch()
    target = tmp_path / "bundle.zip"
    names = build(target, root=tree, models_dir=elsewhere)
    assert problems(target) == []
    for name in discover():
        packed = json.loads(read(target, f"models/{name}/manifest.json"))
        assert packed["notes"] == ["another one"]
    assert not any("half-written" in name for name in names)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODELS_DIR", "elsewhere")
    assert main(["build", "--bundle", "again.zip"]) == 0
    assert json.loads(read(Path("again.zip"), f"models/{name}/manifest.json")) == packed
    monkeypatch.setenv("MODELS_DIR", "nowhere")
    assert main(["build", "--bundle", "third.zip"]) == 1
    assert not Path("third.zip").exists()


def test_an_old_bundle_survives_a_failure(tree: Path, tmp_path: Path) -> None:
    """A bundle is written aside and then takes its place, whole or not at all."""
    target = tmp_path / "bundle.zip"
    target.write_bytes(b"the old one")
    copy = shutil.copytree(tree, tmp_path / "copy")
    (copy / "training" / "gone.py").symlink_to(copy / "nowhere")
    with pytest.raises(OSError, match="nowhere|gone.py"):
        build(target, root=copy)
    assert target.read_bytes() == b"the old one"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["bundle.zip"]


def test_the_commands_say_what_they_did(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 and the number of checks, or 1 and what is wrong with how to mend it."""
    assert main(["verify", "--bundle", str(bundle)]) == 0
    assert "checks passed" in capsys.readouterr().out
    target = tmp_path / "bundle.zip"
    assert main(["build", "--bundle", str(target), "--image", "registry.example/it:latest"]) == 1
    told = capsys.readouterr()
    assert str(target) in told.out
    assert "image name: registry.example/it:latest" in told.err
    assert "by a tag of its own" in told.err
    assert main(["rehearse", "--bundle", str(tmp_path / "none.zip")]) == 1
    assert "make eb-bundle" in capsys.readouterr().err
    assert main(["build", "--bundle", str(target), "--policy", "Sudden"]) == 1
    assert "EB_POLICY=Sudden" in capsys.readouterr().err
