"""Rows for what works with an artifact beside its training."""

from __future__ import annotations

import subprocess
import sys

from tests.support import ROOT

_CODE = """
import sys
from monitoring import compare, windows
from training import rows
print(sorted({"scipy", "sklearn", "mlflow"} & sys.modules.keys()))
"""


def test_to_read_and_to_compare_them_takes_no_scikit_learn() -> None:
    """It takes a second to import, which the pipeline spends while its training is at work."""
    folders = f"{ROOT}:{ROOT / 'web-service'}"
    done = subprocess.run(
        [sys.executable, "-c", _CODE], env={"PYTHONPATH": folders}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout == "[]\n"
