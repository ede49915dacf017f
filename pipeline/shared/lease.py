"""A model's lease: one holder at a time on all machines, and a token that fences off those before.

    take -> token 7 -> renewed every third of the lease: beat 1, 2, 3 ... -> given back
                          | no new beat for a whole lease
                       another takes token 8; the holder of 7 may not move anything any more

No clock is compared with another: whoever wants the lease looks whether its beat has changed, and
waits by a clock of his own that cannot be set. What moves a champion does so in a transaction that
has the lease's row: none can take it over meanwhile, and none that has lost it comes that far.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from pipeline.errors import LostError, PipelineError, StoppedError
from pipeline.records import Busy, now
from pipeline.shared.store import Store
from pipeline.shared.tables import LEASES
from scoring.process.atomic_files import write_file

LEASE_S: Final = 60.0
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


class Leases:
    """The leases that one folder of runs may take. Its own lock, which is the operating system's,
    must be held by the caller: a lease of this very folder is then one that a dead process had."""

    def __init__(
        self,
        store: Store,
        folder: Path,
        *,
        lease_s: float = LEASE_S,
        lost: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`lost` is called, in a thread, when a lease that is held is lost."""
        self.store = store
        self._folder = folder
        self._lease_s = lease_s
        self._lost = lost
        self._clock = clock

    @property
    def holder(self) -> str:
        """The name of this folder of runs, made where it has none."""
        place = self._folder / "holder"
        with contextlib.suppress(FileNotFoundError):
            return place.read_text(encoding="utf-8").strip()
        write_file(place, uuid.uuid4().hex.encode())
        return place.read_text(encoding="utf-8").strip()

    @contextlib.contextmanager
    def held(self, model: str) -> Iterator[Lease]:
        """Hold a model's lease, renewed by a thread. Raises Busy where another has it."""
        lease = Lease(self.store, model, self._take(model), self.holder)
        thread = threading.Thread(
            target=self._renew, args=(lease,), daemon=True, name=f"lease of {model}"
        )
        thread.start()
        try:
            yield lease
        finally:
            lease.ended.set()
            thread.join()
            try:
                lease.give_back()
            except StoppedError:
                raise
            except PipelineError:  # the database is away: it ends by itself
                pass

    def _take(self, model: str) -> int:
        who = f"process {os.getpid()} on {socket.gethostname()} since {now()}"
        with self.store.writing() as connection:
            row = self.store.lease(connection, model)
            if row.holder not in ("", self.holder) and not self._stands_still(row):
                raise Busy(f"a run of {model} is at work ({row.who}): it goes on alone")
            connection.execute(
                sa.update(LEASES)
                .where(LEASES.c.model == model)
                .values(token=row.token + 1, beat=0, holder=self.holder, who=who)
            )
            return int(row.token) + 1

    def _stands_still(self, row: Any) -> bool:
        """Tell whether a lease has had no new beat for as long as it holds. What was seen of it is
        kept in a file, so that commands which come and go see it, too."""
        place = self._folder / "lease.json"
        boot = _BOOT.read_text(encoding="utf-8").strip() if _BOOT.exists() else ""
        seen = {"boot": boot, "model": row.model, "token": row.token, "beat": row.beat}
        known: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError):
            known = json.loads(place.read_bytes())
        clock = self._clock()
        if {name: known.get(name) for name in seen} == seen and clock >= known["clock"]:
            return bool(clock - known["clock"] >= self._lease_s)
        write_file(place, json.dumps({**seen, "clock": clock}).encode())
        return False

    def _renew(self, lease: Lease) -> None:
        last = self._clock()
        while not lease.ended.wait(self._lease_s / 3):
            try:
                alive = lease.renew()
            except PipelineError:  # the database is away: nobody else gets the lease meanwhile
                if self._clock() - last < self._lease_s * 2 / 3:
                    continue
                alive = False  # but may as soon as it is back
            last = self._clock()
            if not alive:
                lease.lost.set()
                self._lost()
                return


class Lease:
    """A lease that is held."""

    def __init__(self, store: Store, model: str, token: int, holder: str) -> None:
        self.store = store
        self.token = token
        self.holder = holder
        self.ended = threading.Event()
        self.lost = threading.Event()
        self._model = model
        self._moving = threading.Lock()

    @contextlib.contextmanager
    def fenced(self) -> Iterator[None]:
        """Let the block move what serves: nobody takes the lease over before it ends. Raises
        LostError where another has taken it already."""
        with self._moving, self.store.writing() as connection:
            row = self.store.lease(connection, self._model)
            if row.token != self.token:
                raise LostError(
                    f"{row.who} has taken over (token {row.token}, this run's is {self.token}): "
                    "nothing was moved"
                )
            yield

    def renew(self) -> bool:
        """Say that the holder lives; return False where another is the holder now."""
        with self._moving:  # while something is moved, the row cannot be changed, nor taken
            return self._changed(beat=LEASES.c.beat + 1)

    def give_back(self) -> None:
        """Let others take it at once."""
        self._changed(holder="", who="")

    def _changed(self, **values: Any) -> bool:
        c = LEASES.c
        which = (c.model == self._model, c.token == self.token)
        with self.store.writing() as connection:
            return connection.execute(sa.update(LEASES).where(*which).values(values)).rowcount == 1
