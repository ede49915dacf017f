"""What the server, the line or the folder may do instead of giving the file."""

import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.data.publisher import (
    CUT,
    DEADLINE_S,
    HTML,
    NAME,
    ONCE,
    QUICK,
    Answer,
    Child,
    Publisher,
    april,
    holed,
    left_in,
    until,
)
from training.data.download import fetch
from training.data.publishers import months
from training.errors import DownloadError

# all of them together take some seconds
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_proxy")]


# Answers that are not the file


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(status=403, body=b"<Error/>"), id="403"),
        pytest.param(Answer(status=404, body=b"<html>", headers=HTML), id="404"),
        pytest.param(Answer(body=b"<html>", headers=HTML), id="web page"),
    ],
)
def test_a_month_not_published_is_called_so(
    publisher: Publisher, cache: Path, answer: Answer
) -> None:
    """The first such answer is believed, and nothing of it is kept."""
    publisher.usual = answer
    with pytest.raises(DownloadError, match=r"2021-04 is not published: .* ask for an earlier one"):
        april(publisher, cache, QUICK)
    assert len(publisher.requests) == 1
    assert left_in(cache) == set()


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_in_trouble_is_asked_again(publisher: Publisher, cache: Path, status: int) -> None:
    """Its error page is no verdict on the month."""
    publisher.script = [Answer(status=status, body=b"<html>", headers=HTML)]
    file = april(publisher, cache, QUICK)
    assert file.read_bytes() == publisher.body
    assert len(publisher.requests) == 2


def test_a_server_that_stays_in_trouble_is_named(publisher: Publisher, cache: Path) -> None:
    """After the last try the message has the status and what the next call starts from."""
    publisher.usual = Answer(status=503, body=b"")
    words = r"2021-04\.parquet: the server answered HTTP 503\. The same command tries again"
    with pytest.raises(DownloadError, match=words):
        april(publisher, cache, QUICK)
    assert len(publisher.requests) == 2


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(Answer(status=401), "HTTP 401: check the address", id="401"),
        pytest.param(Answer(headers=(("Content-Encoding", "gzip"),)), "compressed", id="gzip"),
    ],
)
def test_what_no_second_try_would_change_is_reported_at_once(
    publisher: Publisher, cache: Path, answer: Answer, words: str
) -> None:
    """One request, one line, and nothing is kept."""
    publisher.usual = answer
    with pytest.raises(DownloadError, match=words):
        april(publisher, cache, QUICK)
    assert len(publisher.requests) == 1
    assert left_in(cache) == set()


def test_a_file_shorter_than_announced_is_not_taken(publisher: Publisher, cache: Path) -> None:
    """Even a readable file counts as broken off while bytes are owed."""
    publisher.usual = Answer(announces=10, ranges=False)
    with pytest.raises(DownloadError, match="10 more expected"):
        april(publisher, cache)
    assert left_in(cache) == {".part", ".part.etag"}


@pytest.mark.parametrize("wrong", ["text", "cut", "holed"])
def test_what_cannot_be_read_is_not_kept(publisher: Publisher, cache: Path, wrong: str) -> None:
    """Nothing gets the final name that pyarrow does not read to its end."""
    body = publisher.body
    spoilt = {"text": b"nothing like it" * 9, "cut": body[:-100], "holed": holed(body)}
    publisher.body = spoilt[wrong]
    with pytest.raises(DownloadError, match=r"what arrived cannot be read \("):
        april(publisher, cache)
    assert left_in(cache) == set()


# Servers that do not answer


def test_a_server_that_falls_silent_does_not_hold_us(publisher: Publisher, cache: Path) -> None:
    """After the time for reading the try counts as broken, and what came is kept."""
    publisher.usual = Answer(stall_at=CUT)
    with pytest.raises(DownloadError, match=r"did not answer in time\. 98\.3kB are kept"):
        april(publisher, cache, replace(ONCE, read_s=0.1))


def test_a_refused_connection_says_so(cache: Path) -> None:
    """The system's reason is in the message, without the layers around it."""
    with socket.socket() as bound:  # but it does not listen
        bound.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(DownloadError, match=r"2021-04\.parquet: .*Connection refused"):
            fetch(months(["2021-04"], base), cache, patience=ONCE)


# The folder's own troubles


def test_a_full_disk_is_reported(publisher: Publisher, cache: Path) -> None:
    """The system's own word for it comes with what to do."""
    cache.mkdir(parents=True)
    (cache / f"{NAME}.part").symlink_to("/dev/full")
    with pytest.raises(DownloadError, match=r"No space left on device\. .*free some room or name"):
        april(publisher, cache, QUICK)


def test_what_fits_on_a_full_disk_stays(
    publisher: Publisher, cache: Path, start: Callable[..., Child]
) -> None:
    """A limit on the size of files stops the process half way; with room, the rest is fetched."""
    child = start(f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({CUT}, {CUT}))")
    child.process.wait(DEADLINE_S)
    assert "98.3kB are kept" in child.said()
    file = april(publisher, cache)
    assert publisher.ranges == [None, f"bytes={CUT}-"]
    assert file.read_bytes() == publisher.body


def test_a_folder_that_cannot_be_one_is_reported(publisher: Publisher, cache: Path) -> None:
    """The message names it and asks for another, before anything is downloaded."""
    cache.parent.mkdir()
    cache.touch()
    with pytest.raises(DownloadError, match=rf"{cache}/.* cannot be written: .*another folder"):
        april(publisher, cache, QUICK)
    assert publisher.requests == []


@pytest.mark.parametrize("damage", ["truncated", "empty", "holed"])
def test_a_damaged_file_is_fetched_anew(publisher: Publisher, cache: Path, damage: str) -> None:
    """A name is not believed: the file is read, and replaced where that fails."""
    body = publisher.body
    cache.mkdir(parents=True)
    spoilt = {"truncated": body[: len(body) // 2], "empty": b"", "holed": holed(body)}[damage]
    (cache / NAME).write_bytes(spoilt)
    assert april(publisher, cache).read_bytes() == body


def test_two_processes_make_one_download(
    publisher: Publisher, cache: Path, start: Callable[..., Child]
) -> None:
    """The second says that it waits, then takes the first one's file."""
    publisher.script = [Answer(stall_at=CUT)]
    first = start()
    until(lambda: publisher.requests)
    second = start()
    until(lambda: f"another process downloads {NAME}; waiting" in second.said())
    assert "" not in left_in(cache)
    publisher.released.set()
    assert (first.process.wait(DEADLINE_S), second.process.wait(DEADLINE_S)) == (0, 0)
    assert second.said().endswith(f"{cache / NAME}\n")
    assert publisher.ranges == [None]
    assert (cache / NAME).read_bytes() == publisher.body
