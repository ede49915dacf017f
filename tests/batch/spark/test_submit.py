"""The one file for spark-submit."""

from __future__ import annotations

import runpy
import sys

import pytest


def test_its_words_are_a_batchs_with_spark_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    """And its status is that of the run."""
    given: list[list[str]] = []

    def main(words: list[str]) -> int:
        given.append(words)
        return 3

    monkeypatch.setattr("batch.cli.main", main)
    monkeypatch.setattr(sys, "argv", ["submit.py", "ride", "in", "--output", "out"])
    monkeypatch.delitem(sys.modules, "batch.spark.submit", raising=False)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("batch.spark.submit", run_name="__main__")
    assert ended.value.code == 3
    assert given == [["ride", "in", "--output", "out", "--engine", "spark"]]
