"""Names, numbers and texts as C has them."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator
from typing import Final

from training.export.form import ExportError, Input

_RESERVED: Final = {
    *("auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else"),
    *("enum", "extern", "float", "for", "goto", "if", "inline", "int", "long", "register"),
    *("restrict", "return", "short", "signed", "sizeof", "static", "struct", "switch", "typedef"),
    *("union", "unsigned", "void", "volatile", "while"),
}


def quoted(text: object) -> str:
    """Return a literal of C; whatever is not plain ASCII as octal numbers."""
    made = [
        chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}"
        for byte in str(text).encode()
    ]
    return f'"{"".join(made)}"'


def name_of(one: Input) -> str:
    """Return the member of the record's struct that an input is."""
    if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", one.name):
        raise ExportError(f"field '{one.name}' is no name in C, whose letters are A to Z")
    reserved = one.name in _RESERVED or keyword.iskeyword(one.name)
    return f"{one.name}_" if reserved else one.name


def plain(words: str) -> str:
    """Return words without what could end a comment."""
    return "".join(c for c in words if c.isprintable() and c not in "*/\\")


def number(value: float) -> str:
    """Return a literal of a double."""
    return repr(float(value))


def array_of(kind: str, name: str, values: Iterable[object]) -> Iterator[str]:
    """Return the lines of a constant array."""
    words = list(map(str, values)) or ["0"]
    mark = "" if kind.endswith("*") else " "
    yield f"static const {kind}{mark}{'const ' if not mark else ''}{name}[] = {{"
    for start in range(0, len(words), 8):
        yield f"  {', '.join(words[start : start + 8])},"
    yield "};"
