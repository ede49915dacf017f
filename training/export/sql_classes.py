"""What SQL makes of the sums of several classes: probabilities, and the most likely class."""

from __future__ import annotations

from typing import Final

from training.export.dialects import Dialect
from training.export.form import ExportError, Form

_MOST: Final = 50  # classes: each probability is an expression of all sums


def named(form: Form) -> list[str]:
    """Return the columns of the classes' probabilities, in their order."""
    names = [one.name for one in form.answers if one.kind == "probabilities"]
    return [f"{(names or ['probability'])[0]}.{name}" for name in form.classes]


def of_classes(form: Form, sql: Dialect) -> list[str]:
    """Return the columns, with their names, that the sums `s."sum.CLASS"` come to. Raises
    ExportError where there are too many."""
    if len(form.classes) > _MOST:
        raise ExportError(
            f"'{form.model.name}' tells {len(form.classes)} classes apart, and SQL holds at most "
            f"{_MOST}"
        )
    sums = [f"s.{sql.name_of(f'sum.{name}')}" for name in form.classes]
    most = f"{sql.greatest}({', '.join(sums)})"
    parts = sums
    if form.link == "softmax":  # PostgreSQL refuses a number that is too near to zero
        parts = [f"exp({sql.greatest}(-700, {one} - {most}))" for one in sums]
    whole = " + ".join(parts)
    shares = parts if form.link == "shares" else [f"{part} / ({whole})" for part in parts]
    cases = " ".join(
        f"WHEN {one} >= {most} THEN {sql.literal(name)}"
        for one, name in zip(sums, form.classes, strict=True)
    )
    largest = f"{sql.greatest}({', '.join(shares)})"
    found = [f"{largest} AS score"]
    for answer in form.answers:
        if answer.kind == "most_likely":
            found.append(f"CASE {cases} END AS {sql.name_of(answer.name)}")
        elif answer.kind == "score":
            found.append(f"{largest} AS {sql.name_of(answer.name)}")
    columns = zip(shares, named(form), strict=True)
    found += [f"{share} AS {sql.name_of(name)}" for share, name in columns]
    return [_where_there(sums[0], column) for column in found]


def _where_there(one: str, column: str) -> str:
    """Return a column that is null where the record is refused: `greatest` passes nulls over."""
    code, _, name = column.rpartition(" AS ")
    return f"CASE WHEN {one} IS NOT NULL THEN {code} END AS {name}"
