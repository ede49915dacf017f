"""A model's file that some door could not deal with: refused by a line, and no other model's."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, create_model

from scoring.field_kinds import check_record
from scoring.models import refused
from scoring.record import Record
from tests.support import ROOT, environment

TIPS = """
from datetime import date, time
from decimal import Decimal
from enum import Enum, Flag, IntEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from scoring.models import Model
from scoring.record import Record


class Fare(Record):
    fare: float = Field(ge=0, description="US dollars")
    FIELD


MODEL = Model(
    name="NAME", title="Tip", registered_name="tips", artifact_file="tips.bin", task="regression",
    target="tip", unit="US dollars", record=Fare, features=lambda r: FEATURES,
    answer=lambda score, _threshold: ANSWER, example=EXAMPLE, rank=3,
)
"""
USUAL = {
    "FIELD": "", "NAME": "tips", "FEATURES": '{"fare": r.fare}', "ANSWER": '{"tip": score}',
    "EXAMPLE": '{"fare": 12.5}',
}  # fmt: skip
EXTRA = '{"fare": 12.5, "x": None}'
OF_FIELDS = {
    "tags: list[str]": "field 'x' is of the type list[str]; the kinds that work: int and float",
    "price: Decimal": "field 'x' is of the type Decimal;",
    "when: time": "field 'x' is of the type time;",
    "either: int | str": "field 'x' is of the type int | str;",
    "any: Any": "field 'x' is of the type Any;",
    "loose: Annotated[int, Field(strict=False)]": "field 'x' is int with strict=False;",
    "nan: Annotated[float, Field(allow_inf_nan=True)]": "field 'x' is float with allow_inf_nan",
    "called: Annotated[int, AfterValidator(abs)]": "field 'x' is int with AfterValidator;",
    "alias: Annotated[int, Field(alias='y')]": "field 'x' has an alias, and callers",
    "hidden: Annotated[int, Field(exclude=True)]": "field 'x' has exclude=True,",
    "most: Annotated[float, Field(le=float('inf'))]": "field 'x' has a limit that is no finite",
    "least: Annotated[float, Field(gt=float('nan'))]": "field 'x' has a limit that is no finite",
    "none: Annotated[float, Field(ge=5, le=1)]": "field 'x' has limits between which there is no",
    "edge: Annotated[float, Field(ge=1, lt=1)]": "field 'x' has limits between which there is no",
    "whole: Annotated[int, Field(gt=1, lt=2)]": "field 'x' has limits between which there is no",
    "fives: Annotated[int, Field(ge=1, le=4, multiple_of=5)]": "field 'x' has limits between which",
    "long: Annotated[str, Field(min_length=3, max_length=2)]": "field 'x' has limits between which",
    "level: IntEnum('L', 'LOW HIGH')": "field 'x' is L, whose values are not all texts;",
    "flag: Flag('F', 'A B')": "field 'x' is of the type F;",
    "mixed: Literal['a', 1]": "field 'x' is Literal['a', 1], whose values are not all texts;",
}
OTHERS = {
    "a broken file": ({"FIELD": "= 3"}, "it cannot be read: SyntaxError: invalid syntax"),
    "an import": ({"FIELD": "y: float = nothing"}, "it cannot be read: NameError: name 'nothing'"),
    "settings": (
        {"FIELD": 'model_config = ConfigDict(extra="forbid")'},
        "its record sets extra in model_config,",
    ),
    "a name": ({"NAME": "Tips!"}, "its name 'Tips!' is not in lower case"),
    "a name twice": ({"NAME": "ride"}, "another file has a model of the name 'ride'"),
    "the example": (
        {"EXAMPLE": '{"fare": -1}'},
        "its example is no valid record: fare: expected a number of at least 0, got -1",
    ),
    "a default": (
        {"FIELD": "x: int = Field(default=0, ge=1)"},
        "a default is not valid: x: expected a whole number of at least 1, got 0",
    ),
    "null": (
        {
            "FIELD": "x: float | None = None",
            "FEATURES": '{"x": r.x / 2, "fare": r.fare}',
            "EXAMPLE": '{"fare": 1.0, "x": 2.0}',
        },
        "its code fails on its own example: TypeError: unsupported operand",
    ),
    "an error": (
        {"FEATURES": '{"fare": r.fare / 0}'},
        "its code fails on its own example: ZeroDivisionError:",
    ),
    "a feature": ({"FEATURES": '{"fare": None}'}, "its feature 'fare' is None; features are texts"),
    "no features": ({"FEATURES": "{}"}, "its features are none"),
    "an answer": ({"ANSWER": '{"tip": [score]}'}, "its answer 'tip' is [0.25]; answers are"),
    "a key of ours": ({"ANSWER": '{"unseen": 1.0}'}, "its answer has the key 'unseen', which the"),
    "other keys": (
        {"ANSWER": '{"tip": score} if score < 0.6 else {"big": score}'},
        "its answer has other keys,",
    ),
}


def copy(folder: Path) -> Path:
    """Return the model package's folder in a copy of the core."""
    shutil.copytree(ROOT / "web-service" / "scoring", folder / "scoring")
    return folder / "scoring" / "models"


def text(**changed: str) -> str:
    made = TIPS
    for word, code in {**USUAL, **changed}.items():
        made = made.replace(word, code)
    return made


def run(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    paths = f"{folder}:{ROOT / 'web-service'}"
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment(PYTHONPATH=paths, PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True, check=False, text=True,
    )  # fmt: skip


FIND = (
    "import json; from scoring.models import discover, refused;"
    "discover(); print(json.dumps([list(discover()), refused()]))"
)


def found(folder: Path) -> tuple[list[str], dict[str, str], str]:
    """Return the models, the reasons for what is refused, and what was logged."""
    done = run(folder, FIND)
    assert done.returncode == 0, done.stderr
    names, reasons = json.loads(done.stdout)
    return names, reasons, done.stderr


@pytest.mark.parametrize(
    "limits",
    [{"ge": 0.3, "le": 0.3, "multiple_of": 0.1}, {"ge": 1, "le": 1}, {"gt": 1, "lt": 1.001}],
    ids=str,
)
def test_limits_between_which_there_is_a_value_are_taken(limits: dict[str, Any]) -> None:
    """As they are written: 0.3 is three times 0.1, also where a division says less."""
    check_record(create_model("R", __base__=Record, x=(float, Field(**limits))))


def test_no_model_of_ours_is_refused() -> None:
    """Whoever adds a file sees here what is wrong with it."""
    assert refused() == {}


@pytest.fixture(scope="module")
def reasons(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Write a file for each case, and return why each is refused, the models left, and the log."""
    folder = tmp_path_factory.mktemp("copy")
    models = copy(folder)
    for number, field in enumerate(OF_FIELDS):
        name, _, kind = field.partition(": ")
        code = text(NAME=name, FIELD=f"x: {kind}", EXAMPLE=EXTRA)
        (models / f"field{number}.py").write_text(code, encoding="utf-8")
    for number, (changed, _) in enumerate(OTHERS.values()):
        # the names of files decide which of two equal names is the second
        (models / f"z{number}.py").write_text(text(**{"NAME": f"z{number}", **changed}))
    names, lines, log = found(folder)
    return {"names": names, "log": log, "lines": list(lines.values())}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "words"),
    [
        *((f"field{n}.py", words) for n, words in enumerate(OF_FIELDS.values())),
        *((f"z{n}.py", words) for n, (_, words) in enumerate(OTHERS.values())),
    ],
    ids=[*OF_FIELDS, *OTHERS],
)
def test_what_some_door_cannot_read_is_refused_in_one_line(
    reasons: dict[str, Any], file: str, words: str
) -> None:
    """The line names the file, the field and the kinds that work, and it is logged once."""
    [line] = [line for line in reasons["lines"] if f" {file} " in line]
    assert line.startswith(f"the model file {file} is not used: {words}")
    assert "\n" not in line
    assert reasons["log"].count(line) == 1


def test_the_others_do_not_notice(reasons: dict[str, Any]) -> None:
    """They are found as ever, in their order."""
    assert [name for name in reasons["names"] if name in ("ride", "churn")] == ["ride", "churn"]
    assert len(reasons["lines"]) == len(OF_FIELDS) + len(OTHERS)


@pytest.mark.slow
def test_a_refused_model_that_is_asked_for_stops_the_start(tmp_path: Path) -> None:
    """By MODELS, or by an artifact that is there; without either, the others are served."""
    (copy(tmp_path) / "tips.py").write_text(text(FIELD="x: list[str]", EXAMPLE=EXTRA))
    select = "from scoring.models import discover, select; select(('tips',), discover())"
    asked = run(tmp_path, select)
    assert "SettingsError: MODELS names 'tips': the model file tips.py is not used" in asked.stderr
    kept = tmp_path / "models"
    start = (
        "import pathlib; from scoring.engine import Predictors; from scoring.models import *;"
        f"Predictors.from_folders(pathlib.Path({str(kept)!r}), (), {{}}); print('served')"
    )
    assert run(tmp_path, start).stdout == "served\n"
    (kept / "tips").mkdir(parents=True)
    there = run(tmp_path, start)
    assert f"{kept / 'tips'} cannot be served: the model file tips.py is not used" in there.stderr


@pytest.mark.slow
def test_the_command_lines_say_why(tmp_path: Path) -> None:
    """`train.py tips` is wrong usage, and the reason stands in the place of the list of models."""
    (copy(tmp_path) / "tips.py").write_text(text(FIELD="x: list[str]", EXAMPLE=EXTRA))
    for program in ("train", "training.adopt"):
        start = f"import sys; from {program} import main; main(['tips'])"
        done = run(tmp_path, f"import sys; sys.path.insert(1, {str(ROOT)!r}); {start}")
        assert done.returncode == 2, done.stderr
        assert "argument MODEL: the model file tips.py is not used: field 'x'" in done.stderr
