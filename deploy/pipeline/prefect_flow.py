"""A Prefect 3 flow: each step of `python -m pipeline run` is a task; this file started serves it.

Where nothing is new, the run ends as `NothingNew`, which is a success; a refusal as `Refused`,
which is a failure, with the reasons and without another try; any other failure is tried again. The
model, the checkout's folder and more words (`--data`, `--config`, `--runs`) are parameters.
"""

import json
import subprocess
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.states import Completed, Failed, State

STEPS = ("ingest", "check", "train", "gate", "register", "promote")


def _again(_: Any, __: Any, state: State[Any]) -> bool:
    return bool(state.name == "Failed")


@task(retries=2, retry_condition_fn=_again)
def step(name: str, model: str, home: str, words: list[str]) -> State[Any]:
    """Do one step in a process of its own and return how it ended."""
    command = [f"{home}/.venv/bin/python", "-m", "pipeline", "run", model]
    command += ["--until", name, "--json", *words]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    get_run_logger().info(done.stderr)
    last = done.stderr.strip().rpartition("\n")[2].removeprefix("pipeline: ")
    if done.returncode in (2, 3):
        return Failed(name="Refused" if done.returncode == 3 else "WrongUsage", message=last)
    if done.returncode:
        return Failed(message=last)
    told = json.loads(done.stdout)
    nothing = told["state"] in ("nothing", "busy")
    return Completed(name="NothingNew" if nothing else "Completed", message=told["said"])


@flow
def retrain(
    model: str = "ride", home: str = "/opt/prediction-service", words: list[str] | None = None
) -> State[Any]:
    """Carry new data to a model that serves."""
    for name in STEPS:
        state = step.with_options(name=name)(name, model, home, words or [], return_state=True)
        if state.name != "Completed":
            break
    return State(type=state.type, name=state.name, message=state.message)  # the flow's own


if __name__ == "__main__":
    retrain.serve(cron="30 5 * * *")
