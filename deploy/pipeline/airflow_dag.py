"""An Airflow 3 DAG, for the `dags` folder: each step of `python -m pipeline run` is a task.

Where nothing is new, the first task is skipped and the others with it. A refusal fails its task at
once, with the reasons; any other failure is tried again. The model is a parameter; Airflow's
variables `prediction_service` (the checkout's folder) and `pipeline_words` (`--data`, `--config`,
`--runs`) say the rest.
"""

import json
import shlex
import subprocess
from typing import Any

from airflow.sdk import Param, Variable, chain, dag, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

STEPS = ("ingest", "check", "train", "gate", "register", "promote")


@task(retries=2)
def step(name: str, params: dict[str, Any] | None = None) -> str:
    """Do one step in a process of its own and return what it said."""
    home = Variable.get("prediction_service", default="/opt/prediction-service")
    words = shlex.split(Variable.get("pipeline_words", default=""))
    command = [f"{home}/.venv/bin/python", "-m", "pipeline", "run", (params or {})["model"]]
    command += ["--until", name, "--json", *words]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    print(done.stderr, flush=True)
    last = done.stderr.strip().rpartition("\n")[2].removeprefix("pipeline: ")
    if done.returncode in (2, 3):
        kind = "refused" if done.returncode == 3 else "wrong usage"
        raise AirflowFailException(f"{kind}: {last}")
    if done.returncode:
        raise RuntimeError(f"failed: {last}")
    told = json.loads(done.stdout)
    if told["state"] in ("nothing", "busy"):
        raise AirflowSkipException(told["said"])
    return str(told["said"])


@dag(schedule="30 5 * * *", catchup=False, max_active_runs=1, params={"model": Param("ride")})
def retrain() -> None:
    """Carry new data to a model that serves."""
    chain(*(step.override(task_id=name)(name) for name in STEPS))


retrain()
