"""From a column's name to the name of a record's field: a Python name that pydantic leaves free."""

from __future__ import annotations

import keyword
import re
import unicodedata
from typing import Final

from pydantic import BaseModel

_TAKEN: Final = {name for name in dir(BaseModel) if not name.startswith("_")}


def identifier(text: str) -> str:
    """Return the name of the field that stands for a column: `Annual Income ($)` is
    `Annual_Income`, a name that Python or pydantic has taken gets a `_`."""
    text = unicodedata.normalize("NFKC", text)  # as Python reads names
    name = re.sub(r"\W+", "_", text.strip()).strip("_") or "field"
    if not f"x{name}".isidentifier():  # digits that stand above a line, for instance
        name = re.sub(r"[^0-9A-Za-z_]+", "_", name).strip("_") or "field"
    name = f"x_{name}" if name[0].isdigit() else name
    return f"{name}_" if keyword.iskeyword(name) or name in _TAKEN or name[:6] == "model_" else name
