"""A model with a field of every kind that works, its rows, and values of each kind to try."""

from __future__ import annotations

from datetime import date, datetime
from enum import Enum, StrEnum
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field, StringConstraints

from scoring.models import Answer, Model
from scoring.record import Record, Spelling


class Colour(Enum):
    """A colour as a person chooses it."""

    RED = "red"
    DARK_BLUE = "dark_blue"


class Size(StrEnum):
    """A size, which is a text itself."""

    SMALL = "small"
    LARGE = "large"


class Everything(Record):
    """A field of each kind."""

    count: int = Field(ge=0, le=50)
    above: int = Field(gt=0, lt=20)
    step: int = Field(ge=0, multiple_of=5)
    price: float = Field(ge=0, le=100)
    share: float = Field(gt=0, lt=1)
    tenth: float = Field(ge=0, le=10, multiple_of=0.5)
    loud: bool
    word: str = Field(min_length=1, max_length=20)
    code: str = Field(pattern="^[A-Z]{2}$")
    bare: Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True)]
    level: Annotated[Literal["low", "very_high"], Spelling]
    grade: Literal[1, 2, 3]
    only: Literal["this"]
    colour: Annotated[Colour, Spelling]
    size: Size
    day: date
    moment: datetime
    maybe_int: int | None
    maybe_float: Annotated[float, Field(ge=0)] | None
    maybe_text: str | None
    maybe_bool: bool | None = None
    maybe_day: date | None
    maybe_colour: Colour | None
    maybe_level: Literal["low", "high"] | None
    plain_float: float | None = Field(default=None, gt=-1)


def features(it: Everything) -> dict[str, Any]:
    """Hand on what can be, look into the rest, and say where something is missing."""
    return {
        "count": it.count, "above": it.above, "step": it.step, "price": it.price,
        "share": it.share, "tenth": it.tenth, "loud": it.loud, "word": it.word, "code": it.code,
        "bare": it.bare, "level": it.level, "grade": f"{it.grade}", "only": it.only,
        "colour": it.colour, "size": it.size, "weekday": f"{it.day.weekday()}",
        "hour": it.moment.hour + it.moment.minute / 60,
        "maybe_int": it.maybe_int, "maybe_float": it.maybe_float, "maybe_text": it.maybe_text,
        "maybe_bool": it.maybe_bool,
        "maybe_month": None if it.maybe_day is None else f"{it.maybe_day.month}",
        "maybe_colour": it.maybe_colour, "maybe_level": it.maybe_level,
        "twice": None if it.plain_float is None else 2 * it.plain_float,
        "lacking": float(it.maybe_int is None),
    }  # fmt: skip


def answer(score: float, _threshold: float) -> Answer:
    """A number, a truth and a text."""
    return {"verdict": "much" if score > 40 else "little", "much": score > 40, "amount": score}


EVERYTHING = Model(
    name="everything", title="Everything", registered_name="everything",
    artifact_file="everything.bin", task="regression", target="amount", unit="pieces",
    record=Everything, features=features, answer=answer,
    example={
        "count": 3, "above": 4, "step": 5, "price": 7.5, "share": 0.25, "tenth": 2.5, "loud": True,
        "word": "a", "code": "AB", "bare": "x", "level": "low", "grade": 2, "only": "this",
        "colour": Colour.RED, "size": Size.SMALL, "day": date(2026, 1, 31),
        "moment": datetime.fromisoformat("2026-01-31T15:04:05"), "maybe_int": 4, "maybe_float": 0.5,
        "maybe_text": "y", "maybe_bool": False, "maybe_day": date(2026, 5, 1),
        "maybe_colour": Colour.DARK_BLUE, "maybe_level": "high", "plain_float": 1.5,
    },
)  # fmt: skip

# Values of each field, as JSON has them; each is predicted by every door.
VALUES: dict[str, list[Any]] = {
    "count": [0, 50], "above": [1, 19], "step": [0, 35], "price": [0.0, 99.5, 12],
    "share": [0.001, 0.999], "tenth": [0.5, 10.0], "loud": [True, False],
    "word": ["b", "never seen", "true", "12"], "code": ["AB", "ZZ"], "bare": ["x", "y"],
    "level": ["low", "very_high"], "grade": [1, 3], "only": ["this"],
    "colour": ["red", "dark_blue"], "size": ["small", "large"],
    "day": ["2026-02-28", "2024-02-29", "1999-12-31"],
    "moment": ["2026-01-31T00:30:00", "2026-01-31T23:59:59.250000", "2026-06-01T12:00:00+02:00"],
    "maybe_int": [None, 0, 7], "maybe_float": [None, 0.0, 3.25], "maybe_text": [None, "y", "new"],
    "maybe_bool": [None, True, False], "maybe_day": [None, "2026-12-24"],
    "maybe_colour": [None, "red"], "maybe_level": [None, "low", "high"],
    "plain_float": [None, 0.0, -0.5],
}  # fmt: skip

# What each field refuses, and what is said of it.
REFUSED: dict[str, tuple[Any, str]] = {
    "count": (51, "expected a whole number from 0 to 50, got 51"),
    "above": (0, "expected a whole number of more than 0 and less than 20, got 0"),
    "step": (7, "expected a whole number of at least 0, a multiple of 5, got 7"),
    "price": (-1.0, "expected a number from 0 to 100, got -1.0"),
    "share": (1.0, "expected a number of more than 0 and less than 1, got 1.0"),
    "tenth": (0.3, "expected a number from 0 to 10, a multiple of 0.5, got 0.3"),
    "loud": ("perhaps", "expected true or false, got a text"),
    "word": ("w" * 21, "expected a text of 1 to 20 characters, got a text"),
    "code": ("ab", "expected a text that matches ^[A-Z]{2}$, got a text"),
    "level": ("medium", "expected one of 'low', 'very_high', got a text"),
    "grade": (4, "expected one of 1, 2, 3, got 4"),
    "only": ("that", "expected 'this', got a text"),
    "colour": ("green", "expected one of 'red', 'dark_blue', got a text"),
    "size": ("huge", "expected one of 'small', 'large', got a text"),
    "day": ("2026-02-30", "expected a date such as 2026-01-31, got a text"),
    "moment": ("noon", "expected a time such as 2026-01-31T15:04:05, got a text"),
    "maybe_int": ("many", "expected a whole number or null, got a text"),
    "maybe_float": (-1.0, "expected a number of at least 0 or null, got -1.0"),
    "maybe_bool": ("perhaps", "expected true or false or null, got a text"),
    "maybe_day": ("tomorrow", "expected a date such as 2026-01-31 or null, got a text"),
    "maybe_colour": ("green", "expected one of 'red', 'dark_blue' or null, got a text"),
    "maybe_level": ("medium", "expected one of 'low', 'high' or null, got a text"),
    "plain_float": (-1.0, "expected a number of more than -1 or null, got -1.0"),
}


def table(rows: int = 400) -> pd.DataFrame:
    """Return usable rows with the target, in which every feature counts for something."""
    made = np.random.default_rng(1)
    columns: dict[str, Any] = {}
    for name, values in VALUES.items():
        columns[name] = [values[n] for n in made.integers(0, len(values), rows)]
    columns["price"] = made.uniform(0, 100, rows).round(2)
    columns["count"] = made.integers(0, 50, rows)
    frame = pd.DataFrame(columns)
    number = frame["price"] * 0.5 + frame["count"] + 5 * frame["loud"]
    number += 7 * frame["maybe_int"].isna() + frame["plain_float"].fillna(0).astype(float)
    number += 3 * (frame["colour"] == "red") + made.normal(0, 0.1, rows)
    return frame.assign(amount=number)
