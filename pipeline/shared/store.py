"""A store: SQLite by default, anything else by SQLAlchemy's URL.

leases    who may run a model, with the token that promotions check
runs      what was run on any machine, so that none does it again
events    what asked for a run, and what was done about it, or why nothing was
marks     small values: what is observed, what the clock fired last, what was told last
messages  what is to be told to people, until it is taken
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from pipeline.errors import PipelineError, UsageError
from pipeline.records import FINISHED, ROLLED_BACK, Record, now
from pipeline.shared.tables import EVENTS, LEASES, MARKS, MESSAGES, META, RUNS

WAITS: Final = "waits"
DONE: Final = "done"
_TABLES_LOCK: Final = 0x706970  # of PostgreSQL, for those that make the tables
_SHOWN: Final = 200  # events of a model, and messages, that are kept once they are done


class Event(NamedTuple):
    """Something that asks for a run."""

    id: int
    kind: str  # clock, data, monitoring, webhook, hand
    why: str
    at: str  # UTC
    state: str
    said: str


class Message(NamedTuple):
    """Something that people are to be told."""

    id: int
    channel: str
    delivery: str
    body: dict[str, Any]


class Store:
    """Everything that a store's URL leads to."""

    def __init__(self, url: str) -> None:
        """Open it, and make its tables where there are none. Raises UsageError for a URL that is
        none, PipelineError where it cannot be opened."""
        try:
            # without a pool: it is asked a few times a minute, and nothing stays open after it
            self._engine = sa.create_engine(
                url if "://" in url else f"sqlite:///{url}", poolclass=sa.NullPool
            )
        except (SQLAlchemyError, ImportError) as error:
            raise UsageError(
                f"--store {url.split('@')[-1]}: {_first(error)}; a file's name or a URL such as "
                "postgresql://user@host/pipeline is expected"
            ) from None
        if self._engine.dialect.name == "sqlite":
            # one writer at a time from the first statement on: sqlite3 would begin at the first
            # change, when what was read before may be old
            sa.event.listen(self._engine, "connect", _plain_sqlite)
        with self.writing() as connection:
            if self._engine.dialect.name != "sqlite":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_TABLES_LOCK)))
            META.create_all(connection)

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Yield a transaction: all of it is there at the end, or nothing after an exception. Raises
        PipelineError where the database does not answer."""
        try:
            with self._engine.connect() as connection:
                if self._engine.dialect.name == "sqlite":
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                try:
                    yield connection
                except BaseException:
                    connection.rollback()
                    raise
                connection.commit()
        except SQLAlchemyError as error:
            place = self._engine.url.render_as_string(hide_password=True)
            raise PipelineError(f"the store {place} does not answer: {_first(error)}") from error

    def lease(self, connection: sa.Connection, model: str) -> Any:
        """Return the row of a model's lease, made where there is none; nobody else changes it until
        the transaction ends."""
        asked = sa.select(LEASES).where(LEASES.c.model == model).with_for_update()
        if (found := connection.execute(asked).one_or_none()) is not None:
            return found
        with contextlib.suppress(IntegrityError), connection.begin_nested():
            connection.execute(sa.insert(LEASES).values(
                model=model, token=0, beat=0, holder="", who=""))  # fmt: skip
        return connection.execute(asked).one()

    def note_run(self, holder: str, record: Record) -> None:
        """Keep how a run stands, for those who have other folders of runs. What was rolled back
        stays so, though the folder that ran it may not know."""
        c = RUNS.c
        values = {key: record[key] for key in ("plan", "state", "said", "finished")}
        which = (c.model == record["model"], c.holder == holder, c.run == record["run"])
        with self.writing() as connection:
            state = connection.execute(sa.select(c.state).where(*which)).scalar()
            if state is None:
                connection.execute(sa.insert(RUNS).values(
                    model=record["model"], holder=holder, run=record["run"], **values))  # fmt: skip
            elif state != ROLLED_BACK:
                connection.execute(sa.update(RUNS).where(*which).values(values))

    def set_state(self, model: str, holder: str, run: str, values: Mapping[str, str]) -> None:
        """Keep that a run that ended is in another state now."""
        c = RUNS.c
        which = (c.model == model, c.holder == holder, c.run == run)
        with self.writing() as connection:
            connection.execute(sa.update(RUNS).where(*which).values(**values))

    def finished(self, model: str) -> list[dict[str, Any]]:
        """Return the runs that ended and are not done again, the newest first."""
        asked = sa.select(RUNS).where(RUNS.c.model == model, RUNS.c.state.in_(FINISHED))
        with self.writing() as connection:
            return [row._asdict() for row in connection.execute(asked.order_by(RUNS.c.id.desc()))]

    def add_event(self, model: str, kind: str, identity: str, why: str) -> bool:
        """Keep what asks for a run; return False where this very thing has asked before."""
        identity = hashlib.sha256(identity.encode()).hexdigest()
        values = {"model": model, "kind": kind, "identity": identity, "why": why, "at": now(),
                  "state": WAITS, "said": ""}  # fmt: skip
        with self.writing() as connection:
            known = sa.select(EVENTS.c.id).where(
                EVENTS.c.model == model, EVENTS.c.identity == identity
            )
            if connection.execute(known).first() is not None:
                return False
            try:
                with connection.begin_nested():
                    connection.execute(sa.insert(EVENTS).values(values))
            except IntegrityError:  # of another watcher, between the two statements
                return False
        return True

    def events(self, model: str, *, state: str | None = None) -> list[Event]:
        """Return what asked for runs, the oldest first."""
        c = EVENTS.c
        asked = sa.select(c.id, c.kind, c.why, c.at, c.state, c.said).where(c.model == model)
        if state is not None:
            asked = asked.where(c.state == state)
        with self.writing() as connection:
            return [Event(*row) for row in connection.execute(asked.order_by(c.id))]

    def answer(self, model: str, ids: list[int], state: str, said: str) -> None:
        """Keep what was done about events, or why nothing was; old ones go."""
        c = EVENTS.c
        with self.writing() as connection:
            connection.execute(
                sa.update(EVENTS).where(c.id.in_(ids)).values(state=state, said=said)
            )
            kept = (
                sa.select(c.id).where(c.model == model).order_by(c.id.desc()).limit(_SHOWN)
            ).scalar_subquery()
            connection.execute(
                sa.delete(EVENTS).where(c.model == model, c.state == DONE, c.id.not_in(kept))
            )

    def mark(self, model: str, name: str) -> Any:
        """Return a small value, None where there is none."""
        c = MARKS.c
        with self.writing() as connection:
            found = connection.execute(
                sa.select(c.value).where(c.model == model, c.name == name)
            ).scalar()
        return None if found is None else json.loads(found)

    def set_mark(self, model: str, name: str, value: Any) -> None:
        """Keep a small value; None removes it."""
        c = MARKS.c
        with self.writing() as connection:
            connection.execute(sa.delete(MARKS).where(c.model == model, c.name == name))
            if value is not None:
                connection.execute(
                    sa.insert(MARKS).values(model=model, name=name, value=json.dumps(value))
                )

    def add_message(self, model: str, channel: str, delivery: str, body: Mapping[str, Any]) -> None:
        """Keep what is to be told, once for its delivery."""
        values = {"model": model, "channel": channel, "delivery": delivery, "at": now(),
                  "body": json.dumps(body)}  # fmt: skip
        with (
            self.writing() as connection,
            contextlib.suppress(IntegrityError),
            connection.begin_nested(),
        ):
            connection.execute(sa.insert(MESSAGES).values(values))

    def unsent(self) -> list[Message]:
        """Return what nobody has taken yet, the oldest first."""
        c = MESSAGES.c
        asked = sa.select(c.id, c.channel, c.delivery, c.body).where(c.sent.is_(None))
        with self.writing() as connection:
            return [
                Message(id_, channel, delivery, json.loads(body))
                for id_, channel, delivery, body in connection.execute(asked.order_by(c.id))
            ]

    def note_sent(self, message: Message) -> None:
        """Keep that a message was taken; old ones go."""
        c = MESSAGES.c
        with self.writing() as connection:
            connection.execute(sa.update(MESSAGES).where(c.id == message.id).values(sent=now()))
            connection.execute(
                sa.delete(MESSAGES).where(c.sent.is_not(None), c.id < message.id - _SHOWN)
            )


def _plain_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA busy_timeout = 60000")


def _first(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
