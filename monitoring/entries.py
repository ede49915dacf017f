"""What a store takes and gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from scoring.profiles.profile import Profile

UNKNOWN: Final = "unknown"  # the digest of predictions that do not tell it


class Hour(NamedTuple):
    """A version's hour, as a file told it."""

    version: str
    digest: str
    hour: int  # since 1970
    profile: Profile


class Training(NamedTuple):
    """The profile that a version's training wrote, and what it says of itself."""

    version: str
    digest: str
    described: str
    profile: Profile
    threshold: float | None = None  # of a class


class Kept(NamedTuple):
    """Predictions of one version, as Parquet."""

    version: str
    digest: str
    content: bytes


@dataclass(frozen=True)
class Only:
    """One version: what it is called, and its artifact's digest where that is known."""

    version: str
    digest: str | None = None

    def clauses(self, c: Any) -> list[sa.ColumnElement[bool]]:
        """Return what is true of its rows in a table with these columns."""
        named: sa.ColumnElement[bool] = c.version == self.version
        if self.digest is None:
            return [named]
        return [(c.digest == self.digest) | ((c.digest == UNKNOWN) & named)]
