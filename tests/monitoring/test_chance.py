"""Probabilities as scipy.stats has them, without scipy."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from monitoring import chance
from tests.monitoring.support import lines, rides, write


def test_they_are_those_of_scipy_stats() -> None:
    """In the middle and far out, with fractions of a degree of freedom."""
    for z in (0.0, 1.3, 6.0, 30.0):
        assert chance.normal_above(z) == pytest.approx(stats.norm.sf(z), rel=1e-12)
    for freedom in (0.4, 1, 2.7, 9, 140.5, 4800):
        for times in (0, 0.3, 0.99, 1, 1.02, 1.5, 4, 40):
            expected = stats.chi2.sf(times * freedom, freedom)
            found = chance.chi_squared_above(times * freedom, freedom)
            assert found == pytest.approx(expected, rel=1e-9, abs=1e-290)
        for p in (0.9, 0.05, 0.001, 1e-9):
            expected = stats.chi2.isf(p, freedom)
            assert chance.chi_squared_at(p, freedom) == pytest.approx(expected, rel=1e-10)
    for some, of, a, b in ((1, 50, 1, 60_000), (7, 300, 3, 1000), (40, 1000, 12, 500),
                           (900, 10**6, 600, 10**6)):  # fmt: skip
        expected = stats.betabinom.sf(some - 1, of, a, b)
        assert chance.beta_binomial_from(some, of, a, b) == pytest.approx(expected, abs=1e-7)


def test_fishers_test_is_exact() -> None:
    """Of rare and of frequent outcomes, of sides of very different sizes."""
    for a, n, b, m in ((3, 50, 0, 60), (0, 90, 5, 100_000), (58, 60, 60, 60), (4, 9, 5, 9)):
        expected = stats.fisher_exact([[a, n - a], [b, m - b]]).pvalue
        assert chance.fisher_exact(a, n, b, m) == pytest.approx(expected, rel=1e-9)


def test_equal_values_share_a_rank() -> None:
    """The mean of theirs."""
    values = np.array([0.5, 0.1, 0.5, 0.9, 0.1, 0.1])
    assert chance.ranks(values).tolist() == stats.rankdata(values).tolist()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["profile", "report"])
def test_commands_import_nothing_that_they_do_not_use(
    monitoring: Callable[..., Any], tmp_path: Path, command: str
) -> None:
    """What takes longer to import than a day's log to read: a cron job's time."""
    log = write(tmp_path / "a.jsonl", lines(rides(100)))
    monitoring("profile", log)
    words = {"profile": ["profile", str(log), "--store", str(tmp_path / "other.db")],
             "report": ["report", "ride", "--until", "2026-11-03",
                        "--store", str(tmp_path / "monitoring.db")]}[command]  # fmt: skip
    heavy = {"scipy", "prometheus_client", "pandas", "requests", "training", "sklearn", "mlflow"}
    told = subprocess.run(
        [sys.executable, "-c", f"import sys; from monitoring.cli import main; main({words!r}); "
         f"sys.stderr.write(repr(sorted({heavy!r} & set(sys.modules))))"],
        capture_output=True, text=True, check=True, cwd=Path(chance.__file__).parent.parent,
    )  # fmt: skip
    assert told.stdout.startswith({"profile": "100 predictions", "report": "# ride"}[command])
    assert told.stderr == "[]"
