"""What the numbers in a record are called: facts from public lists, one CSV file a list.

A field of a record says which list its numbers are from with
`json_schema_extra={"x-names": "taxi_zones"}`. Another list is another file here, whose first column
is the number and whose other columns make the name.

`taxi_zones.csv`: the TLC's 265 taxi zones, number, zone and borough; 264 and 265 are what the
meters write where they do not know.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping
from importlib import resources
from typing import Final

EXTENSION: Final = "x-names"


@functools.cache
def names(list_name: str) -> Mapping[int, str]:
    """Return the names of a list by number: `{132: "JFK Airport, Queens", ...}`. Raises
    FileNotFoundError for a list that there is not."""
    text = resources.files(__name__).joinpath(f"{list_name}.csv").read_text(encoding="utf-8")
    rows = list(csv.reader(text.splitlines()))[1:]
    return {int(number): ", ".join(filter(None, words)) for number, *words in rows}


def number_of(list_name: str, text: str) -> int | None:
    """Return the number that `text` stands for: one at its beginning (`132 JFK Airport`), a whole
    name, or a part of exactly one name; None otherwise."""
    text = text.strip()
    digits = text.partition(" ")[0]
    if digits.isdecimal() and digits.isascii() and len(digits) < 10:
        return int(digits)
    wanted = text.casefold()
    known = names(list_name)
    for matches in (
        [number for number, name in known.items() if name.casefold() == wanted],
        [number for number, name in known.items() if wanted and wanted in name.casefold()],
    ):
        if len(matches) == 1:
            return matches[0]
    return None
