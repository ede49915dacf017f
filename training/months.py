"""The published months as files on this machine, for what trains on a schedule."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from training.data.download import fetch
from training.data.publishers import TLC, default_folder, months


def fetched(names: Sequence[str], mirror: str | None = None) -> list[Path]:
    """Return the files of these months ("2021-01"), in order, in the folder of the published data,
    downloaded from the publisher or a `mirror` where they are not there. Raises DownloadError."""
    return fetch(months(names, mirror or TLC), default_folder())
