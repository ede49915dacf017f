"""Which values a search may try for an estimator's parameters, and how a person writes them.

* max_depth = {low = 2, high = 10}              whole numbers, as both ends are
* learning_rate = {low = 0.02, high = 0.5, log = true}
* criterion = ["squared_error", "poisson"]      one of these
"""

from __future__ import annotations

import ast
import json
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from training.errors import TrainingError

_FORM: Final = "NAME=LOW..HIGH, NAME=LOW..HIGH,log or NAME=VALUE,VALUE"
_RANGE: Final = re.compile(r"(?P<low>[^.,].*?)\.\.(?P<high>[^,]+)(?P<log>,log)?")
_PLAIN: Final = (str, int, float, bool, type(None))


@dataclass(frozen=True)
class Number:
    """Every number from `low` to `high`, both included; whole ones where both are of that kind.
    `log` tries as many from 1 to 10 as from 10 to 100."""

    low: float
    high: float
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def ends(self) -> tuple[Any, ...]:
        """Values that the estimator must take."""
        return self.low, self.high


@dataclass(frozen=True)
class Choice:
    """One of these values."""

    values: tuple[str | int | float | bool | None, ...]

    @property
    def ends(self) -> tuple[Any, ...]:
        """Values that the estimator must take."""
        return self.values


Space = Mapping[str, Number | Choice]  # by parameter, named as `--param` names it


def read(given: Iterable[str]) -> dict[str, Number | Choice]:
    """Return what is written in texts like `alpha=0.01..10,log` and in TOML or JSON files, the last
    one of a name. Raises TrainingError with the first thing that is wrong, and the form."""
    found: dict[str, Number | Choice] = {}
    for text in given:
        if "=" in text:
            name, _, values = text.partition("=")
            found[name] = _of_text(name, values)
        else:
            found |= _of_file(Path(text))
    return found


def as_plain(space: Space) -> dict[str, Any]:
    """Return the space as JSON has it, for the record of a search."""
    return {
        name: list(part.values)
        if isinstance(part, Choice)
        else {"low": part.low, "high": part.high, "log": part.log}
        for name, part in sorted(space.items())
    }


def _of_text(name: str, text: str) -> Number | Choice:
    if not name or not text:
        raise TrainingError(f"--space takes a file, {_FORM}, not '{name}={text}'")
    if found := _RANGE.fullmatch(text):
        low, high = (_literal(found[end]) for end in ("low", "high"))
        return _number(name, {"low": low, "high": high, "log": bool(found["log"])}, "--space")
    return Choice(tuple(_literal(value) for value in text.split(",")))


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        return text.strip()


def _of_file(path: Path) -> dict[str, Number | Choice]:
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except FileNotFoundError:
        raise TrainingError(f"--space: there is no file {path}; without one: {_FORM}") from None
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path} cannot be read: {error}") from None
    if not isinstance(found, dict) or not found:
        raise TrainingError(f"{path} names no parameter; for example: alpha = [0.1, 1.0]")
    made: dict[str, Number | Choice] = {}
    for name, part in found.items():
        if isinstance(part, dict):
            made[name] = _number(name, part, str(path))
        elif isinstance(part, list) and part and all(isinstance(v, _PLAIN) for v in part):
            made[name] = Choice(tuple(part))
        else:
            raise TrainingError(
                f"{path}: {name} is {part!r}; a list of values or low, high and log are expected"
            )
    return made


def _number(name: str, part: Mapping[str, Any], place: str) -> Number:
    low: Any = part.get("low")
    high: Any = part.get("high")
    log = part.get("log", False)
    right = part.keys() <= {"low", "high", "log"} and isinstance(log, bool)
    if not (right and _finite(low) and _finite(high)):
        seen = ", ".join(f"{key}={value!r}" for key, value in part.items())
        raise TrainingError(f"{place}: {name} has {seen}; numbers as low and high are expected")
    if not low < high or (log and low <= 0):
        above = ", above 0 with log," if log else ""
        raise TrainingError(f"{place}: {name} goes from {low} to {high}; low{above} below high")
    return Number(low, high, log)


def _finite(end: Any) -> bool:
    return type(end) in (int, float) and math.isfinite(end)
