"""The tables of a store."""

from __future__ import annotations

import sqlalchemy as sa

META = sa.MetaData()
FILES = sa.Table(
    "files", META,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("bytes", sa.BigInteger, nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("taken", sa.String(32), nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("bad", sa.BigInteger, nullable=False),
)  # fmt: skip
HOURS = sa.Table(
    "hours", META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("file", sa.String(64), nullable=False),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("version", sa.String(128), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("hour", sa.Integer, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("profile", sa.LargeBinary, nullable=False),
    sa.Index("hours_by_time", "model", "hour"),
)  # fmt: skip
DAYS = sa.Table(
    "days", META,
    sa.Column("model", sa.String(64), primary_key=True),
    sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("version", sa.String(128), primary_key=True),
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("profile", sa.LargeBinary, nullable=False),
)  # fmt: skip
PREDICTIONS = sa.Table(
    "predictions", META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("version", sa.String(128), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("first", sa.Integer, nullable=False),
    sa.Column("last", sa.Integer, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Index("predictions_by_time", "model", "first", "last"),
)  # fmt: skip
TRUTHS = sa.Table(
    "truths", META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("file", sa.String(64), nullable=False),
    sa.Column("model", sa.String(64), nullable=False, index=True),
    sa.Column("key", sa.String(64), nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
)  # fmt: skip
REFUSALS = sa.Table(
    "refusals", META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("file", sa.String(64), nullable=False),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("first", sa.Integer, nullable=False),
    sa.Column("last", sa.Integer, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Index("refusals_by_time", "model", "first", "last"),
)  # fmt: skip
PLACES = sa.Table(
    "places", META,
    sa.Column("topic", sa.String(64), primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("place", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
)  # fmt: skip
TOLD = sa.Table(
    "told", META,
    sa.Column("model", sa.String(64), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("at", sa.String(32), nullable=False),
)  # fmt: skip
STATES = sa.Table(
    "states", META,
    sa.Column("model", sa.String(64), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("since", sa.String(32), nullable=False),
)  # fmt: skip
TRAININGS = sa.Table(
    "trainings", META,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("model", sa.String(64), nullable=False, index=True),
    sa.Column("version", sa.String(128), nullable=False),
    sa.Column("described", sa.Text, nullable=False),
    sa.Column("threshold", sa.Float),
    sa.Column("profile", sa.LargeBinary, nullable=False),
)  # fmt: skip
