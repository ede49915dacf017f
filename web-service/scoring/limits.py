"""How much one request, or one call, may hold: a single object that travels as one argument.

To add a limit: a field here, a setting of the same name in `serving/settings.py`, and the place
that asks it.
"""

from __future__ import annotations

from dataclasses import dataclass

from scoring.errors import TooLarge


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Upper bounds of what is accepted; the defaults are those of the settings."""

    max_body_bytes: int = 1024 * 1024
    max_records: int = 10_000
    # Bad fields listed in one answer: enough for a person, bounded for the network.
    max_errors: int = 1000
    # Explaining takes many times the time and the bytes of predicting.
    max_explained: int = 1000

    def check_records(self, count: int) -> None:
        """Raise TooLarge for more than `max_records` records."""
        if count > self.max_records:
            raise TooLarge(f"{count} records in one request; at most {self.max_records} are taken")

    def check_explained(self, count: int) -> None:
        """Raise TooLarge for more than `max_explained` records to explain."""
        if count > self.max_explained:
            raise TooLarge(
                f"{count} records to explain; at most {self.max_explained} in one request"
            )
