"""Jobs as the driver prepares them, and a Python that has nothing an executor must not need."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

from batch.columns.score import TableScorer
from batch.inputs.files import find
from batch.job import Account, Job
from batch.options import parse
from batch.outputs.staging import Staging
from batch.settings import BatchSettings
from batch.spark.executor import Payload
from batch.spark.units import units
from scoring.models import discover
from scoring.predictor import Predictor

# what an executor has, beside Spark's own and the standard library
NEEDED = ("pyarrow", "numpy", "pydantic", "pydantic_core", "annotated_types", "typing_extensions",
          "typing_inspection", "orjson", "msgspec", "scoring", "batch")  # fmt: skip

# as sitecustomize.py: whatever is installed, other packages are not found
BLOCK = f"""
import importlib.machinery, sys
class Block:
    def find_spec(self, name, path=None, target=None):
        first = name.partition(".")[0]
        if first in {NEEDED!r} or first in ("pyspark", "py4j") or first in sys.stdlib_module_names:
            return None
        found = importlib.machinery.PathFinder.find_spec(name, path)
        if found and "site-packages" in str(found.origin):
            raise ModuleNotFoundError(f"No module named {{name!r}} on an executor", name=name)
sys.meta_path.insert(0, Block())
"""


def bare_python(folder: Path, python: str | Path) -> Path:
    """Write a program to `folder` that is `python` without the packages that an executor need not
    have, and return its path."""
    (folder / "block").mkdir(parents=True)
    (folder / "block" / "sitecustomize.py").write_text(BLOCK)
    program = folder / "python"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{folder}/block:$PYTHONPATH" exec "{python}" "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def prepared(models_dir: Path, *words: str, **settings: str) -> tuple[Job, Payload]:
    """Return a begun run of the words' and what its executors are sent."""
    options = parse([*words, "--engine", "spark"])
    folder = models_dir / options.model
    predictor = Predictor.from_folder(folder, discover()[options.model])
    staging = Staging(options.output)
    given = BatchSettings.from_env({**os.environ, **settings})
    sources = find(options.inputs)
    job = Job(options, given, sources, staging, TableScorer(predictor), {"name": options.model},
              folder=folder)  # fmt: skip
    staging.begin(job.plan())
    account = Account(job, threading.Event())
    return job, Payload.of(job, account, units(job, account))
