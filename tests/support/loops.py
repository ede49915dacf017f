"""Coroutines in tests of one thread."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns. It runs in a thread of its own: once a test has used a
    browser, Playwright keeps a loop running in the main one, where asyncio.run would refuse."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
