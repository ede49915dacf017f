"""A model as one file of C99 that needs the standard library alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from scoring.scorers.linear import Linear
from training.export.c_words import array_of, name_of, number, plain, quoted
from training.export.form import Category, Feature, Form, Input, Lookup, Number, Value
from training.export.scripts import TEMPLATES, title_of

_TYPES: Final = {"integer": "long long", "number": "double", "flag": "int", "text": "const char *"}


def c_files(form: Form) -> dict[str, bytes]:
    """Return the file by its name. Raises ExportError where a field's name is no name in C."""
    parts = {
        "TITLE": title_of(form),
        "MEMBERS": _members(form),
        "TABLES": _tables(form),
        "CHECKS": _checks(form),
        "FEATURES": _features(form),
        "TOTAL": _total(form),
        "ANSWERS": _answers(form),
        "FIELDS": _fields(form),
        "COUNTS": [
            f"#define MODEL_FIELDS {len(form.inputs)}",
            f"#define MODEL_CATEGORIES {max(1, len(form.categories))}",
            f"#define MODEL_SCORES {len(form.parts)}",
            f"#define MODEL_VERSION {quoted(form.version)}",
            f"#define MODEL_SHA256 {quoted(form.manifest.sha256)}",
        ],
    }
    text = (TEMPLATES / "model.c.in").read_text(encoding="utf-8")
    for name, lines in parts.items():
        text = text.replace(f"@{name}@", lines if isinstance(lines, str) else "\n".join(lines))
    return {"model.c": text.encode()}


def _members(form: Form) -> Iterator[str]:
    for one in form.inputs:
        gap = "" if one.kind == "text" else " "
        null = "; NULL where there is none" if one.nullable and one.kind == "text" else ""
        yield f"  {_TYPES[one.kind]}{gap}{name_of(one)}; /* {plain(one.expected)}{null} */"
        if one.nullable and one.kind != "text":
            yield f"  int has_{one.name}; /* 0 where there is none */"


def _tables(form: Form) -> Iterator[str]:
    for place, feature in enumerate(form.categories):
        known = form.known(feature.name).items()
        ordered = sorted(known, key=lambda pair: pair[0].encode())  # as strcmp has them
        yield f"#define KNOWN_{place} {len(ordered)}"
        yield from array_of("char *", f"known_{place}", (quoted(text) for text, _ in ordered))
        numbers = (number(value) for _, values in ordered for value in values)
        yield from array_of("double", f"found_{place}", numbers)
    for at, part in enumerate(form.parts):
        if not isinstance(part, Linear):
            nodes = part.nodes
            yield from array_of("int", f"roots_{at}", nodes.roots)
            yield from array_of("short", f"group_{at}", nodes.group)
            yield from array_of("double", f"value_{at}", map(number, nodes.value))
            yield from array_of("int", f"left_{at}", nodes.left)
            yield from array_of("int", f"right_{at}", nodes.right)
    if form.classes:
        yield "const char *const model_classes[MODEL_SCORES] = {"
        yield from (f"  {quoted(name)}," for name in form.classes)
        yield "};"
    for one in form.inputs:
        if one.choices and one.kind == "text":
            yield from array_of("char *", f"choices_{name_of(one)}", map(quoted, one.choices))


def _checks(form: Form) -> Iterator[str]:
    """Return the lines that return the number of the first bad field and name each text."""
    for place, one in enumerate(form.inputs, start=1):
        name = name_of(one)
        bad = f"return {place};"
        value = f"record->{name}"
        if one.kind == "text":
            yield f"  const char *v_{name} = {value};"
            yield from _text_checks(one, name, bad)
            continue
        wrong = []
        if one.kind == "number":
            wrong.append(f"!isfinite({value})")
        if one.kind == "flag":
            wrong.append(f"({value} != 0 && {value} != 1)")
        suffix = "LL" if one.kind == "integer" else ""
        for limit, open_, sign in ((one.low, one.low_open, ">"), (one.high, one.high_open, "<")):
            if limit is not None:
                shown = f"{int(limit)}{suffix}" if suffix else number(limit)
                wrong.append(f"!({value} {sign}{'' if open_ else '='} {shown})")
        if one.choices:
            wrong.append("!(" + " || ".join(f"{value} == {choice}" for choice in one.choices) + ")")
        there = f"record->has_{one.name} && " if one.nullable else ""
        if wrong:
            yield f"  if ({there}({' || '.join(wrong)})) {bad}"


def _text_checks(one: Input, name: str, bad: str) -> Iterator[str]:
    if not one.nullable:
        yield f"  if (v_{name} == NULL) {bad}"
    if one.choices:
        count = len(one.choices)
        yield (
            f"  if (v_{name} != NULL && (v_{name} = choice(v_{name}, choices_{name}, {count}, "
            f"{int(one.spelled)})) == NULL) {bad}"
        )


def _features(form: Form) -> Iterator[str]:
    """Return the lines that add up, or fill `x`: numbers first, then categories."""
    numbers: dict[str, int] = {}
    places: dict[str, int] = {}
    for at, part in enumerate(form.parts):
        if isinstance(part, Linear):
            yield f"  total[{at}] = {number(part.intercept)};"
    if form.kind == "trees":
        numbers = {name: place for place, name in enumerate(form.header.numbers)}
        places = {name: len(numbers) + n for n, name in enumerate(form.header.categories)}
        yield f"  double x[{len(numbers) + len(places)}];"
        for place in range(len(numbers) + len(places)):
            yield f"  x[{place}] = {'0' if place < len(numbers) else '-1'};"
    order = {feature.name: place for place, feature in enumerate(form.categories)}
    for feature in form.features:
        if feature.name in order:
            yield from _category(form, feature, order[feature.name], places.get(feature.name))
        else:
            yield from _quantity(form, feature, numbers)


def _quantity(form: Form, feature: Feature, numbers: Mapping[str, int]) -> Iterator[str]:
    """Return the lines of a feature that is a number; none where the model does not know it."""
    targets = [
        f"total[{at}] += {number(part.table.numbers[feature.name])} * "
        for at, part in enumerate(form.parts)
        if isinstance(part, Linear) and feature.name in part.table.numbers
    ]
    if feature.name in numbers:
        targets = [f"x[{numbers[feature.name]}] = "]
    for target in targets:
        if isinstance(feature, Number):
            one = form.input(feature.field)
            there = f"if (record->has_{one.name}) " if one.nullable else ""
            yield f"  {there}{target}(double)record->{name_of(one)};"
        elif isinstance(feature, Lookup):
            for key, value in feature.values.items():
                if isinstance(value, float):
                    yield f"  if ({_same(form, feature, key)}) {target}{number(value)};"


def _category(form: Form, feature: Any, order: int, place: int | None) -> Iterator[str]:
    yield f"  text = NULL; /* {plain(feature.name)} */"
    if isinstance(feature, Lookup):
        for key, value in feature.values.items():
            if value is not None:
                yield f"  if ({_same(form, feature, key)}) text = {quoted(value)};"
    else:
        yield from _joined(form, feature)
    yield "  if (text != NULL) {"
    yield f"    int at = look_up(text, known_{order}, KNOWN_{order});"
    yield f"    if (at < 0) {{ if (unseen != NULL) unseen[{order}] = 1; }}"
    if form.kind == "linear":
        yield "    else for (int k = 0; k < MODEL_SCORES; k++)"
        yield f"      total[k] += found_{order}[at * MODEL_SCORES + k];"
    elif place is not None:
        yield f"    else x[{place}] = found_{order}[at];"
    yield "  }"


def _joined(form: Form, feature: Category) -> Iterator[str]:
    """Return the lines that make a category's text: longer than any known one, it is cut."""
    if len(feature.parts) == 1 and form.input(feature.fields[0]).kind == "text":
        yield f"  text = v_{name_of(form.input(feature.fields[0]))};"
        return
    yield "  used = 0;"
    null = [
        f"record->has_{one.name}" if one.kind != "text" else f"v_{name_of(one)} != NULL"
        for one in map(form.input, feature.fields)
        if one.nullable
    ]
    yield f"  if ({' && '.join(null) or '1'}) {{"
    for piece in feature.parts:
        if isinstance(piece, str):
            yield f"    used = append(buffer, used, {quoted(piece)});"
            continue
        one = form.input(piece[1])
        if one.kind == "text":
            yield f"    used = append(buffer, used, v_{name_of(one)});"
        else:
            yield f'    snprintf(digits, sizeof digits, "%lld", record->{name_of(one)});'
            yield "    used = append(buffer, used, digits);"
    yield "    text = buffer;"
    yield "  }"


def _same(form: Form, feature: Lookup, key: tuple[Value, ...]) -> str:
    """Return the condition that a record has these values."""
    words = []
    for name, value in zip(feature.fields, key, strict=True):
        one = form.input(name)
        member = name_of(one)
        if one.kind == "text":
            null = f"v_{member} == NULL"
            same = f"v_{member} != NULL && strcmp(v_{member}, {quoted(value)}) == 0"
            words.append(null if value is None else same)
            continue
        there = f"record->has_{one.name}" if one.nullable else ""
        if value is None:
            words.append(f"!{there}")
        else:
            words += [there] * bool(there) + [f"record->{member} == {int(value)}"]
    return " && ".join(words) or "1"


def _total(form: Form) -> Iterator[str]:
    for at, part in enumerate(form.parts):
        if isinstance(part, Linear):
            continue
        header = part.header
        arrays = ", ".join(f"{name}_{at}" for name in ("roots", "group", "value", "left", "right"))
        rest = f"{len(header.numbers)}, x, {int(header.single)}, {number(header.base)}"
        yield f"  total[{at}] = sum_of({header.trees}, {arrays}, {rest});"
        if not header.single:
            yield f"  total[{at}] = {number(header.base)} + {number(header.scale)} * total[{at}];"
    if form.classes:
        yield f"  {form.link}_of(total, score, MODEL_SCORES);"
    else:
        yield f"  *score = {'sigmoid(*total)' if form.linked == 'logistic' else '*total'};"


def _answers(form: Form) -> Iterator[str]:
    words = {
        "score": "double model_{}(double score) {{ return score; }}",
        "not_negative": "double model_{}(double score) {{ return score > 0 ? score : 0; }}",
        "at_least": "int model_{}(double score) {{ return score >= {}; }}",
    }
    of_classes = {  # the probabilities are the score
        "score": "double model_{}(const double *score) {{ return score[largest(score)]; }}",
        "most_likely": (
            "const char *model_{}(const double *score) {{ return model_classes[largest(score)]; }}"
        ),
    }
    for one in form.answers:
        name = re.sub("[^A-Za-z0-9_]", "_", one.name)
        made = of_classes if form.classes else words
        if one.kind in made:
            yield made[one.kind].format(name, number(one.threshold))


def _fields(form: Form) -> Iterator[str]:
    r"""Return the lines of `main` that read a record of texts, `\N` where there is none."""
    for place, one in enumerate(form.inputs):
        name, cell = name_of(one), f"cells[{place}]"
        if one.kind == "text":
            yield f'    record.{name} = strcmp({cell}, "\\\\N") == 0 ? NULL : {cell};'
            continue
        if one.nullable:
            yield f'    record.has_{one.name} = strcmp({cell}, "\\\\N") != 0;'
        read = {"integer": "strtoll({}, NULL, 10)", "number": "strtod({}, NULL)",
                "flag": "atoi({})"}[one.kind]  # fmt: skip
        yield f"    record.{name} = {read.format(cell)};"
