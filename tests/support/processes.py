"""Waiting for a condition, and what /proc says about processes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def wait_for(condition: Callable[[], Any], what: str, timeout_s: float = 90) -> Any:
    """Return the first true value of `condition`; fail the test, naming `what`, after the time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    pytest.fail(f"waited {timeout_s} s for {what}")


def is_running(pid: int) -> bool:
    """Whether a process exists and has not ended, also where nobody has reaped it yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def children(pid: int) -> set[int]:
    """Return the processes that `pid` started, from any of its threads, and that still run."""
    listed = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # a thread may end meanwhile
            listed += file.read_text().split()
    return {int(child) for child in listed if is_running(int(child))}


def command_lines(pid: int) -> dict[int, str]:
    """Return the command line of every process below `pid`, whole: `ps` would cut it."""
    found: dict[int, str] = {}
    waiting = [pid]
    while waiting:
        for child in children(waiting.pop()):
            with contextlib.suppress(OSError):  # it may end meanwhile
                words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
                found[child] = b" ".join(words).decode().strip()
                waiting.append(child)
    return {child: words for child, words in found.items() if words}  # one that ended has none
