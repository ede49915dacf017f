"""The fields of a record as expressions of SQL, over the table `r`."""

from __future__ import annotations

import sys
from typing import Final

from training.export.dialects import Dialect
from training.export.form import Input

_LARGEST: Final = sys.float_info.max
_WHOLE: Final = 2**53  # what every database keeps of a whole number, also as a double


def canonical(one: Input, sql: Dialect) -> str:
    """Return a field as the schema spells it; null where it is null, or beyond its limits."""
    code = f"r.{sql.name_of(one.name)}"
    if one.kind == "integer":
        # 74.0 is 74; what is no number of that size must not be turned into one
        return f"CASE WHEN {_limits(one, code, sql)} THEN {sql.cast(code, sql.whole)} END"
    if one.kind == "text" and one.spelled:
        return _spelled(code, sql)
    return code


def quantity(one: Input, sql: Dialect) -> str:
    """Return a field as a double."""
    code = f"r.{sql.name_of(one.name)}"
    if one.kind == "flag":
        yes = f"{code} = 1" if sql.flag == "INTEGER" else code
        return f"CASE WHEN {yes} THEN {sql.number(1)} WHEN NOT {yes} THEN {sql.number(0)} END"
    return sql.cast(code, sql.double)


def is_valid(one: Input, sql: Dialect) -> str:
    """Return the condition that the service takes a field's value."""
    code = f"r.{sql.name_of(one.name)}"
    said = []
    if one.kind in ("integer", "number"):
        said.append(_limits(one, code, sql))
    if one.kind == "integer":
        said.append(f"{canonical(one, sql)} = {code}")
    if one.kind == "flag" and sql.flag == "INTEGER":
        said.append(f"{code} IN (0, 1)")
    if one.choices:
        choices = ", ".join(sql.literal(choice) for choice in one.choices)
        said.append(f"{canonical(one, sql)} IN ({choices})")
    there = " AND ".join([f"{code} IS NOT NULL", *said])
    return f"({code} IS NULL OR ({there}))" if one.nullable else there


def _limits(one: Input, code: str, sql: Dialect) -> str:
    most = _WHOLE if one.kind == "integer" else _LARGEST  # NaN and infinity are above it
    low, high = (-most if one.low is None else one.low), (most if one.high is None else one.high)
    kind = int if one.kind == "integer" else float
    return (
        f"{code} >{'' if one.low_open else '='} {sql.literal(kind(low))} "
        f"AND {code} <{'' if one.high_open else '='} {sql.literal(kind(high))}"
    )


def _spelled(code: str, sql: Dialect) -> str:
    """Return a text in lower case, white space trimmed, and one underscore for what is within."""
    code = f"lower({code})"
    for number in (9, 10, 11, 12, 13, 28, 29, 30, 31):
        code = f"replace({code}, {sql.character}({number}), ' ')"
    one, other = f"{sql.character}(1)", f"{sql.character}(2)"
    code = f"replace(trim({code}), ' ', {one} || {other})"  # several spaces become one underscore
    code = f"replace({code}, {other} || {one}, '')"
    return f"replace({code}, {one} || {other}, '_')"
