"""A Dagster job: each step of `python -m pipeline run` is an op. `dagster dev -f dagster_job.py`

Where nothing is new, the ops after the first are skipped. A refusal fails its op at once, with the
reasons; any other failure is tried again. The model, the checkout's folder and more words
(`--data`, `--config`, `--runs`) are the config of the resource `pipeline`.
"""

import json
import subprocess
from collections.abc import Iterator

import dagster as dg
from pydantic import Field

STEPS = ("ingest", "check", "train", "gate", "register", "promote")


class Pipeline(dg.ConfigurableResource):
    """What is run, and where."""

    model: str = "ride"
    home: str = "/opt/prediction-service"
    words: list[str] = Field(default=[])
    retry_seconds: int = 60


def step(name: str) -> dg.OpDefinition:
    """Return the op that does one step in a process of its own."""
    before = {} if name == STEPS[0] else {"before": dg.In(dg.Nothing)}
    after = {"done": dg.Out(dg.Nothing, is_required=False)}

    @dg.op(name=name, ins=before, out=after)
    def op(context: dg.OpExecutionContext, pipeline: Pipeline) -> Iterator[dg.Output[None]]:
        command = [f"{pipeline.home}/.venv/bin/python", "-m", "pipeline", "run", pipeline.model]
        command += ["--until", name, "--json", *pipeline.words]
        home = pipeline.home
        done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
        context.log.info(done.stderr)
        last = done.stderr.strip().rpartition("\n")[2].removeprefix("pipeline: ")
        if done.returncode in (2, 3):
            raise dg.Failure(f"{'refused' if done.returncode == 3 else 'wrong usage'}: {last}")
        if done.returncode:
            failed = dg.Failure(f"failed: {last}")
            raise dg.RetryRequested(2, seconds_to_wait=pipeline.retry_seconds) from failed
        told = json.loads(done.stdout)
        context.log.info(told["said"])
        if told["state"] not in ("nothing", "busy"):
            yield dg.Output(None, "done")

    return op


@dg.job(resource_defs={"pipeline": Pipeline()})
def retrain() -> None:
    """Carry new data to a model that serves."""
    before = step(STEPS[0])()
    for name in STEPS[1:]:
        before = step(name)(before)


daily = dg.ScheduleDefinition(
    job=retrain, cron_schedule="30 5 * * *", execution_timezone="America/New_York"
)
