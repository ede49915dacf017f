"""The published months as files on this machine, for what trains on a schedule."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import requests

from training.data.download import Patience, fetch, validator_of
from training.data.publishers import TLC, Published, default_folder, months

_log = logging.getLogger(__name__)


def fetched(names: Sequence[str], mirror: str | None = None) -> list[Path]:
    """Return the files of these months ("2021-01"), in order, in the folder of the published data,
    downloaded from the publisher or a `mirror` where they are not there. Raises DownloadError."""
    return fetch(months(names, mirror or TLC), default_folder())


def asked_again(
    names: Sequence[str], known: Mapping[str, str], mirror: str | None = None
) -> dict[str, str]:
    """Ask the publisher whether these months, which are here, are still what is published; those
    that are not are downloaded anew and take the place of what was here.

    `known` are the publisher's marks of the files as they were, by their names, and what is
    returned are those of now. A file whose mark is not known is compared by its length. Months
    whose checksum this project knows are never others. Where the publisher does not answer, a
    warning says so and what is here stays. Raises DownloadError for a download that fails.
    """
    found = {}
    for name, file in months(names, mirror or TLC).items():
        path = default_folder() / name
        if file.sha256 is not None:
            continue
        mark, length = _published(file)
        before = known.get(path.name, "")
        same = before == mark if before else path.stat().st_size == length
        if mark and not same:
            _replace(name, file, path)
        found[path.name] = mark or before
    return found


def _published(file: Published) -> tuple[str, int | None]:
    """Return the publisher's mark of a file and its length; "" and None where he gives none."""
    patience = Patience()
    try:
        answer = requests.head(
            file.url, timeout=(patience.connect_s, patience.read_s),
            headers={"Accept-Encoding": "identity", "User-Agent": "prediction-service"},
        )  # fmt: skip
    except requests.RequestException as error:
        _log.warning("%s does not answer: %s", file.url, type(error).__name__)
        return "", None
    if answer.status_code != 200:  # taken back, or asked too often: what is here stays
        return "", None
    length = answer.headers.get("Content-Length", "")
    return validator_of(answer), int(length) if length.isdecimal() else None


def _replace(name: str, file: Published, path: Path) -> None:
    """Download into a folder aside, so that a transfer that breaks off leaves what was here."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".again-") as aside:
        [new] = fetch({name: file}, Path(aside))
        new.replace(path)
