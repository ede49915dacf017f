"""The tables of a store."""

from __future__ import annotations

import sqlalchemy as sa

META = sa.MetaData()
LEASES = sa.Table(
    "leases", META,
    sa.Column("model", sa.String(64), primary_key=True),
    sa.Column("token", sa.BigInteger, nullable=False),  # one more with each holder: the fence
    sa.Column("beat", sa.BigInteger, nullable=False),  # one more with each renewal
    sa.Column("holder", sa.String(64), nullable=False),  # a folder of runs; "" where it is free
    sa.Column("who", sa.Text, nullable=False),  # for people
)  # fmt: skip
RUNS = sa.Table(
    "runs", META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("holder", sa.String(64), nullable=False),
    sa.Column("run", sa.String(64), nullable=False),
    sa.Column("plan", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("said", sa.Text, nullable=False),
    sa.Column("finished", sa.String(32)),
    sa.UniqueConstraint("model", "holder", "run"),
)  # fmt: skip
EVENTS = sa.Table(
    "events", META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("identity", sa.String(64), nullable=False),  # what comes twice counts once
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("at", sa.String(32), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("said", sa.Text, nullable=False),  # what was done about it, or why nothing was
    sa.UniqueConstraint("model", "identity"),
)  # fmt: skip
MARKS = sa.Table(
    "marks", META,
    sa.Column("model", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),  # JSON
)  # fmt: skip
MESSAGES = sa.Table(
    "messages", META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("channel", sa.String(16), nullable=False),
    sa.Column("delivery", sa.String(32), nullable=False),
    sa.Column("body", sa.Text, nullable=False),  # JSON
    sa.Column("at", sa.String(32), nullable=False),
    sa.Column("sent", sa.String(32)),
    sa.UniqueConstraint("channel", "delivery"),
)  # fmt: skip
