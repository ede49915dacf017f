"""What is kept: counts by hour and version, ids and scores of predictions, truths; in SQL.

    files       what was read, by the digest of what was read of it
    hours       a profile for each file, version and hour
    days        their sum for each version and day
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
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from monitoring.entries import Hour, Kept, Only, Training
from monitoring.errors import MonitoringError, UsageError
from monitoring.tables import DAYS, FILES, HOURS, META, PREDICTIONS, TOLD, TRAININGS, TRUTHS
from monitoring.writing import DAY, Writing
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

    def days(self, model: str, first: int, end: int) -> list[Hour]:
        """Return what `hours` does in fewer parts: of a whole day the sum, as of its first hour."""
        begin, finish = -(-first // DAY), end // DAY
        if begin >= finish:
            return self.hours(model, first, end)
        c = DAYS.c
        asked = (
            sa.select(c.version, c.digest, c.day, c.profile)
            .where(*self._own(c, model), c.day >= begin, c.day < finish)
            .order_by(c.day, c.version, c.digest)
        )
        with self._answering(), self._engine.connect() as connection:
            whole = [Hour(v, d, DAY * n, profile_of(p)) for v, d, n, p in connection.execute(asked)]
        before, after = self.hours(model, first, DAY * begin), self.hours(model, DAY * finish, end)
        return [*before, *whole, *after]

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


def _plain_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA busy_timeout = 60000")


def _first(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
