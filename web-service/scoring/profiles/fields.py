"""Which fields of a record are numbers, and which are categories."""

from __future__ import annotations

from typing import Any, Final, Literal

from scoring.cells import NUMBERS, kind_of
from scoring.models import Model
from scoring.untouched import LookedInto, Untouched
from scoring.values.field_schemas import choices_of, field_schemas

FieldKind = Literal["number", "category"]

_FEW: Final = 32  # whole numbers of so few values are counted one by one
_NAMES: Final = 1000  # so many whole numbers can be names, if the model takes them as such


def field_kinds(model: Model) -> dict[str, FieldKind]:
    """Return the kind of each field of the model's record, by name, in order.

    A whole number is a category where it is a name, such as a taxi zone: the schema has words for
    its values (`x-names`), allows a few values only, or bounds them and the model's `features` does
    more than hand the field on.
    """
    kinds: dict[str, FieldKind] = {}
    for name, flat in field_schemas(model.record).items():
        kind = kind_of(flat, choices_of(flat))
        is_number = kind in NUMBERS and not choices_of(flat)
        if is_number and kind == "integer" and _is_name(model, name, flat):
            is_number = False
        kinds[name] = "number" if is_number else "category"
    return kinds


def _is_name(model: Model, name: str, schema: Any) -> bool:
    if "x-names" in schema:
        return True
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None or high is None or high - low >= _NAMES:
        return False
    return high - low < _FEW or _is_looked_into(model, name)


def _is_looked_into(model: Model, name: str) -> bool:
    record = model.record.model_validate(model.example)
    try:
        model.features(record.model_copy(update={name: Untouched(name)}))
    except LookedInto:
        return True
    return False
