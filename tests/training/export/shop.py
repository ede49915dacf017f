"""A model with the kinds of field that the two of ours have not, as far as formats hold them."""

from __future__ import annotations

from enum import Enum
from typing import Any, Literal

from pydantic import Field

from scoring.models import Answer, Model
from scoring.record import Record


class Colour(Enum):
    RED = "red"
    DARK_BLUE = "dark blue"


class Sale(Record):
    shop: str  # a text without a list of choices
    colour: Colour  # an Enum, which is spelled in one way
    size: Literal["S", "M", "no size"]
    grade: Literal[1, 2, 3]
    gift: bool
    urgent: bool
    pieces: int = Field(gt=0, lt=100)
    price: float = Field(ge=0)
    weight: float | None = Field(ge=0, le=50)
    age: int | None = None
    note: str | None = None
    default: str = "cash"  # a word of Python's and C's
    waiter: str | None = None  # which the features do not use


def features(sale: Sale) -> dict[str, Any]:
    return {
        "shop": sale.shop, "colour": sale.colour, "size_grade": f"{sale.size}/{sale.grade}",
        "gift": "gift" if sale.gift else None, "urgent": int(sale.urgent),
        "pieces": float(sale.pieces), "price": sale.price, "weight": sale.weight, "age": sale.age,
        "note": sale.note, "paid": "by " + sale.default,
    }  # fmt: skip


def answer(score: float, threshold: float) -> Answer:
    return {"total": score, "likely": score >= threshold, "words": f"{score:.0f} pieces"}


SHOP = Model(
    name="shop", title='A "shop" */', registered_name="shop", artifact_file="shop.bin",
    task="regression", target="total", unit="pieces", record=Sale, features=features, answer=answer,
    example={
        "shop": "Café 'Zoë'", "colour": "red", "size": "M", "grade": 2, "gift": True,
        "urgent": False, "pieces": 3, "price": 7.5, "weight": 1.25, "age": 4, "note": 'say "hi"\\',
    },
)  # fmt: skip


def sales(count: int = 200) -> list[dict[str, Any]]:
    """Return valid records in which each field moves."""
    shops = ["Café 'Zoë'", "b", "long " * 20]
    return [
        {
            "shop": shops[n % 3], "colour": ["red", "dark blue"][n % 2],
            "size": ["S", "M", "no size"][n % 3], "grade": n % 3 + 1, "gift": n % 2 == 0,
            "urgent": n % 5 == 0, "pieces": n % 99 + 1, "price": n * 0.37,
            "weight": None if n % 4 == 0 else n % 50 + 0.5, "age": None if n % 7 == 0 else n % 30,
            "note": [None, 'say "hi"\\', "x"][n % 3], "default": ["cash", "card"][n % 2],
        }
        for n in range(count)
    ]  # fmt: skip
