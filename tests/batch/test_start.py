"""What a run does before its first row: as little as can be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.batch.support import scored, write_rides
from tests.support import ROOT


@pytest.mark.slow
def test_a_run_imports_nothing_that_it_does_not_need(tmp_path: Path, models_dir: Path) -> None:
    """pandas, the registry's client, metrics and the bar take longer to import than all the rest:
    each of them ends the process here."""
    for name in ("pandas", "requests", "prometheus_client", "tqdm", "pyspark", "sklearn"):
        (tmp_path / "off" / name).mkdir(parents=True)
        line = f"raise SystemExit('{name} was imported')"
        (tmp_path / "off" / name / "__init__.py").write_text(line)
    write_rides(tmp_path / "a.parquet", 2000)
    paths = [str(tmp_path / "off"), str(ROOT), str(ROOT / "web-service")]
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "batch", "ride", "a.parquet", "--output", "out"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "MODELS_DIR": str(models_dir)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "importlib.metadata" not in done.stderr  # which pydantic would look for plugins with
    assert len(scored(tmp_path / "out")) == 2000
