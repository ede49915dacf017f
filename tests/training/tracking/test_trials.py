"""The trials of a search are runs within the run of their training."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scoring.registry.mlflow_server import QUIET
from tests.training.support import CHURN, data_of, silent
from training.search.settings import Settings

# MLflow and what it uses warn of many things at their import
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.long
@pytest.mark.usefixtures("one_thread")
def test_a_search_is_one_run_with_its_trials_as_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with its parameters and metric, or why it failed; the journal is with the parent."""
    for name, value in QUIET.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.chdir(tmp_path)
    import mlflow

    from training.tracking.runs import train_tracked

    options = silent(
        CHURN, data_of(CHURN, tmp_path), tmp_path / "models", estimator="logistic",
        search=Settings(trials=4, space=("C=0.5,-1.0",)),
    )  # fmt: skip
    train_tracked(options, register=False)
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("churn")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    [parent] = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = sorted((run for run in runs if run is not parent),
                      key=lambda run: int(run.data.tags["trial"]))  # fmt: skip
    assert [run.data.tags["mlflow.parentRunId"] for run in children] == [parent.info.run_id] * 4
    assert parent.data.tags["search"].startswith("search: ")
    assert [run.data.tags["winner"] for run in children].count("true") == 1
    done = [run for run in children if run.info.status == "FINISHED"]
    failed = [run for run in children if run.info.status == "FAILED"]
    assert {"folds_auc", "bytes", "seconds"} <= done[0].data.metrics.keys()
    assert done[0].data.params == {"estimator": "logistic"}
    assert all(run.data.params["C"] == "-1.0" for run in failed)
    assert all("The 'C' parameter" in run.data.tags["why"] for run in failed)
    assert len(done) + len(failed) == 4
    files = {file.path for file in client.list_artifacts(parent.info.run_id, "search")}
    assert files == {"search/journal.log"}
    plots = {file.path for file in client.list_artifacts(parent.info.run_id, "plots")}
    assert "plots/search_history.png" in plots
