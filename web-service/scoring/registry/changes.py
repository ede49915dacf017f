"""Which version served since when, set by whom and why, as the registry has it.

`python -m training.registry` leaves a tag of the registered model for each change. It is for
people: nothing is served by it, and a tag that cannot be read is left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

HISTORY: Final = "champion.history."  # what the tags' names begin with; a time follows
_KEPT: Final = 20  # the last ones

_Text = Annotated[str, StringConstraints(max_length=2000)]


class Change(BaseModel):
    """A version that became the champion; `before` is the one that was it, empty of the first."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    when: _Text  # UTC
    action: _Text
    to: _Text
    before: _Text = ""
    by: _Text = ""
    why: _Text = ""
    forced: bool = False


def changes(tags: Mapping[str, str]) -> list[Change]:
    """Return the changes that a registered model's tags tell of, the oldest first."""
    found = []
    for key in sorted(key for key in tags if key.startswith(HISTORY))[-_KEPT:]:
        try:
            told = json.loads(tags[key])
            found.append(Change.model_validate({**told, "before": told.get("from") or ""}))
        except (ValueError, RecursionError, TypeError, AttributeError, ValidationError):
            continue
    return found
