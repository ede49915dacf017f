"""Records to try an export on: golden ones, and made-up ones in which every category occurs."""

from __future__ import annotations

import itertools
import math
import random
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from scoring.errors import InvalidRecords
from scoring.record import RecordReader
from scoring.scorers.linear import Linear
from training.export.form import Category, Form, Input

_QUANTITIES: Final = (0.0, 1.0, 0.37, 2.5, 17.0, 99.9, 1234.5, -3.25)
_MOST_NUMBERS: Final = 500


def trials(form: Form, most: int = 2_000) -> list[dict[str, Any]]:
    """Return at most `most` valid records, always the same: the golden ones, then records that move
    each field through its range, each category known and unknown, and each threshold."""
    reader = RecordReader(form.model.record)
    made: list[dict[str, Any]] = []
    kept = [dict(form.model.example), *(dict(golden.record) for golden in form.manifest.golden)]
    for record in itertools.chain(kept, itertools.islice(_made_up(form), 2 * most)):
        try:
            reader.one(record)
        except InvalidRecords:
            continue
        made.append(record)
        if len(made) == most:
            break
    return made


def _made_up(form: Form) -> Iterator[dict[str, Any]]:
    drawn = random.Random(7)  # noqa: S311  # records to try, not secrets
    values = {one.name: _values(one, form) for one in form.inputs}
    known = [_known(form, feature) for feature in form.features if isinstance(feature, Category)]
    for number in itertools.count():
        record = dict(form.model.example)
        for name, choices in values.items():
            record[name] = choices[drawn.randrange(len(choices))]
        for fields in known:
            if fields and number % 4:
                record.update(fields[drawn.randrange(len(fields))])
        yield record


def _values(one: Input, form: Form) -> Sequence[Any]:
    more: list[Any] = [None] if one.nullable else []
    if one.choices:
        return [*one.choices, *more]
    if one.kind == "flag":
        return [False, True, *more]
    if one.kind == "text":
        example = form.model.example.get(one.name)
        return [example, "a value that training never saw", "ünsehen '\"\\", *more]
    ends = [end for end in (one.low, one.high) if end is not None]
    if one.kind == "integer":
        low = int(one.low) if one.low is not None else -5
        high = int(one.high) if one.high is not None else max(low, 0) + 100
        step = max(1, (high - low) // _MOST_NUMBERS)
        return [*range(low, high + 1, step), *map(int, ends), *more]
    near = [n for value in _thresholds(form, one) for n in (value, math.nextafter(value, math.inf))]
    span = _span(one)
    return [*_QUANTITIES, *ends, *near, *span, *more]


def _span(one: Input) -> list[float]:
    low = one.low if one.low is not None else -100.0
    high = one.high if one.high is not None else low + 1000.0
    return [low + (high - low) * n / 97 for n in range(98)]


def _thresholds(form: Form, one: Input) -> list[float]:
    """Return some of the numbers at which trees turn on this input."""
    places = {
        place
        for part in form.parts
        if not isinstance(part, Linear)
        for place, name in enumerate(part.header.numbers)
        for number in form.numbers
        if number.name == name and getattr(number, "field", None) == one.name
    }
    found = sorted(
        {
            value
            for part in form.parts
            if not isinstance(part, Linear)
            for group, value in zip(part.nodes.group, part.nodes.value, strict=True)
            if group in places
        }
    )
    return found[:: len(found) // _MOST_NUMBERS + 1]


def _known(form: Form, feature: Category) -> list[dict[str, Any]]:
    """Return the fields of which each known category of a feature is made, where they can be told
    from the text."""
    part = form.parts[0]
    if isinstance(part, Linear):
        texts = list(part.table.categories.get(feature.name, {}))
    else:
        texts = part.header.categories.get(feature.name, [])
    pattern = "".join(
        re.escape(piece) if isinstance(piece, str) else "(.*)" for piece in feature.parts
    )
    found = []
    for text in texts:
        if match := re.fullmatch(pattern, text, re.DOTALL):
            fields: dict[str, Any] = {}
            for name, value in zip(feature.fields, match.groups(), strict=True):
                whole = form.input(name).kind == "integer"
                fields[name] = int(value) if whole and re.fullmatch("-?[0-9]+", value) else value
            found.append(fields)
    return found


def refused(form: Form) -> list[dict[str, Any]]:
    """Return records that the service refuses, each with one bad value: beyond a limit, none of the
    choices, null."""
    reader = RecordReader(form.model.record)
    found = []
    for one in form.inputs:
        bad: list[Any] = [None]
        if one.choices and one.kind == "text":
            bad.append("a value that is not listed")
        for limit, away in ((one.low, -1), (one.high, 1)):
            if limit is not None:
                beyond = math.nextafter(limit, away * math.inf)
                bad.append(int(limit) + away if one.kind == "integer" else beyond)
        for value in bad:
            record = {**form.model.example, one.name: value}
            try:
                reader.one(record)
            except InvalidRecords:
                found.append(record)
    return found
