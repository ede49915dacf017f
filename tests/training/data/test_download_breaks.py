"""A transfer that breaks off goes on where it ended, and never joins bytes of two editions."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.training.data.publisher import (
    CUT,
    NAME,
    QUICK,
    Answer,
    Child,
    Publisher,
    april,
    begin,
    left_in,
    until,
)
from training.errors import DownloadError

# all of them together take some seconds
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_proxy")]


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_broken_connection_is_taken_up_where_it_broke(
    publisher: Publisher, cache: Path, reset: bool
) -> None:
    """The second request asks for the rest, on condition that the file is still the same."""
    publisher.script = [Answer(cut_at=CUT, reset=reset)]
    file = april(publisher, cache, QUICK)
    assert file.read_bytes() == publisher.body
    assert len(publisher.requests) == 2
    if not reset:  # a reset may take with it what had arrived
        assert publisher.ranges[1] == f"bytes={CUT}-"
        assert publisher.requests[1]["If-Range"] == '"one"'


def test_a_line_that_stays_broken_ends_with_what_is_kept(publisher: Publisher, cache: Path) -> None:
    """The message says how much is there, and the next call asks only for the rest."""
    publisher.usual = Answer(cut_at=CUT)
    with pytest.raises(DownloadError, match=r"98\.3kB are kept: the same command goes on from"):
        april(publisher, cache, QUICK)
    assert publisher.ranges == [None, f"bytes={CUT}-"]
    assert left_in(cache) == {".part", ".part.etag"}
    publisher.usual = Answer()
    file = april(publisher, cache)
    assert publisher.ranges[2:] == [f"bytes={CUT}-"]
    assert file.read_bytes() == publisher.body


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
    file = april(publisher, cache)
    assert publisher.ranges == [None, f"bytes={kept}-"]
    assert publisher.requests[1]["If-Range"] == '"one"'
    assert file.read_bytes() == publisher.body
    assert "another process" not in capsys.readouterr().err


def test_a_server_without_ranges_sends_it_all_again(publisher: Publisher, cache: Path) -> None:
    """An answer of 200 to the request for the rest replaces what was there."""
    begin(publisher, cache)
    publisher.usual = Answer(ranges=False)
    file = april(publisher, cache)
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
    file = april(publisher, cache, QUICK)
    assert file.read_bytes() == bodies[1]
    assert publisher.ranges == [f"bytes={CUT}-"] + ([] if heeds else [None])


def test_a_range_that_begins_elsewhere_is_not_joined(publisher: Publisher, cache: Path) -> None:
    """The answer's own word on where it begins is checked against what we have."""
    begin(publisher, cache)
    publisher.script = [Answer(shift=7)]
    file = april(publisher, cache, QUICK)
    assert publisher.ranges == [f"bytes={CUT}-", None]
    assert file.read_bytes() == publisher.body


def test_without_a_strong_etag_the_date_is_the_condition(publisher: Publisher, cache: Path) -> None:
    """If-Range may not carry a weak ETag; Last-Modified stands in."""
    begin(publisher, cache, etag='W/"one"')
    publisher.usual = Answer(etag='W/"one"')
    april(publisher, cache)
    assert publisher.ranges == [f"bytes={CUT}-"]
    assert publisher.requests[0]["If-Range"] == "Mon, 04 Jan 2021 10:00:00 GMT"


def test_a_condition_lost_in_a_power_cut_starts_over(publisher: Publisher, cache: Path) -> None:
    """Zeros in place of the ETag are not sent to a server, which would refuse them for ever."""
    begin(publisher, cache)
    (cache / f"{NAME}.part.etag").write_bytes(bytes(5))
    april(publisher, cache)
    assert publisher.ranges == [None]


def test_a_part_that_is_already_whole_does_no_harm(publisher: Publisher, cache: Path) -> None:
    """Stopped just before the renaming: the server has nothing to add, and it starts over."""
    cache.mkdir(parents=True)
    (cache / f"{NAME}.part").write_bytes(publisher.body)
    (cache / f"{NAME}.part.etag").write_text('"one"')
    assert april(publisher, cache, QUICK).read_bytes() == publisher.body
    assert left_in(cache) == {""}
