"""The download against a real server on this machine, which fails as each test tells it to."""

import fcntl
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tqdm import tqdm

import training.download
from training.download import DownloadError, Patience, fetch, month_url

pytestmark = pytest.mark.slow  # all of them together take some seconds

NAME = "green_tripdata_2021-01.parquet"
ROOT = Path(training.__file__).parents[1]
QUICK = Patience(connect_s=2, read_s=2, tries=3, backoff_s=0)
ONCE = replace(QUICK, tries=1)
DEADLINE_S = 20
CUT = 98_304  # where lines break: some whole chunks, so that all that came is kept
HTML = (("Content-Type", "text/html"),)


def parquet(path: Path, seed: int, rows: int = 50_000) -> bytes:
    """The bytes of a parquet file of 400 kB, of noise so that no codec makes it small."""
    numbers = np.random.default_rng(seed).integers(0, 2**63, rows)
    pq.write_table(pa.table({"n": numbers}), path, use_dictionary=False)
    return path.read_bytes()


def holed(body: bytes) -> bytes:
    """The bytes with a stretch of zeros, as a power cut may leave them."""
    return body[:100_000] + bytes(100_000) + body[200_000:]


def read_all(terminal: int) -> str:
    """What was written to the terminal until its last writer closed it."""
    shown = b""
    try:
        while more := os.read(terminal, 4096):
            shown += more
    except OSError:  # how Linux says that nobody is left to write
        pass
    os.close(terminal)
    return shown.decode()


@dataclass(frozen=True)
class Answer:
    """How the server answers one request; as it is, the way a good server would."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    etag: str | None = '"one"'
    modified: str | None = "Mon, 04 Jan 2021 10:00:00 GMT"
    cut_at: int | None = None  # offset in the file after which the connection is closed
    stall_at: int | None = None  # offset after which nothing comes until `released`
    reset: bool = False  # with cut_at: the connection is reset instead of closed
    ranges: bool = True
    heeds_if_range: bool = True
    announces: int = 0  # bytes by which Content-Length is wrong
    body: bytes | None = None  # instead of the file
    shift: int = 0  # bytes by which a range begins too late


class Publisher(ThreadingHTTPServer):
    """Serves one file at any path, by `script` first and by `usual` once that is used up."""

    daemon_threads = True

    def __init__(self, body: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.body = body
        self.usual = Answer()
        self.script: list[Answer] = []
        self.requests: list[Message] = []
        self.errors: list[BaseException | None] = []
        self.released = threading.Event()

    def handle_error(self, *_: object) -> None:
        error = sys.exception()
        if not isinstance(error, OSError):  # clients are killed and lose their patience here
            self.errors.append(error)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/trip-data"

    @property
    def ranges(self) -> list[str | None]:
        return [headers["Range"] for headers in self.requests]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Publisher

    def do_GET(self) -> None:
        self.server.requests.append(self.headers)
        answer = self.server.script.pop(0) if self.server.script else self.server.usual
        body = self.server.body if answer.body is None else answer.body
        start = self._start(answer)
        if start >= len(body) > 0:
            self._head(416, answer, [("Content-Range", f"bytes */{len(body)}")], 0)
        elif start:
            start += answer.shift
            told = f"bytes {start}-{len(body) - 1}/{len(body)}"
            self._head(206, answer, [("Content-Range", told)], len(body) - start)
        else:
            self._head(answer.status, answer, [], len(body))
        self._send(body, start, answer)

    def _start(self, answer: Answer) -> int:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        fresh = condition in {None, answer.etag, answer.modified} or not answer.heeds_if_range
        return int(asked[1]) if asked and answer.ranges and fresh and answer.status == 200 else 0

    def _head(
        self, status: int, answer: Answer, headers: list[tuple[str, str]], length: int
    ) -> None:
        self.send_response(status)
        validators = [("ETag", answer.etag), ("Last-Modified", answer.modified)]
        told = dict([("Content-Type", "binary/octet-stream"), *headers, *answer.headers])
        for name, value in [*told.items(), *validators]:
            if value is not None:
                self.send_header(name, value)
        self.send_header("Content-Length", str(length + answer.announces))
        self.end_headers()

    def _send(self, body: bytes, start: int, answer: Answer) -> None:
        stop = answer.cut_at if answer.stall_at is None else answer.stall_at
        try:
            self.wfile.write(body[start:stop])
            if answer.stall_at is not None:
                self.server.released.wait(DEADLINE_S)
                self.wfile.write(body[max(start, answer.stall_at) :])
        finally:
            if answer.reset:
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            if answer != Answer():
                self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture(scope="session")
def bodies(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """The month as first published and as published again."""
    folder = tmp_path_factory.mktemp("published")
    return parquet(folder / "one", seed=1), parquet(folder / "two", seed=2)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where people need a proxy, it does not come between the tests and their server."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def publisher(bodies: tuple[bytes, bytes]) -> Iterator[Publisher]:
    """A server that has the month, at a port of its own."""
    with Publisher(bodies[0]) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield server
        server.released.set()
        server.shutdown()
    assert not server.errors


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A folder that does not exist yet."""
    return tmp_path / "data" / "cache"


class Child:
    """A process of its own that fetches the month."""

    def __init__(self, cache: Path, base: str, output: Path, setup: str = "") -> None:
        self.output = output
        with output.open("wb") as file:
            self.process = subprocess.Popen(command(cache, base, setup), stdout=file, stderr=file)

    def said(self) -> str:
        return self.output.read_text()


def command(cache: Path, base: str, setup: str = "") -> list[str]:
    """The command line of a process that fetches the month, after `setup`."""
    code = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from training.download import DownloadError, fetch
{setup}
try:
    print(*fetch(["2021-01"], Path({str(cache)!r}), base={base!r}))
except DownloadError as error:
    sys.exit(str(error))
"""
    return [sys.executable, "-c", code]


@pytest.fixture
def start(publisher: Publisher, cache: Path, tmp_path: Path) -> Iterator[Callable[..., Child]]:
    """Starts processes that fetch the month; none of them outlives the test."""
    children: list[Child] = []

    def start_one(setup: str = "") -> Child:
        output = tmp_path / f"output-{len(children)}"
        children.append(Child(cache, publisher.base, output, setup))
        return children[-1]

    yield start_one
    for child in children:
        child.process.kill()
        child.process.wait()


def until(condition: Callable[[], object]) -> None:
    """Returns as soon as the condition holds; fails if that takes too long."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def left_in(cache: Path) -> set[str]:
    """What the cache holds besides locks, named by what follows the month's name."""
    names = {path.name.removeprefix(NAME) for path in cache.iterdir()}
    return names - {".lock"}


def january(
    publisher: Publisher, cache: Path, patience: Patience = ONCE, progress: bool | None = None
) -> Path:
    """The month's file, fetched in this process."""
    [file] = fetch(["2021-01"], cache, base=publisher.base, patience=patience, progress=progress)
    return file


def begin(publisher: Publisher, cache: Path, **how: object) -> None:
    """Has a first try break off after CUT bytes; the next one finds the server well again."""
    publisher.script = [replace(Answer(cut_at=CUT), **how)]  # type: ignore[arg-type]
    with pytest.raises(DownloadError):
        january(publisher, cache)
    publisher.requests.clear()


# The address


def test_a_month_becomes_the_publishers_address() -> None:
    """The address is the one the TLC's own pages link to."""
    there = "https://d37ci6vzurychx.cloudfront.net/trip-data/green_tripdata_2021-01.parquet"
    assert month_url("2021-01") == there


def test_another_base_may_end_in_a_slash() -> None:
    """A mirror's address is joined with one slash whether it ends in one or not."""
    assert (
        month_url("2013-08", "http://mirror/x/") == "http://mirror/x/green_tripdata_2013-08.parquet"
    )


def test_the_running_month_is_a_month() -> None:
    """Whether the running month is out already is for the publisher to say."""
    now = f"{datetime.now(UTC):%Y-%m}"
    assert now in month_url(now)


@pytest.mark.parametrize(
    "month",
    [
        pytest.param("2021-13", id="month 13"),
        pytest.param("2021-00", id="month 0"),
        pytest.param("2021-1", id="one digit"),
        pytest.param("202101", id="no hyphen"),
        pytest.param("2021-01-01", id="a day"),
        pytest.param("2021-01\n", id="line end"),
        pytest.param("२०२१-01", id="other digits"),
        pytest.param("../2021-01", id="a path"),
        pytest.param("", id="empty"),
    ],
)
def test_what_is_no_month_is_refused(month: str) -> None:
    """The message repeats what was given and shows how a month is written."""
    with pytest.raises(DownloadError, match=re.escape(f"{month!r} is not a month: write it like")):
        month_url(month)


@pytest.mark.parametrize("month", ["2013-07", f"{datetime.now(UTC).year + 1}-01"])
def test_a_month_without_trips_is_refused(month: str) -> None:
    """Months before the first green taxi and in the future are known not to be there."""
    with pytest.raises(DownloadError, match=f"{month}: there are green taxi trips from 2013-08"):
        month_url(month)


# The plain way


def test_months_come_in_the_order_asked(publisher: Publisher, cache: Path) -> None:
    """Each month is a file of the publisher's name and bytes, and nothing else stays."""
    files = fetch(["2021-02", "2021-01"], cache, base=publisher.base, patience=ONCE)
    assert [file.name for file in files] == ["green_tripdata_2021-02.parquet", NAME]
    assert [file.read_bytes() for file in files] == [publisher.body] * 2
    names = {path.name for path in cache.iterdir()}
    assert names == {name for file in files for name in (file.name, f"{file.name}.lock")}


def test_a_month_in_the_cache_needs_no_network(publisher: Publisher, cache: Path) -> None:
    """A file that can be read is handed out as it is; the folder may even be read-only."""
    cache.mkdir(parents=True)
    (cache / NAME).write_bytes(publisher.body)
    assert january(publisher, cache) == cache / NAME
    assert publisher.requests == []
    assert [path.name for path in cache.iterdir()] == [NAME]


def test_a_bad_month_stops_the_good_ones_too(publisher: Publisher, cache: Path) -> None:
    """Nothing is downloaded for a list that cannot be had whole."""
    with pytest.raises(DownloadError, match="2021-13"):
        fetch(["2021-01", "2021-13"], cache, base=publisher.base, patience=ONCE)
    assert publisher.requests == []


def test_the_request_names_the_project_and_asks_for_plain_bytes(
    publisher: Publisher, cache: Path
) -> None:
    """The publisher can see who asks, and no encoding falsifies lengths and offsets."""
    january(publisher, cache)
    assert publisher.requests[0]["User-Agent"] == "prediction-service"
    assert publisher.requests[0]["Accept-Encoding"] == "identity"


def test_the_bytes_reach_the_disk_before_the_name(
    publisher: Publisher, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut finds no file under the final name whose bytes were not written out."""
    named_at_sync: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda _: named_at_sync.append((cache / NAME).exists()))
    january(publisher, cache)
    assert named_at_sync == [False]


# Breaks and resuming


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_broken_connection_is_taken_up_where_it_broke(
    publisher: Publisher, cache: Path, reset: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second request asks for the rest, on condition that the file is still the same."""
    publisher.script = [Answer(cut_at=CUT, reset=reset)]
    file = january(publisher, cache, QUICK)
    assert file.read_bytes() == publisher.body
    assert len(publisher.requests) == 2
    assert "trying again" in capsys.readouterr().err
    if not reset:  # a reset may take with it what had arrived
        assert publisher.ranges[1] == f"bytes={CUT}-"
        assert publisher.requests[1]["If-Range"] == '"one"'


def test_a_line_that_stays_broken_ends_with_what_is_kept(publisher: Publisher, cache: Path) -> None:
    """The message says how much is there, and the next call asks only for the rest."""
    publisher.usual = Answer(cut_at=CUT)
    kept = rf"98\.3kB are kept in .*{NAME}\.part; the same command resumes there"
    with pytest.raises(DownloadError, match=kept):
        january(publisher, cache, QUICK)
    assert publisher.ranges == [None, f"bytes={CUT}-", f"bytes={CUT}-"]
    assert left_in(cache) == {".part", ".part.etag"}
    publisher.usual = Answer()
    file = january(publisher, cache)
    assert publisher.ranges[3:] == [f"bytes={CUT}-"]
    assert file.read_bytes() == publisher.body


def test_a_line_that_breaks_often_is_not_given_up(publisher: Publisher, cache: Path) -> None:
    """Only tries in a row that bring nothing count against the patience."""
    publisher.script = [Answer(cut_at=n * CUT // 3) for n in range(1, 7)]
    file = january(publisher, cache, replace(QUICK, tries=2))
    assert file.read_bytes() == publisher.body
    assert len(publisher.requests) == 7


def test_the_wait_doubles_from_try_to_try(
    publisher: Publisher, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server in trouble is asked less and less often."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    publisher.usual = Answer(status=503, body=b"")
    with pytest.raises(DownloadError):
        january(publisher, cache, Patience(tries=4, backoff_s=0.5))
    assert waits == [0.5, 1.0, 2.0]


def test_a_killed_download_is_resumed(
    publisher: Publisher,
    cache: Path,
    start: Callable[..., Child],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """SIGKILL half way leaves the part, and no lock; the next process fetches only the rest."""
    publisher.script = [Answer(stall_at=CUT)]
    part = cache / f"{NAME}.part"
    child = start()
    until(lambda: part.exists() and part.stat().st_size >= CUT // 2)
    child.process.send_signal(signal.SIGKILL)
    child.process.wait()
    kept = part.stat().st_size
    assert left_in(cache) == {".part", ".part.etag"}
    file = january(publisher, cache)
    assert publisher.ranges == [None, f"bytes={kept}-"]
    assert publisher.requests[1]["If-Range"] == '"one"'
    assert file.read_bytes() == publisher.body
    assert "another process" not in capsys.readouterr().err


def test_a_server_without_ranges_sends_it_all_again(publisher: Publisher, cache: Path) -> None:
    """An answer of 200 to the request for the rest replaces what was there."""
    begin(publisher, cache)
    publisher.usual = Answer(ranges=False)
    file = january(publisher, cache)
    assert publisher.ranges == [f"bytes={CUT}-"]
    assert file.read_bytes() == publisher.body


@pytest.mark.parametrize("heeds", [True, False], ids=["If-Range heeded", "If-Range ignored"])
def test_a_file_changed_meanwhile_is_fetched_whole(
    publisher: Publisher, cache: Path, bodies: tuple[bytes, bytes], heeds: bool
) -> None:
    """Bytes of two editions are never joined, even where the server would let us."""
    begin(publisher, cache)
    publisher.body = bodies[1]
    publisher.usual = Answer(etag='"two"', heeds_if_range=heeds)
    file = january(publisher, cache, QUICK)
    assert file.read_bytes() == bodies[1]
    assert publisher.ranges == [f"bytes={CUT}-"] + ([] if heeds else [None])


def test_a_range_that_begins_elsewhere_is_not_joined(publisher: Publisher, cache: Path) -> None:
    """The answer's own word on where it begins is checked against what we have."""
    begin(publisher, cache)
    publisher.script = [Answer(shift=7)]
    file = january(publisher, cache, QUICK)
    assert publisher.ranges == [f"bytes={CUT}-", None]
    assert file.read_bytes() == publisher.body


def test_without_a_strong_etag_the_date_is_the_condition(publisher: Publisher, cache: Path) -> None:
    """If-Range may not carry a weak ETag; Last-Modified stands in."""
    begin(publisher, cache, etag='W/"one"')
    publisher.usual = Answer(etag='W/"one"')
    january(publisher, cache)
    assert publisher.ranges == [f"bytes={CUT}-"]
    assert publisher.requests[0]["If-Range"] == "Mon, 04 Jan 2021 10:00:00 GMT"


def test_without_any_condition_it_starts_over(publisher: Publisher, cache: Path) -> None:
    """Nothing is promised, and nothing joined, if the server marks no editions."""
    publisher.usual = Answer(cut_at=CUT, etag=None, modified=None)
    with pytest.raises(DownloadError, match="Nothing is kept"):
        january(publisher, cache, QUICK)
    assert publisher.ranges == [None, None, None]


def test_a_condition_lost_in_a_power_cut_starts_over(publisher: Publisher, cache: Path) -> None:
    """Zeros in place of the ETag are not sent to a server, which would refuse them for ever."""
    begin(publisher, cache)
    (cache / f"{NAME}.part.etag").write_bytes(bytes(5))
    january(publisher, cache)
    assert publisher.ranges == [None]


def test_a_rest_that_names_no_edition_leaves_the_condition(
    publisher: Publisher, cache: Path
) -> None:
    """What the first answer said stays the condition until the month is whole."""
    begin(publisher, cache)
    nameless = Answer(cut_at=2 * CUT, etag=None, modified=None, heeds_if_range=False)
    publisher.script = [nameless]
    january(publisher, cache, QUICK)
    assert publisher.ranges == [f"bytes={CUT}-", f"bytes={2 * CUT}-"]


@pytest.mark.parametrize("what", ["whole", "another edition", "holed"])
def test_a_part_up_to_the_end_is_finished_or_dropped(
    publisher: Publisher, cache: Path, tmp_path: Path, what: str
) -> None:
    """Stopped just before the renaming, 416 means that all is there; anything else starts over."""
    body = publisher.body
    longer = parquet(tmp_path / "longer", seed=3, rows=60_000)
    part = {"whole": body, "another edition": longer, "holed": holed(body)}[what]
    cache.mkdir(parents=True)
    (cache / f"{NAME}.part").write_bytes(part)
    (cache / f"{NAME}.part.etag").write_text('"one"')
    file = january(publisher, cache, QUICK)
    assert file.read_bytes() == body
    assert publisher.ranges == [f"bytes={len(part)}-"] + ([] if what == "whole" else [None])
    assert left_in(cache) == {""}


# Answers that are not the file


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(status=403, body=b"<Error/>"), id="403"),
        pytest.param(Answer(status=404, body=b"<html>", headers=HTML), id="404"),
        pytest.param(Answer(status=410, body=b""), id="410"),
        pytest.param(Answer(body=b"<html>", headers=HTML), id="web page"),
    ],
)
def test_a_month_not_published_is_called_so(
    publisher: Publisher, cache: Path, answer: Answer
) -> None:
    """The first such answer is believed, and nothing of it is kept."""
    publisher.usual = answer
    with pytest.raises(DownloadError, match=r"2021-01 is not published: .* ask for an earlier one"):
        january(publisher, cache, QUICK)
    assert len(publisher.requests) == 1
    assert left_in(cache) == set()


def test_a_web_page_does_not_cost_the_part(publisher: Publisher, cache: Path) -> None:
    """A hotel's login page answers 200 as well; what came before is resumed after it."""
    begin(publisher, cache)
    publisher.script = [Answer(ranges=False, body=b"<html>", headers=HTML)]
    with pytest.raises(DownloadError, match="a proxy in the way"):
        january(publisher, cache)
    file = january(publisher, cache)
    assert publisher.ranges == [f"bytes={CUT}-", f"bytes={CUT}-"]
    assert file.read_bytes() == publisher.body


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_server_in_trouble_is_asked_again(publisher: Publisher, cache: Path, status: int) -> None:
    """Its error page is no verdict on the month."""
    publisher.script = [Answer(status=status, body=b"<html>", headers=HTML)]
    file = january(publisher, cache, QUICK)
    assert file.read_bytes() == publisher.body
    assert len(publisher.requests) == 2


def test_a_server_that_stays_in_trouble_is_named(publisher: Publisher, cache: Path) -> None:
    """After the last try the message has the status and says that nothing came."""
    publisher.usual = Answer(status=503, body=b"")
    with pytest.raises(
        DownloadError, match=r"2021-01: the server answered HTTP 503\. Nothing is kept"
    ):
        january(publisher, cache, QUICK)
    assert len(publisher.requests) == 3


def test_any_other_answer_ends_it(publisher: Publisher, cache: Path) -> None:
    """What no second try would change is reported at once."""
    publisher.usual = Answer(status=401, body=b"")
    with pytest.raises(DownloadError, match="HTTP 401: check the address"):
        january(publisher, cache, QUICK)
    assert len(publisher.requests) == 1


def test_compressed_bytes_are_refused(publisher: Publisher, cache: Path) -> None:
    """A proxy that compresses unasked would make lengths and offsets meaningless."""
    publisher.usual = Answer(headers=(("Content-Encoding", "gzip"),))
    with pytest.raises(DownloadError, match="came compressed"):
        january(publisher, cache, QUICK)
    assert left_in(cache) == set()


def test_a_file_shorter_than_announced_is_not_taken(publisher: Publisher, cache: Path) -> None:
    """Even a readable file counts as broken off while bytes are owed."""
    publisher.usual = Answer(announces=10, ranges=False)
    with pytest.raises(DownloadError, match="10 more expected"):
        january(publisher, cache, QUICK)
    assert len(publisher.requests) == 3
    assert left_in(cache) == {".part", ".part.etag"}


def test_a_rest_shorter_than_the_range_told_is_not_taken(
    publisher: Publisher, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The length of the whole in Content-Range counts, not only that of the answer."""
    begin(publisher, cache)
    told = f"bytes {CUT}-{len(publisher.body) + 9}/{len(publisher.body) + 10}"
    publisher.script = [Answer(headers=(("Content-Range", told),))]
    january(publisher, cache, QUICK)
    assert f"before all {len(publisher.body) + 10} bytes had come" in capsys.readouterr().err
    assert publisher.ranges == [f"bytes={CUT}-", f"bytes={len(publisher.body)}-"]


@pytest.mark.parametrize("wrong", ["text", "headless", "cut", "holed", "announced short"])
def test_what_cannot_be_read_is_not_kept(publisher: Publisher, cache: Path, wrong: str) -> None:
    """Nothing gets the final name that pyarrow does not read to its end."""
    body = publisher.body
    publisher.body = {
        "text": b"nothing like it" * 9,
        "headless": b"PAR0" + body[4:],
        "cut": body[:-100],
        "holed": holed(body),
        "announced short": body,
    }[wrong]
    publisher.usual = Answer(announces=-10 if wrong == "announced short" else 0)
    with pytest.raises(DownloadError, match=r"what arrived is damaged .* Nothing is kept"):
        january(publisher, cache, QUICK)
    assert len(publisher.requests) == 3
    assert left_in(cache) == set()


# Servers that do not answer


def test_a_server_that_falls_silent_does_not_hold_us(publisher: Publisher, cache: Path) -> None:
    """After the time for reading the try counts as broken, and what came is kept."""
    publisher.usual = Answer(stall_at=CUT)
    with pytest.raises(DownloadError, match=r"did not answer in time\. 98\.3kB are kept"):
        january(publisher, cache, replace(ONCE, read_s=0.1))


@pytest.mark.parametrize("waiting", [0, 3], ids=["never answers", "never connects"])
def test_a_server_that_never_answers_does_not_hold_us(cache: Path, waiting: int) -> None:
    """Connecting and waiting for the first byte have their limits too."""
    hasty = replace(ONCE, connect_s=0.1, read_s=0.1)
    queue = [socket.socket() for _ in range(waiting)]  # enough to fill what the system accepts
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        # So that a fetch without limits fails here instead of hanging.
        rescue = threading.Timer(DEADLINE_S, listener.shutdown, [socket.SHUT_RDWR])
        rescue.start()
        for client in queue:
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(DownloadError, match=r"did not answer in time\. Nothing is kept"):
            fetch(["2021-01"], cache, base=base, patience=hasty)
        rescue.cancel()
    for client in queue:
        client.close()


def test_a_refused_connection_says_so(cache: Path) -> None:
    """The system's reason is in the message, without the layers around it."""
    with socket.socket() as bound:  # but it does not listen
        bound.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(
            DownloadError, match=r"2021-01: HTTPCon[^:]*: .*Connection refused\. Not"
        ):
            fetch(["2021-01"], cache, base=base, patience=QUICK)


@pytest.mark.parametrize("scheme", ["https", "gopher"])
def test_an_address_that_cannot_work_is_not_tried_twice(
    publisher: Publisher, cache: Path, scheme: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trouble with TLS or the address itself does not pass with time."""
    base = publisher.base.replace("http", scheme)
    with pytest.raises(DownloadError, match=f"{scheme}://.* cannot be asked for"):
        fetch(["2021-01"], cache, base=base, patience=QUICK)
    assert capsys.readouterr().err == ""


# The cache's own troubles


def test_a_full_disk_is_reported(publisher: Publisher, cache: Path) -> None:
    """The system's own word for it comes with what to do."""
    cache.mkdir(parents=True)
    (cache / f"{NAME}.part").symlink_to("/dev/full")
    with pytest.raises(DownloadError, match=r"no room in .*No space left on device.: free some"):
        january(publisher, cache, QUICK)


def test_what_fits_on_a_full_disk_stays(
    publisher: Publisher, cache: Path, start: Callable[..., Child]
) -> None:
    """A limit on the size of files stops the process half way; with room, the rest is fetched."""
    child = start(f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({CUT}, {CUT}))")
    child.process.wait(DEADLINE_S)
    assert re.search(r"no room in .*: free some\. 98\.3kB are kept", child.said())
    file = january(publisher, cache)
    assert publisher.ranges == [None, f"bytes={CUT}-"]
    assert file.read_bytes() == publisher.body


@pytest.mark.parametrize("blocked", [".", NAME], ids=["a file as cache", "a folder as month"])
def test_a_cache_that_cannot_be_one_is_reported(
    publisher: Publisher, cache: Path, blocked: str
) -> None:
    """The message names the folder and asks for another, before anything is downloaded."""
    if blocked == NAME:
        (cache / NAME).mkdir(parents=True)
    else:
        cache.parent.mkdir()
        cache.touch()
    with pytest.raises(DownloadError, match=rf"cannot use the cache {cache} .*name another folder"):
        january(publisher, cache, QUICK)
    assert publisher.requests == []


@pytest.mark.parametrize("damage", ["truncated", "empty", "holed"])
def test_a_damaged_file_in_the_cache_is_fetched_anew(
    publisher: Publisher, cache: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A final name is not believed: the file is read, and replaced with a word about it."""
    body = publisher.body
    cache.mkdir(parents=True)
    spoilt = {"truncated": body[: len(body) // 2], "empty": b"", "holed": holed(body)}[damage]
    (cache / NAME).write_bytes(spoilt)
    file = january(publisher, cache)
    assert file.read_bytes() == body
    assert "2021-01: the cached file is damaged (" in capsys.readouterr().err


def test_a_damaged_file_is_never_handed_out(publisher: Publisher, cache: Path) -> None:
    """Without the publisher there is an error, not half a month."""
    cache.mkdir(parents=True)
    (cache / NAME).write_bytes(publisher.body[:-1])
    publisher.usual = Answer(status=503, body=b"")
    with pytest.raises(DownloadError, match="HTTP 503"):
        january(publisher, cache)


def test_two_processes_make_one_download(
    publisher: Publisher, cache: Path, start: Callable[..., Child]
) -> None:
    """The second says that it waits, then takes the first one's file."""
    publisher.script = [Answer(stall_at=CUT)]
    first = start()
    until(lambda: publisher.requests)
    second = start()
    until(lambda: "another process is downloading this month; waiting" in second.said())
    assert "" not in left_in(cache)
    publisher.released.set()
    assert (first.process.wait(DEADLINE_S), second.process.wait(DEADLINE_S)) == (0, 0)
    assert first.said() == f"{cache / NAME}\n"
    assert second.said().endswith(first.said())
    assert publisher.ranges == [None]
    assert (cache / NAME).read_bytes() == publisher.body


# The bar


def test_a_terminal_shows_a_bar(publisher: Publisher, cache: Path) -> None:
    """It has the month, the share done and the bytes in units that people read."""
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    with subprocess.Popen(
        command(cache, publisher.base), stderr=end, stdout=subprocess.DEVNULL
    ) as process:
        os.close(end)
        shown = read_all(terminal)
    assert process.returncode == 0
    size = tqdm.format_sizeof(len(publisher.body))
    assert re.search(rf"2021-01: 100%\|.*\| {size}/{size} .*B/s\]", shown)


def test_a_pipe_shows_no_bar(publisher: Publisher, cache: Path) -> None:
    """A log gets no control characters, and no word at all if nothing is amiss."""
    done = subprocess.run(
        command(cache, publisher.base), capture_output=True, text=True, timeout=DEADLINE_S
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("progress", [True, False])
def test_the_caller_may_decide_about_the_bar(
    publisher: Publisher, cache: Path, progress: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """True shows it where there is no terminal, False hides it everywhere."""
    january(publisher, cache, progress=progress)
    assert ("2021-01: 100%" in capsys.readouterr().err) == progress


def test_the_bar_starts_at_what_is_there(
    publisher: Publisher, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A resumed download shows the share of the whole month, not of the rest."""
    begin(publisher, cache)
    capsys.readouterr()
    january(publisher, cache, progress=True)
    share = 100 * CUT // len(publisher.body)
    assert re.match(rf"\r2021-01: +({share}|{share + 1})%\|.*\| 98\.3k/", capsys.readouterr().err)
