"""Fetches the published months of green taxi trips into a cache, each of them whole or not at all.

    cached and readable? -> done, no network
       | no
    lock -> GET (Range, If-Range) -> <name>.part -> length -> readable? -> fsync, rename -> <name>

A break leaves `<name>.part` and, in `<name>.part.etag`, the server's validator for those bytes; the
next call goes on from there. `<name>.lock` is empty and stays.
"""

import errno
import fcntl
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import requests
from requests.exceptions import ChunkedEncodingError, SSLError, Timeout
from tqdm import tqdm
from urllib3.exceptions import ReadTimeoutError

TLC_BASE = "https://d37ci6vzurychx.cloudfront.net/trip-data"
FIRST_MONTH = "2013-08"  # green taxis began then
CHUNK_BYTES = 16 * 1024  # small: a read that breaks off loses what it had of its chunk
NOT_PUBLISHED = {403, 404, 410}  # their CDN says 403 for a month that is not there
PASSING = (requests.ConnectionError, Timeout, ChunkedEncodingError)
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # a full disk, a quota, a file-size limit


class DownloadError(Exception):
    """A month could not be fetched; the message says what happened and what to do."""


class _BrokenError(Exception):
    """One try failed in a way in which another may not."""


@dataclass(frozen=True)
class Patience:
    """How long to wait, in seconds, and how many tries in a row may bring nothing new."""

    connect_s: float = 10.0
    read_s: float = 30.0
    tries: int = 4
    backoff_s: float = 1.0  # before the second try; doubles with each one


def month_url(month: str, base: str = TLC_BASE) -> str:
    """The address of a month ("2021-01"); DownloadError if there can be no such file."""
    if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", month):
        raise DownloadError(f"{month!r} is not a month: write it like 2021-01")
    if not FIRST_MONTH <= month <= f"{datetime.now(UTC):%Y-%m}":
        raise DownloadError(
            f"{month}: there are green taxi trips from {FIRST_MONTH} until now only"
        )
    return f"{base.rstrip('/')}/green_tripdata_{month}.parquet"


def fetch(
    months: Sequence[str],
    cache: Path,
    *,
    base: str = TLC_BASE,
    progress: bool | None = None,
    patience: Patience = Patience(),
) -> list[Path]:
    """The months' local files, in the order asked; what the cache lacks is downloaded first.

    progress: a bar for each download; None means where stderr is a terminal.
    Raises DownloadError; every month is checked before the first one is asked for.
    """
    urls = [month_url(month, base) for month in months]
    with requests.Session() as session:
        session.headers["User-Agent"] = "prediction-service"
        # Lengths and offsets are the file's own only if nobody compresses on the way.
        session.headers["Accept-Encoding"] = "identity"
        return [
            _Download(month, url, cache, session, progress, patience).file()
            for month, url in zip(months, urls, strict=True)
        ]


@dataclass
class _Download:
    """One month on its way into the cache."""

    month: str
    url: str
    cache: Path
    session: requests.Session
    progress: bool | None
    patience: Patience

    def __post_init__(self) -> None:
        self.target = self.cache / self.url.rpartition("/")[2]
        self.part = self.target.with_name(f"{self.target.name}.part")
        self.etag = self.target.with_name(f"{self.target.name}.part.etag")

    def file(self) -> Path:
        """The month's file, downloaded if the cache has none that can be read."""
        try:
            if _damage(self.target):
                self.cache.mkdir(parents=True, exist_ok=True)
                with self._alone():
                    # Asked again: whoever had the lock may have brought it.
                    if damage := _damage(self.target):
                        self._download(damage)
        except OSError as error:
            if error.errno in NO_ROOM:
                what = f"no room in {self.cache} ({error.strerror}): free some. {self._kept()}"
            else:
                what = f"cannot use the cache {self.cache} ({error}): name another folder"
            raise DownloadError(f"{self.month}: {what}") from error
        return self.target

    @contextmanager
    def _alone(self) -> Iterator[None]:
        # Nobody removes the file: two processes could then hold locks on two files of this name.
        with self.target.with_name(f"{self.target.name}.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._say("another process is downloading this month; waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield  # the kernel drops the lock with the open file, however this process ends

    def _download(self, damage: str) -> None:
        if self.target.exists():
            self._say(f"the cached file is damaged ({damage}); fetching it anew")
        most, in_vain = _size(self.part), 0
        while True:
            try:
                return self._try()
            except _BrokenError as broken:
                kept = _size(self.part)
                # A try that got further starts the count anew: a bad line is slow, not hopeless.
                in_vain = 1 if kept > most else in_vain + 1
                most = max(most, kept)
                if in_vain >= self.patience.tries:
                    raise DownloadError(f"{self.month}: {broken}. {self._kept()}") from broken
                delay_s = self.patience.backoff_s * 2 ** (in_vain - 1)
                self._say(f"{broken}; trying again in {delay_s:g} s")
                time.sleep(delay_s)

    def _try(self) -> None:
        known = self.etag.read_text("latin-1") if self.etag.exists() else ""
        # Without a validator nothing promises that the rest belongs to what we have; a power cut
        # may have left zeros for it, which no server would take.
        offset = _size(self.part) if known.isprintable() and known else 0
        headers = {"Range": f"bytes={offset}-", "If-Range": known} if offset else {}
        limits = (self.patience.connect_s, self.patience.read_s)
        try:
            with self.session.get(self.url, headers=headers, stream=True, timeout=limits) as answer:
                self._refuse(answer)
                total = self._total(answer, offset, known)
                if answer.status_code != 416:
                    self._receive(answer, offset, total)
        except requests.RequestException as error:
            if isinstance(error, PASSING) and not isinstance(error, SSLError):
                raise _BrokenError(_reason(error)) from error
            raise DownloadError(f"{self.url} cannot be asked for: {_reason(error)}") from error
        self._finish(total)

    def _refuse(self, answer: requests.Response) -> None:
        """Raises unless this is the file, the rest of it, or word that there is no rest."""
        status = answer.status_code
        page = status < 400 and "html" in answer.headers.get("Content-Type", "")
        if page or status in NOT_PUBLISHED:
            raise DownloadError(
                f"{self.month} is not published: {self.url} answered "
                f"{'with a web page' if page else f'HTTP {status}'}. Months appear about two "
                "months late; ask for an earlier one. If it should be there, is a proxy in the way?"
            )
        if status >= 500 or status in {408, 429}:
            raise _BrokenError(f"the server answered HTTP {status}")
        if status not in {200, 206, 416}:
            raise DownloadError(f"{self.url} answered HTTP {status}: check the address")
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise DownloadError(f"{self.url} came compressed, unasked: is a proxy in between?")

    def _total(self, answer: requests.Response, offset: int, known: str) -> int | None:
        """The whole file's bytes, None if not announced; drops a part the answer does not fit."""
        told = answer.headers.get("Content-Range", "")
        if answer.status_code == 200:
            told, fits = answer.headers.get("Content-Length", ""), True
        elif answer.status_code == 206:
            fits = told.startswith(f"bytes {offset}-") and _validator(answer) in {known, ""}
        else:  # 416: nothing is missing if we were stopped between the last byte and the renaming
            fits = told == f"bytes */{offset}"
        if not fits:
            self._forget()
            raise _BrokenError("the server's file is not the one begun earlier; starting over")
        total = told.rpartition("/")[2]
        return int(total) if total.isdecimal() else None

    def _receive(self, answer: requests.Response, offset: int, total: int | None) -> None:
        start = offset if answer.status_code == 206 else 0
        bar = tqdm(
            desc=self.month,
            initial=start,
            total=total,
            unit="B",
            unit_scale=True,
            # None has tqdm ask whether stderr is a terminal.
            disable=None if self.progress is None else not self.progress,
        )
        with bar, self.part.open("ab" if start else "wb") as part:
            if not start:
                # Only now that the part is empty: no validator may stand beside older bytes.
                self.etag.write_text(_validator(answer), "latin-1")
            for chunk in answer.iter_content(CHUNK_BYTES):
                part.write(chunk)
                bar.update(len(chunk))

    def _finish(self, total: int | None) -> None:
        if total is not None and _size(self.part) < total:
            raise _BrokenError(f"the transfer ended before all {total} bytes had come")
        if damage := _damage(self.part):
            self._forget()
            raise _BrokenError(f"what arrived is damaged ({damage}) and was dropped")
        with self.part.open("rb") as part:
            os.fsync(part)  # the name must not reach the disk before the bytes
        self.part.replace(self.target)
        self.etag.unlink(missing_ok=True)

    def _forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.etag.unlink(missing_ok=True)

    def _kept(self) -> str:
        if (size := _size(self.part)) and _size(self.etag):
            kept = tqdm.format_sizeof(size, "B")
            return f"{kept} are kept in {self.part}; the same command resumes there"
        return "Nothing is kept; the same command tries again"

    def _say(self, text: str) -> None:
        print(f"{self.month}: {text}", file=sys.stderr, flush=True)


def _damage(path: Path) -> str:
    """What keeps the file from being read as parquet, "" if nothing does."""
    try:
        with path.open("rb") as file:
            if file.read(4) != b"PAR1":  # pyarrow looks at the end only
                return "it does not begin as parquet does"
        # Every page, not only the footer: a power cut can leave holes in a file of full length.
        with pq.ParquetFile(path) as table:
            for _ in table.iter_batches():
                pass
    except FileNotFoundError:
        return "it is not there"
    except (pa.ArrowException, OSError) as error:
        if getattr(error, "errno", None):  # the system's trouble; Arrow's own has no number
            raise
        return str(error).partition("\n")[0]
    return ""


def _validator(answer: requests.Response) -> str:
    """What If-Range may carry: a strong ETag, else the date of the last change, else ""."""
    etag = answer.headers.get("ETag", "W/")
    return answer.headers.get("Last-Modified", "") if etag.startswith("W/") else etag


def _reason(error: requests.RequestException) -> str:
    """The cause without the layers that urllib3 and requests wrap around it."""
    cause = error.args[0] if error.args else error
    cause = getattr(cause, "reason", cause)
    if isinstance(error, Timeout) or isinstance(cause, ReadTimeoutError):
        return "the server did not answer in time"
    return str(cause.args[0] if isinstance(cause, Exception) and cause.args else cause)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
