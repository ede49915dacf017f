"""A model that is watched: what asks for a run, and the run where nothing speaks against it.

    clock, data, monitoring, webhook, hand -> events -> debounced -> limits -> one run
                                                                        | or why not

What was done about an event is kept with it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from pipeline import observe, records
from pipeline.errors import LostError, PipelineError, RefusedError, StoppedError
from pipeline.limits import held_back
from pipeline.notify import People
from pipeline.reasons import Nothing
from pipeline.records import Busy
from pipeline.run import Asked, alone, files, inputs_of, run_alone
from pipeline.shared.lease import Lease
from pipeline.shared.store import DONE, WAITS, Event, Store
from pipeline.triggers import clock, data, monitored
from scoring.errors import StartError

HAND: Final = "hand"
_PATIENCE: Final = 10  # times the debounce, after which what keeps coming is run all the same
_DELIVER_S: Final = 60
_SHOWN: Final = 3  # triggers that a run names

_log = logging.getLogger(__name__)


class Watcher:
    """One model on one machine; any number of them may watch it."""

    def __init__(
        self, asked: Asked, people: People, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.asked = asked
        self.people = people
        self.store = people.store
        self._monotonic = monotonic
        self._look_at = self._retry_at = self._deliver_at = float("-inf")
        self._came: dict[int, float] = {}  # when an event was first seen, by a clock that none sets
        self._said = ""

    def turn(self) -> None:
        """Look for what asks for a run, and run where it is time. What fails is said and tried
        again at a later turn. Raises StoppedError where a signal ends it."""
        try:
            self._deliver()
            self._look()
            if waiting := self._ready():
                self._run(waiting)
        except LostError as error:
            self.say(str(error))
        except StoppedError:
            raise
        except Busy:
            return  # whoever is at work has the same events
        except (PipelineError, StartError, OSError) as error:
            self.say(f"{error}; it is tried again")

    def say(self, line: str) -> None:
        """Log a line, once until another comes."""
        if line != self._said:
            _log.warning("%s: %s", self.asked.model.name, " ".join(line.split()))
        self._said = line

    def _look(self) -> None:
        """Add events; each kind is looked for though another cannot be."""
        config, name = self.asked.config.watch, self.asked.model.name
        clock.look(self.store, name, config, datetime.now(UTC))
        if self._monotonic() < self._look_at:
            return
        self._look_at = self._monotonic() + config.look_minutes * 60
        looks: list[Callable[[Asked, Store], object]] = [self._observe, monitored.look]
        looks += [data.look] if config.new_data else []
        for look in looks:
            try:
                look(self.asked, self.store)
            except StoppedError:
                raise
            except (PipelineError, StartError, OSError) as error:
                self.say(f"{error}; it is looked for again in {config.look_minutes:g} minutes")
                self.people.say(name, records.FAILED, str(error))

    def _observe(self, asked: Asked, store: Store) -> None:
        try:
            said = observe.look(asked, store)
        except Busy:
            return
        if said:
            self.say(said)

    def _deliver(self) -> None:
        """Send what nobody took, once a minute."""
        if self._monotonic() >= self._deliver_at:
            self._deliver_at = self._monotonic() + _DELIVER_S
            self.people.deliver()

    def _ready(self) -> list[Event]:
        """Return what waits, where nothing new has come for as long as the debounce, or it has been
        waited for long enough, or somebody asked by hand."""
        waiting = self.store.events(self.asked.model.name, state=WAITS)
        now, quiet = self._monotonic(), self.asked.config.watch.debounce_seconds
        self._came = {one.id: self._came.get(one.id, now) for one in waiting}
        if not waiting or any(one.kind == HAND and not one.said for one in waiting):
            return waiting
        if now < self._retry_at:
            return []
        ages = [now - came for came in self._came.values()]
        return waiting if min(ages) >= quiet or max(ages) >= _PATIENCE * quiet else []

    def _run(self, waiting: list[Event]) -> None:
        with alone(self.asked) as lease:
            # another watcher may have done it before we had the lease
            waiting = self.store.events(self.asked.model.name, state=WAITS)
            if not waiting:
                return
            by_hand = any(one.kind == HAND for one in waiting)
            if not by_hand and self._is_held_back(waiting):
                return
            whys = list(dict.fromkeys(one.why for one in waiting if one.kind != data.KIND))
            because = "; ".join(whys[:_SHOWN])
            self._answer(waiting, *self._done(replace(self.asked, because=because), lease))

    def _is_held_back(self, waiting: list[Event]) -> bool:
        asked, config = self.asked, self.asked.config.watch
        finished = self.store.finished(asked.model.name)
        if said := held_back(finished, config, datetime.now(UTC)):
            self._answer(waiting, WAITS, said)
            return True
        if not config.min_new_rows:
            return False
        rows = data.new_rows(inputs_of(asked, files(asked)), asked.runs)
        if rows >= config.min_new_rows:
            return False
        said = f"not run: {rows} new rows, {config.min_new_rows} are asked for (min_new_rows)"
        self._answer(waiting, DONE, said)
        return True

    def _done(self, asked: Asked, lease: Lease | None) -> tuple[str, str]:
        """Run, and return the state of the events that asked for it and what is said of them."""
        try:
            record = run_alone(asked, lease)
        except Nothing as found:
            return DONE, f"not run: {found}"
        except RefusedError as error:
            return DONE, f"run {self._last()} was refused: {error}"
        except StoppedError:
            raise
        except (PipelineError, StartError, OSError) as error:
            minutes = asked.config.watch.retry_minutes
            self._retry_at = self._monotonic() + minutes * 60
            return WAITS, f"failed, and is tried again in {minutes:g} minutes: {error}"
        return DONE, f"run {record['run']}: {record['state']}: {record['said']}"

    def _last(self) -> str:
        return str(self.asked.runs.all()[-1]["run"])

    def _answer(self, events: list[Event], state: str, said: str) -> None:
        said = " ".join(said.split())
        if state == WAITS and all(one.said == said for one in events):
            return
        self.store.answer(self.asked.model.name, [one.id for one in events], state, said)
        self.say(said)
