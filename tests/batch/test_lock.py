"""One run a place, where the operating system has no lock: an object that is written again."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from batch.errors import UsageError
from batch.outputs.lock import Lock
from batch.outputs.storage import Storage


@pytest.fixture
def store(tmp_path: Path) -> Storage:
    """A storage that is used as an object store is: through Arrow's file system alone."""
    (tmp_path / "aside").mkdir()
    made = Storage(str(tmp_path))
    made.local = None
    return made


def noted(folder: Path) -> dict[str, object]:
    """Return what the lock says."""
    found: dict[str, object] = json.loads((folder / "aside" / "lock").read_text())
    return found


def test_the_second_run_is_told_of_the_first(store: Storage) -> None:
    """Until that one lets go."""
    first, second = Lock(store, "aside"), Lock(store, "aside")
    first.take()
    with pytest.raises(UsageError, match=r"another run writes to .* \(process \d+ on "):
        second.take()
    first.release()
    second.take()


def test_a_lock_that_nobody_keeps_is_free_after_a_minute(store: Storage, tmp_path: Path) -> None:
    """As a run leaves it that was killed."""
    Lock(store, "aside").take()
    old = {**noted(tmp_path), "time": time.time() - 61}
    (tmp_path / "aside" / "lock").write_text(json.dumps(old))
    Lock(store, "aside").take()
    assert noted(tmp_path)["token"] != old["token"]


def test_a_run_that_goes_on_says_so(
    store: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at every part: a store is asked for money."""
    lock = Lock(store, "aside")
    lock.take()
    before = noted(tmp_path)
    lock.keep()
    assert noted(tmp_path) == before
    now = time.time() + 20
    monkeypatch.setattr("batch.outputs.lock.time.time", lambda: now)
    lock.keep()
    assert noted(tmp_path) == {**before, "time": now}


def test_of_two_that_write_at_once_one_goes_on(
    store: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one whose object is there afterwards."""
    late = Lock(store, "aside")
    write = late._write

    def overtaken() -> None:
        write()
        Lock(store, "aside")._write()

    monkeypatch.setattr(late, "_write", overtaken)
    with pytest.raises(UsageError, match="another process"):
        late.take()


def test_a_local_lock_that_its_owner_took_away_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the opening and the locking of the file, a run may end and remove it."""
    lock = Lock(Storage(str(tmp_path)), "aside")
    gone: list[Path] = []
    exists = Path.exists

    def once(path: Path, **more: bool) -> bool:
        if path.name == "lock" and not gone:
            gone.append(path)
            path.unlink()
        return exists(path, **more)

    monkeypatch.setattr(Path, "exists", once)
    lock.take()
    assert gone
    with pytest.raises(UsageError, match="another run writes to"):
        Lock(Storage(str(tmp_path)), "aside").take()
    lock.release()
    assert not exists(tmp_path / "aside" / "lock")
