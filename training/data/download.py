"""Downloads published files into a folder, each of them whole or not at all.

    in the folder and whole? -> done, without a network
       | no
    lock -> GET (Range, If-Range) -> <name>.part -> readable? -> checksum -> rename -> <name>

pooch compares checksums, tries again and renames. The transfer itself is home-made, because pooch
starts each try at the first byte: `_Transfer` goes on where an earlier one broke off, also one of a
process that was killed. It keeps the bytes in `<name>.part` and the server's validator for them in
`<name>.part.etag`. `<name>.lock` is empty and stays.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import requests
from tqdm import tqdm

from training.data.publishers import Published
from training.errors import DownloadError

_CHUNK_BYTES = 16 * 1024  # small: a transfer that breaks off loses what it had of its chunk
_NOT_PUBLISHED = {403, 404, 410}  # the TLC's server answers 403 for a month that is not there
_PASSING = {408, 416, 429}  # worth another try, as is every 5xx


@dataclass(frozen=True)
class Patience:
    """How long to wait for the server, in seconds, and how often to try."""

    connect_s: float = 10.0
    read_s: float = 30.0
    tries: int = 4  # pooch waits one second before the second, two before the third, ...


def fetch(
    files: Mapping[str, Published],
    folder: Path,
    *,
    progress: bool | None = None,
    patience: Patience = Patience(),
) -> list[Path]:
    """Download what `folder` lacks of `files`, and return their paths in the same order.

    `progress` shows a bar for each transfer; None shows it where stderr is a terminal. A file whose
    checksum differs from the known one is downloaded anew; so is one without a known checksum that
    cannot be read. Raises DownloadError, and leaves what is in the folder as it was.
    """
    return [
        _fetch(folder / name, file, _Transfer(folder / name, progress, patience))
        for name, file in files.items()
    ]


def _fetch(target: Path, file: Published, transfer: _Transfer) -> Path:
    import pooch  # here: only what downloads needs it

    try:
        if not _is_whole(target, file.sha256):
            target.parent.mkdir(parents=True, exist_ok=True)
            with _alone(target):
                # Asked again: whoever had the lock may have brought it.
                if not _is_whole(target, file.sha256):
                    if file.sha256 is None:  # pooch would take any file for the right one
                        target.unlink(missing_ok=True)
                    store = pooch.Pooch(
                        path=target.parent,
                        base_url="",
                        registry={target.name: file.sha256},
                        urls={target.name: file.url},
                        retry_if_failed=transfer.patience.tries - 1,
                    )
                    store.fetch(target.name, downloader=transfer)
    except requests.RequestException as error:  # before OSError, which it is one of
        raise DownloadError(f"{target.name}: {_reason(error)}. {transfer.kept()}") from error
    except ValueError as error:  # pooch's, of a checksum; ours, of a file that cannot be read
        raise DownloadError(
            f"{target.name}: {error} If {file.url} was published anew, download it yourself and "
            "name the file with --data."
        ) from error
    except OSError as error:
        raise DownloadError(
            f"{target} cannot be written: {error.strerror or error}. {transfer.kept()}; free some "
            "room or name another folder"
        ) from error
    return target


class _Transfer:
    """Downloads one file for pooch, from where an earlier transfer of the same file ended."""

    def __init__(self, target: Path, progress: bool | None, patience: Patience) -> None:
        self.patience = patience
        self._progress = progress
        self._name = target.name
        self._title = target.stem
        self._part = target.with_name(f"{target.name}.part")
        self._etag = target.with_name(f"{target.name}.part.etag")

    def __call__(self, url: str, output_file: str, _pooch: object) -> None:
        """Receive the whole file as `output_file`.

        Raises RequestException or ValueError, after which pooch tries again, or DownloadError,
        after which it does not.
        """
        headers = {"Accept-Encoding": "identity", "User-Agent": "prediction-service"}
        known = self._etag.read_text("latin-1") if self._etag.exists() else ""
        offset = _size(self._part) if known.isprintable() and known else 0
        if offset:
            headers |= {"Range": f"bytes={offset}-", "If-Range": known}
        timeout = (self.patience.connect_s, self.patience.read_s)
        with requests.get(url, headers=headers, stream=True, timeout=timeout) as answer:
            self._refuse(answer, offset, known)
            self._receive(answer, offset if answer.status_code == 206 else 0)
        if damage := _damage(self._part, self._name):
            self._forget()
            raise ValueError(f"what arrived cannot be read ({damage}).")
        self._part.replace(output_file)
        self._etag.unlink(missing_ok=True)

    def kept(self) -> str:
        """Return a sentence on what the next call starts from."""
        if (size := _size(self._part)) and _size(self._etag):
            return f"{tqdm.format_sizeof(size, 'B')} are kept: the same command goes on from there"
        return "The same command tries again"

    def _refuse(self, answer: requests.Response, offset: int, known: str) -> None:
        status = answer.status_code
        page = answer.headers.get("Content-Type", "").startswith("text/html")
        if status in _NOT_PUBLISHED or (status == 200 and page):
            what = "with a web page" if page else f"HTTP {status}"
            raise DownloadError(
                f"{self._title} is not published: {answer.url} answered {what}. Months appear "
                "about two months late; ask for an earlier one. If it should be there, is a proxy "
                "in the way?"
            )
        begins = answer.headers.get("Content-Range", "").startswith(f"bytes {offset}-")
        if status == 416 or (
            status == 206 and not (begins and validator_of(answer) in {known, ""})
        ):
            self._forget()
            raise requests.ConnectionError("the server's file is not the one begun earlier")
        if status >= 500 or status in _PASSING:
            raise requests.ConnectionError(f"the server answered HTTP {status}")
        if status not in {200, 206}:
            raise DownloadError(f"{answer.url} answered HTTP {status}: check the address")
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise DownloadError(f"{answer.url} came compressed, unasked: is a proxy in between?")

    def _receive(self, answer: requests.Response, start: int) -> None:
        length = answer.headers.get("Content-Length", "")
        bar = tqdm(
            desc=self._title,
            initial=start,
            total=start + int(length) if length.isdecimal() else None,
            unit="B",
            unit_scale=True,
            disable=None if self._progress is None else not self._progress,
        )
        with bar, self._part.open("ab" if start else "wb") as part:
            if not start:
                # Only now that the part is empty: no validator may stand next to older bytes.
                self._etag.write_text(validator_of(answer), "latin-1")
            for chunk in answer.iter_content(_CHUNK_BYTES):
                part.write(chunk)
                bar.update(len(chunk))
            part.flush()
            os.fsync(part)  # the name must not reach the disk before the bytes

    def _forget(self) -> None:
        self._part.unlink(missing_ok=True)
        self._etag.unlink(missing_ok=True)


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Wait until no other process downloads `target`."""
    # Nobody removes the lock's file: two processes could then lock two files of this name.
    with target.with_name(f"{target.name}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"another process downloads {target.name}; waiting for it", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield  # the kernel releases the lock with the open file, however this process ends


def _is_whole(path: Path, sha256: str | None) -> bool:
    import pooch  # here: only what downloads needs it

    if not path.exists():
        return False
    if sha256:
        return bool(pooch.file_hash(str(path)) == sha256)
    return not _damage(path, path.name)


def _damage(path: Path, name: str) -> str:
    """Return why a Parquet file cannot be read; "" if it can, or the name is another format's."""
    if not name.endswith(".parquet"):
        return ""
    try:
        # every page, not only the footer: a power cut can leave holes in a file of full length
        with pq.ParquetFile(path) as table:
            for _ in table.iter_batches():
                pass
    except (pa.ArrowException, OSError) as error:
        if getattr(error, "errno", None):  # the system's trouble; Arrow's own has no number
            raise
        return str(error).partition("\n")[0]
    return ""


def validator_of(answer: requests.Response) -> str:
    """Return what If-Range may carry: a strong ETag, else the date of the last change, else ""."""
    etag = answer.headers.get("ETag", "W/")
    return answer.headers.get("Last-Modified", "") if etag.startswith("W/") else etag


def _reason(error: requests.RequestException) -> str:
    """Return the cause, without the layers that urllib3 and requests wrap around it."""
    cause = error.args[0] if error.args else error
    cause = getattr(cause, "reason", cause)
    if isinstance(error, requests.Timeout) or "Read timed out" in str(cause):
        return "the server did not answer in time"
    return str(cause.args[0] if isinstance(cause, Exception) and cause.args else cause)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
