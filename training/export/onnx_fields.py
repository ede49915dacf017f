"""The fields of a record in a graph: as texts, and when the service takes them."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping
from typing import Final

from training.export.form import Input
from training.export.onnx_nodes import DOUBLE, INT64, STRING, Nodes

ABSENT: Final = "\x01"


def has(one: Input) -> str:
    """Return the input that says whether an optional field is there."""
    return f"has_{one.name}"


def text_of(nodes: Nodes, one: Input) -> str:
    """Return a text as the schema spells it; ABSENT where there is none, or it is not listed."""
    name = one.name
    if one.spelled:
        name = nodes.add(
            "StringNormalizer", name, case_change_action="LOWER", is_case_sensitive=1, locale="C"
        )
    if one.choices:
        known = {
            word: choice for choice in map(str, one.choices) for word in _spellings(one, choice)
        }
        name = nodes.encode(name, known, ABSENT)
    return nodes.add("Where", has(one), name, nodes.constant(ABSENT)) if one.nullable else name


def _spellings(one: Input, choice: str) -> list[str]:
    if not one.spelled:
        return [choice]
    pieces = choice.split("_")
    return [
        "".join(itertools.chain(*itertools.zip_longest(pieces, gaps, fillvalue="")))
        for gaps in itertools.product("_ ", repeat=len(pieces) - 1)
    ]


def valid(nodes: Nodes, one: Input, texts: Mapping[str, str]) -> list[str]:
    """Return the conditions under which the service takes a field."""
    if one.kind == "text":
        if not one.choices:
            found = [nodes.add("Equal", one.name, one.name)]
        else:
            listed = dict.fromkeys(map(str, one.choices), 1.0)
            code = nodes.encode(texts[one.name], listed, 0.0)
            found = [nodes.add("Greater", code, nodes.constant(0.0))]
    elif one.kind == "flag":
        found = [nodes.add("Or", one.name, nodes.add("Not", one.name))]
    else:
        number = nodes.cast(one.name, DOUBLE) if one.kind == "integer" else one.name
        most = sys.float_info.max
        low, high = (
            (-most if one.low is None else one.low),
            (most if one.high is None else one.high),
        )
        above, below = ("Greater" if one.low_open else "GreaterOrEqual",
                        "Less" if one.high_open else "LessOrEqual")  # fmt: skip
        found = [
            nodes.add(above, number, nodes.constant(float(low))),
            nodes.add(below, number, nodes.constant(float(high))),
        ]
        if one.choices:
            listed = {str(choice): True for choice in one.choices}
            keys = dict.fromkeys(listed, 1.0)
            code = nodes.encode(nodes.cast(one.name, STRING), keys, 0.0)
            found.append(nodes.add("Greater", code, nodes.constant(0.0)))
    if not one.nullable:
        return found
    return [nodes.add("Or", nodes.add("Not", has(one)), nodes.every(found))]


def spelled_out(nodes: Nodes, one: Input, texts: Mapping[str, str]) -> str:
    """Return a field as a text, ABSENT where it is null."""
    if one.kind == "text":
        return texts[one.name]
    name = nodes.cast(one.name, INT64) if one.kind == "flag" else one.name
    text = nodes.cast(name, STRING)
    return nodes.add("Where", has(one), text, nodes.constant(ABSENT)) if one.nullable else text
