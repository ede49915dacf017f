"""A record's fields and features in PMML: the dictionary, and what is derived of its fields."""

from __future__ import annotations

import xml.etree.ElementTree as ET  # written, never read
from collections.abc import Iterable, Sequence
from typing import Any, Final

from training.export.form import Category, ExportError, Feature, Form, Input, Lookup, Number, Value

ABSENT: Final = "(none)"  # in the place of a text where there is none
_TYPES: Final = {"integer": "integer", "number": "double", "flag": "boolean", "text": "string"}

Element = ET.Element


def add(parent: Element, tag: str, **attributes: Any) -> Element:
    """Add an element and return it; what is None is left out. Raises ExportError where an attribute
    holds a character that XML has not."""
    made = {name: text_of(value) for name, value in attributes.items() if value is not None}
    return ET.SubElement(parent, tag, made)


def text_of(value: object) -> str:
    """Return a value as PMML spells it; a float to the last bit. Raises ExportError where XML
    cannot hold it."""
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value) if isinstance(value, float) else str(value)
    for letter in text:
        if (letter < " " and letter not in "\t\n\r") or "\ud800" <= letter <= "\udfff" \
                or letter in "\ufffe\uffff":  # fmt: skip
            raise ExportError(f"{text!r} has a character that XML does not hold")
    return text


def unused(name: str, taken: Iterable[str]) -> str:
    """Return a name that is not taken: the name itself, or with as many `_` as it takes."""
    names = {*taken}
    while name in names:
        name += "_"
    return name


def add_data_field(parent: Element, one: Input) -> None:
    """Add a field with the values, or the interval, that the service takes."""
    of_values = one.kind in ("flag", "text") or one.choices
    field = add(
        parent, "DataField", name=one.name, dataType=_TYPES[one.kind],
        optype="categorical" if of_values else "continuous",
    )  # fmt: skip
    if one.low is not None or one.high is not None:
        sides = ("open" if is_open else "closed" for is_open in (one.low_open, one.high_open))
        left, right = (side.capitalize() for side in sides)
        interval = add(field, "Interval", closure=f"{left.lower()}{right}")
        for margin, limit in (("leftMargin", one.low), ("rightMargin", one.high)):
            if limit is not None:
                whole = one.kind == "integer"
                interval.set(margin, text_of(int(limit) if whole else float(limit)))
    # in order: sklearn-pmml-model takes them for sorted
    for value in sorted(one.choices) or ((False, True) if one.kind == "flag" else ()):
        add(field, "Value", value=value)


def add_mining_schema(parent: Element, inputs: Sequence[Input], target: str | None = None) -> None:
    """Add what the whole model takes: a field that may be null, or one whose lack is refused."""
    schema = add(parent, "MiningSchema")
    for one in inputs:
        add(
            schema, "MiningField", name=one.name, invalidValueTreatment="returnInvalid",
            missingValueTreatment=None if one.nullable else "returnInvalid",
        )  # fmt: skip
    if target is not None:
        add(schema, "MiningField", name=target, usageType="target")


def add_inner_schema(parent: Element, inputs: Sequence[Input]) -> None:
    """Add what a model within it takes, which is checked already."""
    schema = add(parent, "MiningSchema")
    for one in inputs:
        add(schema, "MiningField", name=one.name)


class Derived:
    """The fields that features are: the record's own, or derived ones that `parent` gets."""

    def __init__(self, form: Form, parent: Element, taken: Iterable[str]) -> None:
        """`taken` are names that no derived field may have."""
        self._form, self._parent = form, parent
        self._taken = {*taken}
        self.names = {one.name: self._of(one) for one in form.features}

    def _of(self, feature: Feature) -> str:
        if isinstance(feature, Number):
            return self._number(feature)
        if isinstance(feature, Category):
            return self._category(feature)
        return self._lookup(feature)

    def _derived(self, name: str, *, text: bool) -> tuple[str, Element]:
        name = unused(name, self._taken)
        self._taken.add(name)
        field = add(
            self._parent, "DerivedField", name=name, dataType="string" if text else "double",
            optype="categorical" if text else "continuous",
        )  # fmt: skip
        return name, field

    def _number(self, feature: Number) -> str:
        one = self._form.input(feature.field)
        as_it_is = ("number", "integer") if self._form.kind == "linear" else ("number",)
        if one.kind in as_it_is and not one.nullable:  # a tree's thresholds are no whole numbers
            return one.name
        name, field = self._derived(feature.name, text=False)
        if one.kind == "flag":
            choice = apply(field, "if")
            add(apply(choice, "equal"), "FieldRef", field=one.name)
            constant(choice[0], value=True)
            constant(choice, 1.0)
            constant(choice, 0.0)
            return name
        add(field, "FieldRef", field=one.name, mapMissingTo=0 if one.nullable else None)
        return name

    def _category(self, feature: Category) -> str:
        inputs = [self._form.input(name) for name in feature.fields]
        alone = len(feature.parts) == 1
        if alone and inputs[0].kind == "text" and not inputs[0].nullable:
            return inputs[0].name
        name, field = self._derived(feature.name, text=True)
        parent = field
        gone = [one for one in inputs if one.nullable]
        if gone:
            parent = _unless_missing(field, gone)
        joined = parent if alone else apply(parent, "concat")
        for piece in feature.parts:
            if isinstance(piece, str):
                constant(joined, piece)
            else:
                add(joined, "FieldRef", field=piece[1])
        if gone:
            constant(parent, ABSENT)
        return name

    def _lookup(self, feature: Lookup) -> str:
        keys = [self._key(self._form.input(name)) for name in feature.fields]
        text = feature.is_category
        name, field = self._derived(feature.name, text=text)
        found = add(
            field, "MapValues", outputColumn="found", dataType="string" if text else "double",
            defaultValue=ABSENT if text else 0.0,
        )  # fmt: skip
        for place, key in enumerate(keys):
            add(found, "FieldColumnPair", field=key, column=f"key{place}")
        table = add(found, "InlineTable")
        for values, value in feature.values.items():
            if value is None:
                continue
            row = add(table, "row")
            for place, part in enumerate(values):
                add(row, f"key{place}").text = _key_of(part)
            add(row, "found").text = text_of(value)
        return name

    def _key(self, one: Input) -> str:
        """Return a field's value as a text, ABSENT where there is none."""
        if one.kind == "text" and not one.nullable:
            return one.name
        name, field = self._derived(f"{one.name}_text", text=True)
        parent = _unless_missing(field, [one]) if one.nullable else field
        if one.kind == "flag":
            choice = apply(parent, "if")
            add(apply(choice, "equal"), "FieldRef", field=one.name)
            constant(choice[0], value=True)
            constant(choice, "true")
            constant(choice, "false")
        elif one.kind == "text":
            add(parent, "FieldRef", field=one.name)
        else:
            number = apply(parent, "concat")
            add(number, "FieldRef", field=one.name)
            constant(number, "")
        if one.nullable:
            constant(parent, ABSENT)
        return name


def apply(parent: Element, function: str) -> Element:
    """Add the use of a function and return it, for its arguments."""
    return add(parent, "Apply", function=function)


def constant(parent: Element, value: str | float | bool) -> None:
    """Add a constant."""
    kinds = {bool: "boolean", float: "double", int: "integer", str: "string"}
    add(parent, "Constant", dataType=kinds[type(value)]).text = text_of(value)


def _unless_missing(parent: Element, inputs: Sequence[Input]) -> Element:
    """Add a choice whose next argument is taken where no input is missing, else the one after."""
    choice = apply(parent, "if")
    tests = choice if len(inputs) == 1 else apply(choice, "and")
    for one in inputs:
        add(apply(tests, "isNotMissing"), "FieldRef", field=one.name)
    return choice


def _key_of(value: Value) -> str:
    if value is None:
        return ABSENT
    if isinstance(value, float) and not isinstance(value, bool):
        value = int(value)
    return text_of(value)
