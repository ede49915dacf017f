"""What was at hand when a process died."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from streaming.errors import StreamError
from streaming.interface import Event
from streaming.journal import Journal, spans_of


def events(*offsets: int | str, partition: int = 0) -> list[Event]:
    return [Event(b"", None, (), partition, offset, None) for offset in offsets]


def killed(folder: Path, *at_hand: Event) -> None:
    """Leave a journal as a process does that dies while it works on these."""
    journal = Journal.take(folder, "group")
    journal.begin(at_hand)
    os.close(journal._file)


def test_events_of_a_batch_that_died_go_alone(tmp_path: Path) -> None:
    """The first and the last of them, and none beside them, until they are done."""
    killed(tmp_path, *events(5, 6, 7))
    journal = Journal.take(tmp_path, "group")
    assert journal.restarts == 1
    asked = events(4, 5, 7, 8)
    assert [journal.is_suspect(event) for event in asked] == [False, True, True, False]
    assert not any(map(journal.is_poison, asked))
    for event in events(5, 6, 7):
        journal.begin([event])
        journal.end([event])
    assert not journal.is_suspect(asked[1])
    journal.close()


def test_an_event_is_poison_once_two_processes_died_of_it_alone(tmp_path: Path) -> None:
    """In company once, alone twice; its neighbours are none."""
    killed(tmp_path, *events(5, 6, 7))
    killed(tmp_path, *events(6))
    journal = Journal.take(tmp_path, "group")
    assert not journal.is_poison(events(6)[0])
    os.close(journal._file)
    killed(tmp_path, *events(6))
    journal = Journal.take(tmp_path, "group")
    assert [journal.is_poison(event) for event in events(5, 6, 7)] == [False, True, False]
    assert journal.is_suspect(events(7)[0])
    journal.end(events(6))
    assert not journal.is_poison(events(6)[0])
    journal.close()


def test_a_stop_leaves_no_suspects(tmp_path: Path) -> None:
    """Only an end that was none of ours does."""
    journal = Journal.take(tmp_path, "group")
    journal.begin(events(1, 2))
    journal.close()
    journal = Journal.take(tmp_path, "group")
    assert journal.restarts == 0
    assert not journal.is_suspect(events(1)[0])
    journal.close()


def test_a_broker_that_counts_deliveries_is_believed() -> None:
    """Handed out twice: alone; four times: put aside."""
    read, write = os.pipe()
    os.close(write)
    journal = Journal.__new__(Journal)
    journal._suspects, journal._crashes = {}, {}
    [event] = events("17-0")
    assert journal.is_suspect(replace(event, deliveries=2))
    assert not journal.is_poison(replace(event, deliveries=3))
    assert journal.is_poison(replace(event, deliveries=4))
    os.close(read)


def test_workers_beside_each_other_have_slots(tmp_path: Path) -> None:
    """Each its own; one that ended leaves its slot to the next."""
    first, second = Journal.take(tmp_path, "g"), Journal.take(tmp_path, "g")
    assert (first.slot, second.slot) == (0, 1)
    first.close()
    third = Journal.take(tmp_path, "g")
    assert third.slot == 0
    third.close()
    second.close()


def test_offsets_are_compared_as_numbers() -> None:
    """Redis's have two parts, and a longer one is not always larger as text."""
    mixed = [*events("9-0", "10-1"), *events(3, partition=1), *events("10-2")]
    assert spans_of(mixed) == {"0": ("9-0", "10-2"), "1": ("3", "3")}


def test_a_torn_journal_is_as_none(tmp_path: Path) -> None:
    """The machine's end may leave anything."""
    killed(tmp_path, *events(1))
    [file] = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:20])
    journal = Journal.take(tmp_path, "group")
    assert journal.restarts == 0
    journal.close()


def test_a_folder_that_others_may_write_is_refused(tmp_path: Path) -> None:
    """They could say what is put aside."""
    tmp_path.chmod(0o777)
    with pytest.raises(StreamError, match="STREAM_STATE"):
        Journal.take(tmp_path, "group")
