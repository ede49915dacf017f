"""A model as one SELECT and a table of its weights, or of its categories' codes.

The innermost SELECT takes the table `records`, joins the weights of each category, and adds up; the
next one makes the score of that, and the last one the answer. What the service would refuse has no
score: null.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Final

from scoring.scorers.linear import Linear
from scoring.scorers.trees import Trees
from training.export.dialects import DIALECTS, Dialect
from training.export.form import Category, ExportError, Feature, Form, Lookup, Number, Value
from training.export.scripts import title_of
from training.export.sql_classes import of_classes
from training.export.sql_fields import canonical, is_valid, quantity

RECORDS: Final = "records"
_ROWS: Final = 500  # of one INSERT
_DEEPEST: Final = 200  # nested CASEs
_TERMS: Final = 40  # of a sum within parentheses: parsers take only so many on one level


def sql_files(dialect: str) -> Callable[[Form], dict[str, bytes]]:
    """Return what makes the files of a dialect by name."""
    words = DIALECTS[dialect]

    def files(form: Form) -> dict[str, bytes]:
        weights = "\n".join([f"-- {title_of(form)}", *_weights(form, words), ""])
        return {"weights.sql": weights.encode(), "model.sql": _query(form, words).encode()}

    return files


def table_of(form: Form) -> str:
    """Return the name of the table of weights."""
    return f"{form.model.name}_weights"


def _weights(form: Form, sql: Dialect) -> Iterator[str]:
    rows: list[str] = []
    for feature in form.categories:
        for category, weights in form.known(feature.name).items():
            words = (sql.literal(feature.name), sql.literal(category), *map(sql.number, weights))
            rows.append(f"({', '.join(words)})")
    table = table_of(form)
    places = range(len(form.parts) if form.kind == "linear" else 1)
    columns = ", ".join(
        [
            f"feature {sql.text}",
            f"category {sql.text}",
            *(f"{_weight(n)} {sql.double}" for n in places),
        ]
    )
    yield sql.empty_table.format(table, columns)
    for start in range(0, len(rows), _ROWS):
        some = ",\n".join(rows[start : start + _ROWS])
        yield f"INSERT INTO {table} VALUES\n{some};"


def _query(form: Form, sql: Dialect) -> str:
    joins = [
        f"LEFT JOIN {table_of(form)} AS w{place} ON w{place}.feature = {sql.literal(feature.name)}"
        f"\n      AND w{place}.category = {_text(form, feature, sql)}"
        for place, feature in enumerate(form.categories)
    ]
    totals = [
        _linear(form, part, place, sql) if isinstance(part, Linear) else _trees(form, part, sql)
        for place, part in enumerate(form.parts)
    ]
    valid = "\n      AND ".join(is_valid(one, sql) for one in form.inputs)
    if form.linked == "logistic":
        # beyond 700, PostgreSQL refuses to make a number of it
        totals = [f"1 / (1 + exp({sql.greatest}(-700, {sql.least}(700, -({total})))))"
                  for total in totals]  # fmt: skip
    names = [sql.name_of(f"sum.{name}") for name in form.classes] or ["score"]
    sums = "".join(
        f"""
    CASE WHEN {valid}
    THEN {total}
    END AS {name},"""
        for name, total in zip(names, totals, strict=True)
    )
    made = of_classes(form, sql) if form.classes else [
        f"{_answer(one.kind, one.threshold, sql)} AS {sql.name_of(one.name)}"
        for one in form.answers
    ]  # fmt: skip
    answers = "".join(f",\n  {one}" for one in made)
    joined = "\n    ".join([f"FROM {RECORDS} AS r", *joins])
    inner = f"""
  SELECT
    r.*,{sums}
    {_unseen(form, sql)} AS unseen
    {joined}
"""  # names and literals are quoted
    if form.classes and sql.materialized:  # else each use of a sum would add it up again
        whole = f"WITH s AS MATERIALIZED ({inner})\nSELECT\n  s.*{answers}\nFROM s"  # as above
    else:
        whole = f"SELECT\n  s.*{answers}\nFROM ({inner}) AS s"  # as above
    return f"""-- {title_of(form)}
-- Written by training.export in the dialect {sql.name}; needs the table of weights.sql.
-- Takes the table (or view) {RECORDS}; gives its columns, the score, the categories that training
-- never saw, and the answer. A record that the service would refuse has no score.
{whole}
"""  # names and literals are quoted


def _answer(kind: str, threshold: float, sql: Dialect) -> str:
    if kind == "not_negative":
        return f"CASE WHEN s.score > 0 THEN s.score WHEN s.score <= 0 THEN {sql.number(0)} END"
    if kind == "at_least":
        return f"s.score >= {sql.number(threshold)}"
    return "s.score"


def _unseen(form: Form, sql: Dialect) -> str:
    pieces = []
    for place, feature in enumerate(form.categories):
        text = _text(form, feature, sql)
        head = sql.literal(f", {feature.name}{form.separator}")
        pieces.append(
            f"CASE WHEN w{place}.weight IS NULL AND {text} IS NOT NULL\n"
            f"      THEN {head} || {text} ELSE '' END"
        )
    joined = "\n      || ".join(pieces)
    return f"NULLIF(substr({joined}, 3), '')" if pieces else sql.cast("NULL", sql.text)


def _text(form: Form, feature: Feature, sql: Dialect) -> str:
    """Return the expression of a category's text, null where the record has none."""
    if isinstance(feature, Lookup):
        return _looked_up(form, feature, sql)
    assert isinstance(feature, Category)  # noqa: S101  # for the type checker
    words = []
    for piece in feature.parts:
        if isinstance(piece, str):
            words.append(sql.literal(piece))
            continue
        one = form.input(piece[1])
        code = canonical(one, sql)
        words.append(code if one.kind == "text" else sql.cast(code, sql.text))
    return words[0] if len(words) == 1 else f"({' || '.join(words)})"


def _number(form: Form, feature: Feature, sql: Dialect) -> str:
    """Return the expression of a number, null where the record has none."""
    if isinstance(feature, Lookup):
        return _looked_up(form, feature, sql)
    assert isinstance(feature, Number)  # noqa: S101  # for the type checker
    return quantity(form.input(feature.field), sql)


def _looked_up(form: Form, feature: Lookup, sql: Dialect) -> str:
    cases = [
        f"WHEN {_same(form, feature, key, sql)} THEN {sql.literal(value)}"
        for key, value in feature.values.items()
        if value is not None
    ]
    return f"CASE {' '.join(cases)} END"


def _same(form: Form, feature: Lookup, key: tuple[Value, ...], sql: Dialect) -> str:
    words = []
    for name, value in zip(feature.fields, key, strict=True):
        code = canonical(form.input(name), sql)
        words.append(f"{code} IS NULL" if value is None else f"{code} = {sql.literal(value)}")
    return " AND ".join(words)


def _weight(place: int) -> str:
    """Return the column of a class's weights; of the first, or only one, `weight`."""
    return f"weight{place + 1}" if place else "weight"


def _linear(form: Form, part: Linear, of: int, sql: Dialect) -> str:
    terms = [sql.number(part.intercept)]
    terms += [f"COALESCE(w{place}.{_weight(of)}, 0)" for place, _ in enumerate(form.categories)]
    for feature in form.numbers:
        if feature.name in part.table.numbers:
            weight = sql.number(part.table.numbers[feature.name])
            terms.append(f"{weight} * COALESCE({_number(form, feature, sql)}, 0)")
    return "\n      + ".join(terms)


def _trees(form: Form, part: Trees, sql: Dialect) -> str:
    header = part.header
    there = {feature.name: f"COALESCE({_number(form, feature, sql)}, 0)"
             for feature in form.numbers}  # fmt: skip
    joined = {feature.name: f"w{place}.weight" for place, feature in enumerate(form.categories)}
    asked = [there.get(name, sql.number(0)) for name in header.numbers]
    asked += [joined.get(name, "NULL") for name in header.categories]
    write = _tree if sql.nested else _flat_tree
    trees = [write(part, root, asked, sql) for root in part.nodes.roots]
    total = _sum(trees)
    if header.single:  # XGBoost adds up from its base
        return f"{sql.number(header.base)} + {total}"
    return f"{sql.number(header.base)} + {sql.number(header.scale)} * {total}"


def _sum(terms: list[str]) -> str:
    while len(terms) > 1:
        groups = [terms[start : start + _TERMS] for start in range(0, len(terms), _TERMS)]
        terms = ["(" + "\n      + ".join(group) + ")" for group in groups]
    return terms[0]


def _tree(part: Trees, root: int, asked: list[str], sql: Dialect) -> str:
    nodes, numbers = part.nodes, len(part.header.numbers)
    deepest = min(_DEEPEST, sys.getrecursionlimit() // 4)

    def code(node: int, depth: int) -> str:
        group, value = nodes.group[node], sql.number(nodes.value[node])
        if group < 0:
            return value
        if depth == deepest:
            raise ExportError(f"a tree is deeper than {deepest} nodes, which SQL does not nest: "
                              "max_depth would do")  # fmt: skip
        left, right = code(nodes.left[node], depth + 1), code(nodes.right[node], depth + 1)
        if group < numbers:
            return f"CASE WHEN {asked[group]} <= {value} THEN {left} ELSE {right} END"
        return f"CASE WHEN {asked[group]} = {value} THEN {right} ELSE {left} END"

    return code(root, 0)


def _flat_tree(part: Trees, root: int, asked: list[str], sql: Dialect) -> str:
    """Return one CASE with a line a leaf. What a node asks stands before the leaves where it is so;
    behind them, it is known not to be."""
    nodes, numbers = part.nodes, len(part.header.numbers)
    lines: list[str] = []
    waiting: list[tuple[int, tuple[str, ...]]] = [(root, ())]
    while waiting:
        node, said = waiting.pop()
        group, value = nodes.group[node], sql.number(nodes.value[node])
        if group < 0:
            lines.append(f"WHEN {' AND '.join(said)} THEN {value}" if said else f"ELSE {value}")
            continue
        left, right = nodes.left[node], nodes.right[node]
        if group < numbers:
            first, other, condition = left, right, f"{asked[group]} <= {value}"
        else:
            first, other, condition = right, left, f"{asked[group]} = {value}"
        waiting += [(other, said), (first, (*said, condition))]
    *before, last = lines
    return f"CASE {' '.join(before)} {last} END" if before else last.removeprefix("ELSE ")
