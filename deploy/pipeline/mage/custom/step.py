"""A block of Mage: one step of `python -m pipeline run`, the one that the block is named after.

Where nothing is new, the first block says so and the others do nothing. A refusal fails its block,
with the reasons.
"""

import json
import shlex
import subprocess
from typing import Any

if "custom" not in globals():
    from mage_ai.data_preparation.decorators import custom


class RefusedError(Exception):
    """A step looked and said no."""


@custom
def step(*before: dict[str, str], **given: Any) -> dict[str, str]:
    """Do one step in a process of its own and return its state and what it said."""
    if before and before[0]["state"] in ("nothing", "busy"):
        return before[0]
    command = [f"{given['home']}/.venv/bin/python", "-m", "pipeline", "run", given["model"]]
    command += ["--until", given["block_uuid"], "--json", *shlex.split(given["words"])]
    done = subprocess.run(command, cwd=given["home"], capture_output=True, text=True, check=False)
    print(done.stderr, flush=True)
    last = done.stderr.strip().rpartition("\n")[2].removeprefix("pipeline: ")
    if done.returncode in (2, 3):
        raise RefusedError(f"{'refused' if done.returncode == 3 else 'wrong usage'}: {last}")
    if done.returncode:
        raise RuntimeError(f"failed: {last}")
    told: dict[str, str] = json.loads(done.stdout)
    print(told["said"])
    return told
