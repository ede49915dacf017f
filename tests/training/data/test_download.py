"""The download against a real server on this machine: what is fetched, and checked."""

import fcntl
import hashlib
import os
import pty
import re
import struct
import subprocess
import termios
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tqdm import tqdm

from tests.support import DATA_DIR, needs_real_data
from tests.training.data.publisher import (
    CUT,
    DEADLINE_S,
    NAME,
    ONCE,
    Answer,
    Publisher,
    april,
    begin,
    command,
    read_all,
)
from training.data.__main__ import main
from training.data.download import fetch
from training.data.publishers import FILES, Published, months
from training.errors import DownloadError

# all of them together take some seconds
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_proxy")]


# The address


def test_a_month_becomes_the_publishers_address() -> None:
    """The address is the one the TLC's own pages link to, the checksum the file's."""
    [(name, file)] = months(["2021-01"]).items()
    assert name == "green/green_tripdata_2021-01.parquet"
    there = "https://d37ci6vzurychx.cloudfront.net/trip-data/green_tripdata_2021-01.parquet"
    assert file.url == there
    assert str(file.sha256).startswith("b8e2c949")


def test_the_running_month_is_a_month() -> None:
    """Whether the running month is out already is for the publisher to say."""
    [file] = months([f"{datetime.now(UTC):%Y-%m}"]).values()
    assert file.sha256 is None


@pytest.mark.parametrize(
    "month",
    [
        "2021-13",
        "2021-00",
        "2021-1",
        "202101",
        "2021-01-01",
        "2021-01\n",
        "२०२१-01",
        "../2021-01",
        "",
    ],
)
def test_what_is_no_month_is_refused(month: str) -> None:
    """The message repeats what was given and shows how a month is written."""
    with pytest.raises(DownloadError, match=re.escape(f"{month!r} is not a month: write it like")):
        months([month])


@pytest.mark.parametrize("month", ["2013-07", f"{datetime.now(UTC).year + 1}-01"])
def test_a_month_without_trips_is_refused(month: str) -> None:
    """Months before the first green taxi and in the future are known not to be there."""
    with pytest.raises(DownloadError, match=f"{month}: there are green taxi trips from 2013-08"):
        months([month])


# The plain way


def test_months_come_in_the_order_asked(publisher: Publisher, cache: Path) -> None:
    """Each month is a file of the publisher's name and bytes, and nothing else stays."""
    files = fetch(months(["2021-05", "2021-04"], publisher.base + "/"), cache.parent)
    assert [file.name for file in files] == ["green_tripdata_2021-05.parquet", NAME]
    assert [file.read_bytes() for file in files] == [publisher.body] * 2
    names = {path.name for path in cache.iterdir()}
    assert names == {name for file in files for name in (file.name, f"{file.name}.lock")}
    assert publisher.requests[0]["User-Agent"] == "prediction-service"


def test_a_file_in_the_folder_needs_no_network(publisher: Publisher, cache: Path) -> None:
    """A file that can be read is returned as it is; the folder may even be read-only."""
    cache.mkdir(parents=True)
    (cache / NAME).write_bytes(publisher.body)
    assert april(publisher, cache) == cache / NAME
    assert publisher.requests == []
    assert [path.name for path in cache.iterdir()] == [NAME]


def test_the_bytes_reach_the_disk_before_the_name(
    publisher: Publisher, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut finds no file under the final name whose bytes were not written out."""
    named_at_sync: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda _: named_at_sync.append((cache / NAME).exists()))
    april(publisher, cache)
    assert named_at_sync == [False]


# The checksum


@pytest.mark.parametrize("there", [False, True], ids=["nothing there", "another edition there"])
def test_a_file_with_another_checksum_is_refused(
    publisher: Publisher, cache: Path, there: bool
) -> None:
    """The message has both checksums and says what to do; what was in the folder stays."""
    cache.mkdir(parents=True)
    if there:
        (cache / "x.csv").write_text("mine")
    files = {"x.csv": Published(f"{publisher.base}/x.csv", "0" * 64)}
    seen = hashlib.sha256(publisher.body).hexdigest()
    with pytest.raises(DownloadError, match=rf"(?s)x.csv: .*{'0' * 64}.*{seen}.*--data"):
        fetch(files, cache, patience=ONCE)
    assert {p.name: p.read_text() for p in cache.iterdir() if p.stat().st_size} == (
        {"x.csv": "mine"} if there else {}
    )


def test_a_file_of_another_edition_is_replaced(publisher: Publisher, cache: Path) -> None:
    """Where the checksum is known, the file that has it takes the place of any other."""
    cache.mkdir(parents=True)
    (cache / "x.csv").write_text("cut sho")
    known = hashlib.sha256(publisher.body).hexdigest()
    files = {"x.csv": Published(f"{publisher.base}/x.csv", known)}
    assert [path.read_bytes() for path in fetch(files, cache)] == [publisher.body]
    assert fetch(files, cache) == [cache / "x.csv"]
    assert len(publisher.requests) == 1


@needs_real_data(*FILES)
def test_the_known_checksums_are_those_of_the_real_files() -> None:
    """What `make data` accepts is what the published results were made from."""
    digests = {name: hashlib.sha256((DATA_DIR / name).read_bytes()).hexdigest() for name in FILES}
    assert digests == {name: file.sha256 for name, file in FILES.items()}


def test_the_command_fills_a_folder(
    publisher: Publisher, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`python -m training.data` downloads each file once; a second call has nothing to do."""
    known = hashlib.sha256(publisher.body).hexdigest()
    files = {name: Published(f"{publisher.base}/{name}", known) for name in ("a.csv", "b/c.csv")}
    for _ in range(2):
        main(["--output", str(cache)], files)
        assert capsys.readouterr().out == f"2 files are in {cache}\n"
    assert (cache / "b" / "c.csv").read_bytes() == publisher.body
    assert len(publisher.requests) == 2


def test_the_command_goes_on_after_a_file_that_cannot_be_had(
    publisher: Publisher, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each such file is named, the others are there, and the exit status is 1."""
    known = hashlib.sha256(publisher.body).hexdigest()
    files = {name: Published(f"{publisher.base}/{name}", known) for name in ("a.csv", "b.csv")}
    publisher.script = [Answer(status=404)]
    with pytest.raises(SystemExit) as stopped:
        main(["--output", str(cache)], files)
    assert stopped.value.code == f"training.data: 1 of 2 files are missing in {cache}"
    assert "training.data: a is not published" in capsys.readouterr().err
    assert (cache / "b.csv").exists()


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
    assert re.search(rf"2021-04: 100%\|.*\| {size}/{size} .*B/s\]", shown)


def test_a_pipe_shows_no_bar(publisher: Publisher, cache: Path) -> None:
    """A log gets one line, which says what is downloaded, and no control characters."""
    done = subprocess.run(
        command(cache, publisher.base), capture_output=True, text=True, timeout=DEADLINE_S
    )
    assert done.returncode == 0
    assert re.fullmatch(rf"Downloading file '{NAME}' from '.*' to '.*'\.\n", done.stderr)


def test_the_bar_starts_at_what_is_there(
    publisher: Publisher, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A resumed download shows the share of the whole month, not of the rest."""
    begin(publisher, cache)
    capsys.readouterr()
    april(publisher, cache, progress=True)
    share = 100 * CUT // len(publisher.body)
    assert re.search(rf"2021-04: +({share}|{share + 1})%\|.*\| 98\.3k/", capsys.readouterr().err)
