"""What differs between the dialects of SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Dialect:
    """The words of one database."""

    name: str
    text: str = "VARCHAR"
    whole: str = "BIGINT"
    double: str = "DOUBLE"
    flag: str = "BOOLEAN"
    least: str = "least"
    greatest: str = "greatest"
    character: str = "chr"
    quote: str = '"'
    nested: bool = True  # whether its parser takes a CASE within many others
    materialized: bool = True  # whether WITH can be told to make its rows once
    backslash: bool = False  # whether it escapes in a literal
    empty_table: str = "DROP TABLE IF EXISTS {0};\nCREATE TABLE {0} ({1});"

    def name_of(self, text: str) -> str:
        """Return a quoted name."""
        return f"{self.quote}{text.replace(self.quote, 2 * self.quote)}{self.quote}"

    def literal(self, value: object) -> str:
        """Return a literal of a text, a number, or true and false."""
        if isinstance(value, bool):
            return ("1" if value else "0") if self.flag == "INTEGER" else str(value).upper()
        if isinstance(value, int):
            return str(value)
        if isinstance(value, float):
            return self.number(value)
        text = str(value)
        if self.backslash:
            return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
        return "'" + text.replace("'", "''") + "'"

    def number(self, value: float) -> str:
        """Return a literal of a double, to the last bit; not a decimal with a few digits."""
        text = repr(float(value))
        return f"({text if 'e' in text else f'{text}e0'})"

    def cast(self, code: str, kind: str) -> str:
        """Return an expression as another type."""
        return f"CAST({code} AS {kind})"


DIALECTS: Final = {
    one.name: one
    for one in (
        Dialect("duckdb"),
        Dialect("postgres", text="TEXT", double="DOUBLE PRECISION"),
        Dialect("sqlite", text="TEXT", whole="INTEGER", double="REAL", flag="INTEGER",
                least="min", greatest="max", character="char", nested=False),
        Dialect("spark", text="STRING", quote="`", backslash=True, materialized=False,
                empty_table="DROP TABLE IF EXISTS {0};\nCREATE TABLE {0} ({1}) USING parquet;"),
    )
}  # fmt: skip
