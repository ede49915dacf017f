"""What is written to a store: all of one transaction, or nothing of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from monitoring.entries import Hour, Kept, Training
from monitoring.tables import DAYS, FILES, HOURS, PREDICTIONS, STATES, TOLD, TRAININGS, TRUTHS
from scoring.profiles.profile import Profile, add, profile_of

DAY: Final = 24  # hours


class Writing:
    """One transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def knows(self, digest: str) -> bool:
        """Tell whether what has this digest was read already."""
        asked = sa.select(FILES.c.digest).where(FILES.c.digest == digest)
        return self._connection.execute(asked).first() is not None

    def add_file(self, digest: str, length: int, name: str, rows: int, bad: int) -> None:
        """Note that a file was read to this length."""
        taken = datetime.now(UTC).isoformat(timespec="seconds")
        self.insert(
            FILES,
            [{"digest": digest, "bytes": length, "name": name, "taken": taken, "rows": rows,
              "bad": bad}],
        )  # fmt: skip

    def add_hours(self, file: str, hours: Sequence[Hour]) -> None:
        """Keep profiles of hours that the file with this digest held."""
        self.insert(
            HOURS,
            [
                {"file": file, "model": one.profile.model, "version": one.version,
                 "digest": one.digest, "hour": one.hour, "rows": one.profile.rows,
                 "profile": one.profile.content()}
                for one in hours
            ],
        )  # fmt: skip
        days: dict[tuple[str, str, str, int], list[Profile]] = {}
        for one in hours:
            key = (one.profile.model, one.version, one.digest, one.hour // DAY)
            days.setdefault(key, []).append(one.profile)
        for key, parts in days.items():
            self._add_day(dict(zip(("model", "version", "digest", "day"), key, strict=True)), parts)

    def _add_day(self, key: Mapping[str, Any], parts: list[Profile]) -> None:
        """Add profiles to the sum of their day, of which a report of many days is made."""
        own = [DAYS.c[name] == value for name, value in key.items()]
        if found := self.asked(sa.select(DAYS.c.profile).where(*own)):
            self.delete(DAYS, *own)
        whole = add([*(profile_of(content) for (content,) in found), *parts])
        self.insert(DAYS, [{**key, "rows": whole.rows, "profile": whole.content()}])

    def add_predictions(self, model: str, kept: Kept, first: int, last: int, rows: int) -> None:
        """Keep predictions of the hours from `first` to `last`."""
        self.insert(
            PREDICTIONS,
            [{"model": model, "version": kept.version, "digest": kept.digest, "first": first,
              "last": last, "rows": rows, "content": kept.content}],
        )  # fmt: skip

    def add_truths(self, file: str, model: str, key: str, rows: int, content: bytes) -> None:
        """Keep what came true."""
        self.insert(
            TRUTHS,
            [{"file": file, "model": model, "key": key, "rows": rows, "content": content}],
        )  # fmt: skip

    def add_training(self, training: Training) -> None:
        """Keep the profile of a version, once."""
        asked = sa.select(TRAININGS.c.digest).where(TRAININGS.c.digest == training.digest)
        if self._connection.execute(asked).first() is None:
            self.insert(
                TRAININGS,
                [{"digest": training.digest, "model": training.profile.model,
                  "version": training.version, "described": training.described,
                  "profile": training.profile.content(), "threshold": training.threshold}],
            )  # fmt: skip

    def note_told(self, model: str, state: str) -> None:
        """Keep what a webhook was told of a model."""
        self.delete(TOLD, TOLD.c.model == model)
        at = datetime.now(UTC).isoformat(timespec="seconds")
        self.insert(TOLD, [{"model": model, "state": state, "at": at}])

    def since(self, model: str, state: str) -> str:
        """Note the state of a model, and return since when it is that: UTC, to the minute."""
        c = STATES.c
        asked = sa.select(c.since).where(c.model == model, c.state == state)
        if (found := self._connection.execute(asked).scalar()) is not None:
            return str(found)
        self.delete(STATES, c.model == model)
        now = f"{datetime.now(UTC):%Y-%m-%d %H:%M}"
        self.insert(STATES, [{"model": model, "state": state, "since": now}])
        return now

    def newest_predictions(self) -> int:
        """Return what `predictions` takes for those that are there now."""
        asked = sa.select(sa.func.max(PREDICTIONS.c.id))
        return int(self._connection.execute(asked).scalar() or 0)

    def predictions(self, model: str, first: int, last: int, newest: int) -> list[Kept]:
        """Return the predictions kept that may be of these hours, those up to `newest` alone."""
        c = PREDICTIONS.c
        asked = sa.select(c.version, c.digest, c.content).where(
            c.model == model, c.last >= first, c.first <= last, c.id <= newest
        )
        return [Kept(*row) for row in self._connection.execute(asked)]

    def scales(self, model: str, digest: str) -> dict[str, int] | None:
        """Return the scales of a version's training, else those of the model's last hour."""
        c, d = TRAININGS.c, HOURS.c
        for asked in (
            sa.select(c.profile).where(c.digest == digest),
            sa.select(d.profile).where(d.model == model).order_by(d.id.desc()).limit(1),
        ):
            if (found := self._connection.execute(asked).scalar()) is not None:
                return profile_of(found).scales
        return None

    def asked(self, question: sa.Select[Any]) -> list[Any]:
        """Return the rows that answer a question."""
        return list(self._connection.execute(question))

    def delete(self, table: sa.Table, *where: sa.ColumnElement[bool]) -> None:
        """Forget these rows."""
        self._connection.execute(sa.delete(table).where(*where))

    def insert(self, table: sa.Table, rows: list[dict[str, Any]]) -> None:
        """Keep these rows."""
        if rows:
            self._connection.execute(sa.insert(table), rows)
