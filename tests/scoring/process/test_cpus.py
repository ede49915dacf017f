"""How many CPUs a container may use."""

from __future__ import annotations

from pathlib import Path

import pytest

from scoring.process import cpus


@pytest.fixture(autouse=True)
def _eight_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: set(range(8)), raising=False)


@pytest.mark.parametrize(
    ("limit", "count"),
    [
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("1000 100000", 1),
        ("800000 100000\n", 8),
        ("6400000 100000", 8),
        ("max 100000", 8),
        ("100000 0", 8),
        ("0 100000", 1),
        ("-1 100000", 8),
        ("many some", 8),
        ("", 8),
        ("100000", 8),
        ("1 2 3", 8),
    ],
)
def test_the_quota_of_version_2_is_rounded_up(tmp_path: Path, limit: str, count: int) -> None:
    """The file `cpu.max` holds quota and period; without a quota, all CPUs count."""
    (tmp_path / "cpu.max").write_text(limit)
    assert cpus.available(tmp_path) == count


@pytest.mark.parametrize(
    ("quota", "period", "count"),
    [
        ("300000\n", "100000\n", 3),
        ("50000", "100000", 1),
        ("-1", "100000", 8),
        ("100000", "0", 8),
        ("x", "100000", 8),
        ("100000", "x", 8),
    ],
)
def test_the_quota_of_version_1_is_read(
    tmp_path: Path, quota: str, period: str, count: int
) -> None:
    """Older systems hold the two numbers in two files; -1 is no quota."""
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text(period)
    assert cpus.available(tmp_path) == count


def test_version_2_goes_before_version_1(tmp_path: Path) -> None:
    """Where both are mounted, version 2 is the one that counts."""
    (tmp_path / "cpu.max").write_text("200000 100000")
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("500000")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert cpus.available(tmp_path) == 2


def test_without_a_quota_there_are_all(tmp_path: Path) -> None:
    """No cgroup, half a cgroup, a folder in a file's place: the affinity alone counts."""
    assert cpus.available(tmp_path) == 8
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("100000")
    assert cpus.available(tmp_path) == 8
    (tmp_path / "cpu.max").mkdir()
    assert cpus.available(tmp_path) == 8


@pytest.mark.parametrize(("machine", "count"), [(3, 3), (None, 1)])
def test_without_an_affinity_the_machine_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: int | None, count: int
) -> None:
    """Systems such as macOS have none."""
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: machine)
    assert cpus.available(tmp_path) == count


def test_this_machine_has_at_least_one() -> None:
    """The real place of the cgroup tells a number, whatever the machine."""
    assert 1 <= cpus.available() <= 8
