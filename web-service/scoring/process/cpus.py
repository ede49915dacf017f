"""How many CPUs this process may use: a container's quota, not the machine's count."""

from __future__ import annotations

import math
import os
from pathlib import Path


def available(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Return the number of CPUs that the affinity and the cgroup quota leave us, at least 1.

    The quota is that of cgroup version 2 or 1, in microseconds per period; a part of a CPU counts
    as a whole one.
    """
    count = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    quota = _quota(cgroup)
    return max(1, count if quota is None else min(count, math.ceil(quota)))


def _quota(cgroup: Path) -> float | None:
    try:
        limit, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            limit = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    if not limit.isdigit() or not period.isdigit() or int(period) == 0:
        return None  # "max" and -1 mean no quota
    return int(limit) / int(period)
