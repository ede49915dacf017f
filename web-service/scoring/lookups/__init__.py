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
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib import resources
from typing import Final

EXTENSION: Final = "x-names"
_LONGEST: Final = 80  # characters of a text that are compared


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
    whole = [number for number, name in names(list_name).items() if name.casefold() == wanted]
    for matches in (whole, _holding(list_name, wanted)):
        if len(matches) == 1:
            return matches[0]
    return None


def matching(list_name: str, text: str) -> list[str]:
    """Return the names that hold `text`, each behind its number, in the list's order."""
    return _numbered(list_name, _holding(list_name, text.strip().casefold()))


def nearest(list_name: str, text: str, most: int) -> list[str]:
    """Return the `most` names most like `text`, each behind its number, the most alike first. A
    name is compared whole, and without what it lies in."""
    known = {
        form: number
        for number, name in names(list_name).items()
        for form in (name.casefold(), name.partition(", ")[0].casefold())
    }
    alike = get_close_matches(text.strip().casefold()[:_LONGEST], known, n=2 * most, cutoff=0.5)
    return _numbered(list_name, dict.fromkeys(known[form] for form in alike))[:most]


def _holding(list_name: str, wanted: str) -> list[int]:
    known = names(list_name).items()
    return [number for number, name in known if wanted and wanted in name.casefold()]


def _numbered(list_name: str, numbers: Iterable[int]) -> list[str]:
    return [f"{number} {names(list_name)[number]}" for number in numbers]
