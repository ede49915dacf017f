"""How far a run is, for people: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import io
import logging

import pytest

from batch.progress import Progress


class Terminal(io.StringIO):
    """What a bar draws on."""

    def isatty(self) -> bool:
        return True


def test_elsewhere_there_is_a_line_every_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Rows, share, speed and the time left."""
    now = [100.0]
    monkeypatch.setattr("batch.progress.time.monotonic", lambda: now[0])
    monkeypatch.setattr("sys.stderr", io.StringIO())
    caplog.set_level(logging.INFO)
    progress = Progress(4000, 1)
    now[0] += 5
    progress.add(500, 10)
    assert caplog.messages == []
    now[0] += 5
    progress.add(500, 10)
    progress.add(0, 0)
    progress.close()
    assert caplog.messages == ["1,000 rows, 25 %, 100 rows/s, 30 s left"]


def test_of_text_the_bytes_tell_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """As nobody knows its rows."""
    now = [0.0]
    monkeypatch.setattr("batch.progress.time.monotonic", lambda: now[0])
    monkeypatch.setattr("sys.stderr", io.StringIO())
    progress = Progress(None, 200)
    assert progress.line() == "0 rows, 0 %, 0 rows/s, 0 s left"
    now[0] += 2
    progress.add(30, 100)
    assert progress.line() == "30 rows, 50 %, 15 rows/s, 2 s left"


@pytest.mark.parametrize("total", [1000, None])
def test_a_terminal_shows_a_bar(monkeypatch: pytest.MonkeyPatch, total: int | None) -> None:
    """With the rows that are expected, of text by its bytes; afterwards it is gone."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    progress = Progress(total, 100)
    progress.add(250, 25)
    assert progress._bar.total == 1000
    progress._bar.refresh()
    assert "250/1.00k" in terminal.getvalue()
    progress.close()
    assert terminal.getvalue().endswith("\r")
