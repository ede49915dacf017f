"""A file that processes share: whole lines, exchanged when full, whatever goes wrong."""

from __future__ import annotations

import json
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from scoring.observers.log_files import Files


def made(path: Path, max_bytes: int = 10_000, keep: int = 3) -> Files:
    return Files(path, max_bytes=max_bytes, keep=keep)


def child(work: Callable[[], None]) -> int:
    """Return the process that does `work`, forked as gunicorn forks its workers."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return pid


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("[!.]*"))


@pytest.mark.slow
def test_processes_append_whole_lines_and_lose_none(tmp_path: Path) -> None:
    """Also while each of them exchanges the full file for a new one."""
    path = tmp_path / "log.jsonl"

    def work(number: int) -> Callable[[], None]:
        def appends() -> None:
            mine = made(path, max_bytes=2000, keep=1000)
            for line in range(100):
                rows = [{"who": number, "line": line, "part": part} for part in range(3)]
                mine.append("".join(json.dumps(row) + "\n" for row in rows).encode())

        return appends

    for pid in [child(work(number)) for number in range(3)]:
        assert os.waitpid(pid, 0)[1] == 0
    found = files(tmp_path)
    assert len(found) > 10
    assert all(file.stat().st_size <= 2000 for file in found)
    lines = [json.loads(line) for file in found for line in file.read_text().splitlines()]
    assert len(lines) == 900
    assert len({tuple(line.values()) for line in lines}) == 900


def test_old_files_are_deleted(tmp_path: Path) -> None:
    """So many are kept, and nothing that is not ours is touched."""
    other = tmp_path / "log.notes.jsonl"
    other.write_text("mine")
    log = made(tmp_path / "log.jsonl", max_bytes=100, keep=2)
    for number in range(20):
        log.append(b"%060d\n" % number)
    kept = [path for path in files(tmp_path) if path != other]
    assert len(kept) == 3
    assert [int(path.read_text()) for path in kept] == [17, 18, 19]
    assert other.read_text() == "mine"
    log.close()


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    """It holds what people have sent."""
    log = made(tmp_path / "log.jsonl")
    log.append(b"{}\n")
    assert (tmp_path / "log.jsonl").stat().st_mode & 0o777 == 0o600
    log.close()


def test_a_write_that_fails_half_way_is_taken_back(tmp_path: Path) -> None:
    """A full disk: what was there stays as it was, and nothing torn is added."""
    path = tmp_path / "log.jsonl"

    def fills() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        log = made(path)
        log.append(b"whole\n")
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        with pytest.raises(OSError, match="File too large"):
            log.append(b"x" * 2000 + b"\n")
        log.append(b"again\n")

    assert os.waitpid(child(fills), 0)[1] == 0
    assert path.read_bytes() == b"whole\nagain\n"


@pytest.mark.parametrize(
    ("there", "kept"),
    [(b"", b""), (b"one\ntwo", b"one\n"), (b"one", b""), (b"one\n", b"one\n")],
    ids=["empty", "torn", "torn alone", "whole"],
)
def test_a_torn_line_is_removed(tmp_path: Path, there: bytes, kept: bytes) -> None:
    """Who wrote it was killed."""
    path = tmp_path / "log.jsonl"
    path.write_bytes(there)
    log = made(path)
    log.append(b"new\n")
    assert path.read_bytes() == kept + b"new\n"
    log.close()


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    """Another program may tidy up."""
    path = tmp_path / "log.jsonl"
    log = made(path)
    log.append(b"1\n")
    path.rename(tmp_path / "moved")
    log.append(b"2\n")
    path.unlink()
    log.append(b"3\n")
    assert path.read_bytes() == b"3\n"
    assert (tmp_path / "moved").read_bytes() == b"1\n"
    log.close()


def test_what_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    """Neither links, which may lead anywhere, nor devices, pipes or folders."""
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("link", "pipe", "folder"):
        with pytest.raises(OSError, match="symbolic links|not a regular file|Is a directory"):
            made(tmp_path / name).check()
    assert not (tmp_path / "elsewhere").exists()
