"""What stays in `runs/MODEL/steps/`: the steps of the last runs, and of those that wait."""

from __future__ import annotations

import shutil
from pathlib import Path

from pipeline.records import WAITING, Runs


def clean(runs: Runs, number: int) -> None:
    """Remove the folders of steps that none of the last `number` runs did or found; 0 keeps all. To
    be called with the lock held. A step that is asked for again is done again."""
    records = runs.all()
    if not number or len(records) <= number:
        return
    of = [*records[-number:], *(one for one in records if one["state"] == WAITING)]
    kept = {Path(step["folder"]).name for record in of for step in record["steps"]}
    for folder in runs.steps.iterdir():
        if folder.name not in kept:
            shutil.rmtree(folder, ignore_errors=True)
