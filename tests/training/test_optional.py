"""What training does where MLflow, matplotlib, XGBoost and ONNX are not installed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from tests.support import ROOT, environment
from tests.support.groups import OF_RUN, alone
from training.errors import TrainingError
from training.optional import needed_by

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a command with the packages of `make run` alone, whose models are in `models`."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "packages").mkdir()
    python, variables = alone(folder / "packages", *OF_RUN)
    variables["MODELS_DIR"] = str(folder / "models")

    def runs(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*python, *words], cwd=folder, env=environment(**variables),
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    done = runs(str(ROOT / "train.py"), "--all", "--missing")
    assert done.returncode == 0, done.stderr
    assert "no plots are drawn: matplotlib is not installed; make setup" in done.stdout
    return runs


@pytest.mark.slow
def test_what_make_run_installs_trains_and_serves(run: Run) -> None:
    """Both models on the sample, without a plot; the service answers with them."""
    code = (
        "from scoring.models import discover; from serving.app import create_app; "
        "client = create_app().test_client(); "
        "print(*(client.post(f'/predict/{model.name}', json=dict(model.example)).status_code "
        "for model in discover().values()))"
    )
    done = run("-c", code)
    assert done.stdout.split() == ["200", "200"], done.stderr


@pytest.mark.slow
def test_commands_that_need_none_of_them_run(run: Run) -> None:
    """An export to C, and the help of what does need one."""
    done = run("-m", "training.export", "ride", "--to", "c")
    assert done.returncode == 0, done.stderr
    for words in (["-m", "training.registry"], ["-m", "training.adopt"], ["-m", "pipeline"]):
        done = run(*words, "--help")
        assert done.returncode == 0, done.stderr


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([str(ROOT / "train.py"), "ride", "--register"], "train.py: --register needs mlflow"),
        ([str(ROOT / "train.py"), "ride", "--track"], "train.py: --track needs mlflow"),
        (
            [str(ROOT / "train.py"), "ride", "--estimator", "xgboost"],
            "train.py: --estimator xgboost needs xgboost",
        ),
        (
            ["-m", "training.registry", "list", "ride"],
            "training.registry: the registry needs mlflow",
        ),
        (
            ["-m", "training.export", "ride", "--to", "onnx"],
            "training.export: the format onnx needs onnx",
        ),
        (
            ["-m", "training.adopt", "ride", "ride.onnx"],
            "training.adopt: an ONNX file needs onnx",
        ),
    ],
)
def test_what_needs_one_of_them_says_how_to_have_it(run: Run, words: list[str], line: str) -> None:
    """One line, status 1, before any work."""
    done = run(*words)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"{line}, which is not installed: make setup installs it"]


def test_another_package_is_no_choice_of_ours() -> None:
    """A package that no group leaves out is a broken environment: its own error says so."""
    with pytest.raises(ModuleNotFoundError, match="pandaz"), needed_by("a table"):
        import pandaz  # type: ignore[import-not-found]  # noqa: F401
    with pytest.raises(TrainingError, match="a step needs mlflow, which"), needed_by("a step"):
        raise ModuleNotFoundError("no module", name="mlflow.tracking")
