"""What is kept: counts by hour and version, ids and scores of predictions, truths; in SQL.

    files       what was read, by the digest of what was read of it
    hours       a profile for each file, version and hour
    predictions ids, scores and segments of predictions, as Parquet, for the truth that comes later
    truths      what came true, as Parquet, later ones over earlier ones
    refusals    requests that were refused, as Parquet
    places      up to where topics were read
    states      the state of each model that `watch` saw last, and since when
    told        the state of each model that a webhook was told last
    trainings   the profile that came with a version

SQLite by default, anything else by SQLAlchemy's URL. A file's rows come in one transaction, so that
a command that is killed has counted all of a file or nothing.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from monitoring.entries import Hour, Kept, Only, Training
from monitoring.errors import MonitoringError, UsageError
from monitoring.tables import FILES, HOURS, META, PREDICTIONS, STATES, TOLD, TRAININGS, TRUTHS
from scoring.profiles.profile import profile_of

_LOCK = 0x6D6F6E  # of PostgreSQL, for those that write


class Store:
    """Everything that a store's URL leads to."""

    def __init__(self, url: str) -> None:
        """Open it, and make its tables where there are none. Raises UsageError for a URL that is
        none, MonitoringError where it cannot be opened."""
        try:
            # without a pool: a command asks a few times, and nothing stays open after it
            self._engine = sa.create_engine(
                url if "://" in url else f"sqlite:///{url}", poolclass=sa.NullPool
            )
        except (SQLAlchemyError, ImportError) as error:
            raise UsageError(
                f"--store {url.split('@')[-1]}: {_first(error)}; a file's name or a URL such as "
                "postgresql://user@host/monitoring is expected"
            ) from None
        if self._engine.dialect.name == "sqlite":
            # one writer at a time from the first statement on: sqlite3 would begin at the first
            # change, when what was read before may be old
            sa.event.listen(self._engine, "connect", _plain_sqlite)
        with self._answering():
            META.create_all(self._engine)
        self._only: Only | None = None

    def of(self, only: Only) -> Store:
        """Return the same store, whose predictions are those of one version alone."""
        some = copy.copy(self)
        some._only = only
        return some

    @contextlib.contextmanager
    def writing(self) -> Iterator[Writing]:
        """Yield what writes; all of it is there at the end, or nothing after an exception."""
        with self._answering(), self._engine.connect() as connection:
            if self._engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            try:
                yield Writing(connection)
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def prefixes(self) -> dict[int, set[str]]:
        """Return the digests of what was read, by its length in bytes."""
        found: dict[int, set[str]] = {}
        for length, digest in self.asked(sa.select(FILES.c.bytes, FILES.c.digest)):
            found.setdefault(length, set()).add(digest)
        return found

    def hours(self, model: str, first: int, end: int) -> list[Hour]:
        """Return what is known of the hours from `first` to before `end`, in order."""
        c = HOURS.c
        asked = (
            sa.select(c.version, c.digest, c.hour, c.profile)
            .where(*self._own(c, model), c.hour >= first, c.hour < end)
            .order_by(c.hour, c.id)
        )
        with self._answering(), self._engine.connect() as connection:
            return [Hour(v, d, h, profile_of(p)) for v, d, h, p in connection.execute(asked)]

    def span(self, model: str) -> tuple[int, int] | None:
        """Return the first hour of a model's predictions and the last; None of none."""
        asked = sa.select(sa.func.min(HOURS.c.hour), sa.func.max(HOURS.c.hour)).where(
            HOURS.c.model == model
        )
        with self._answering(), self._engine.connect() as connection:
            first, last = connection.execute(asked).one()
        return None if first is None else (first, last)

    def rows(self, model: str, first: int, end: int) -> dict[int, int]:
        """Return how many predictions there are by hour."""
        c = HOURS.c
        asked = (
            sa.select(c.hour, sa.func.sum(c.rows))
            .where(*self._own(c, model), c.hour >= first, c.hour < end)
            .group_by(c.hour)
        )
        return {hour: int(rows) for hour, rows in self.asked(asked)}

    def predictions(self, model: str, first: int, end: int) -> list[Kept]:
        """Return the predictions kept that may be of the hours from `first` to before `end`."""
        c = PREDICTIONS.c
        asked = sa.select(c.version, c.digest, c.content).where(
            *self._own(c, model), c.last >= first, c.first < end
        )
        return [Kept(*row) for row in self.asked(asked.order_by(c.id))]

    def truths(self, model: str) -> list[tuple[str, bytes]]:
        """Return the truths of a model: their key's name and their content, the last ones last."""
        c = TRUTHS.c
        asked = sa.select(c.key, c.content).where(c.model == model).order_by(c.id)
        return [(key, content) for key, content in self.asked(asked)]

    def told(self, model: str) -> str | None:
        """Return the state that a webhook was told last."""
        found = self.asked(sa.select(TOLD.c.state).where(TOLD.c.model == model))
        return str(found[0][0]) if found else None

    def trainings(self, model: str) -> dict[str, Training]:
        """Return the profiles of a model's trainings by the digest of the version."""
        c = TRAININGS.c
        asked = sa.select(c.version, c.digest, c.described, c.profile, c.threshold)
        return {
            digest: Training(version, digest, described, profile_of(profile), threshold)
            for version, digest, described, profile, threshold in self.asked(
                asked.where(c.model == model)
            )
        }

    def versions(self, model: str) -> dict[tuple[str, str], int]:
        """Return the predictions of a model by version and digest, the last version first."""
        c = HOURS.c
        asked = (
            sa.select(c.version, c.digest, sa.func.sum(c.rows))
            .where(*self._own(c, model))
            .group_by(c.version, c.digest)
            .order_by(sa.func.max(c.hour).desc(), c.version)
        )
        return {(version, digest): int(rows) for version, digest, rows in self.asked(asked)}

    def _own(self, c: Any, model: str) -> list[sa.ColumnElement[bool]]:
        """Return what is true of the rows of a table that are meant."""
        return [c.model == model, *(self._only.clauses(c) if self._only else ())]

    def asked(self, question: sa.Select[Any]) -> list[Any]:
        """Return the rows that answer a question."""
        with self._answering(), self._engine.connect() as connection:
            return list(connection.execute(question))

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            place = self._engine.url.render_as_string(hide_password=True)
            raise MonitoringError(f"the store {place} does not answer: {_first(error)}") from error


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


def _plain_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA busy_timeout = 60000")


def _first(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
