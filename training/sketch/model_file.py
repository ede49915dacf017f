"""The parts of a model file, and its text."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from scoring.errors import ArtifactError
from scoring.models import Model, code_folders, discover, refused

Kind = Literal["category", "text", "integer", "number", "flag"]

_TYPES: Final = {"text": "str", "integer": "int", "number": "float", "flag": "bool"}
_WIDTH: Final = 96


@dataclass(frozen=True)
class Field:
    """One field of the record; `column` is its name in a table."""

    name: str
    column: str
    kind: Kind
    example: Any
    choices: tuple[str, ...] = ()  # of a category
    spelled: bool = False  # whether callers may write them in any case, with spaces
    low: float | None = None
    high: float | None = None
    description: str = ""
    optional: bool = False  # null where training saw it missing

    def code(self, written: str) -> str:
        """Return the expression of a feature, `written` of this field; none where it is null."""
        plain = written == f"record.{self.name}" or not self.optional
        return written if plain else f"None if record.{self.name} is None else {written}"


@dataclass(frozen=True)
class Sketch:
    """A model as it was guessed. `features` are Python expressions of `record`, by the
    vectorizer's names; `notes` are the guesses, for a person."""

    name: str
    task: Literal["regression", "classification"]
    target: str
    fields: Sequence[Field]
    features: dict[str, str]
    origin: str  # what it was guessed from
    notes: Sequence[str] = field(default_factory=list)
    classes: tuple[str, ...] = ()  # where there are more than two


def write_model_file(sketch: Sketch) -> tuple[Model, Path]:
    """Write the model file into the first folder of MODEL_CODE, or beside our own, and return the
    model and the file's path. Raises ArtifactError where one is there, or the service would not
    take it; nothing is left then."""
    path = code_folders()[0] / f"{sketch.name}.py"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text_of(sketch))
    except FileExistsError as error:
        raise ArtifactError(f"{path} is there already") from error
    except OSError as error:
        raise ArtifactError(f"{path} cannot be written: {error.strerror}") from error
    found = discover().get(sketch.name)
    if found is None:
        reason = refused().get(sketch.name, "it is not found")
        path.unlink()
        raise ArtifactError(f"no model file could be guessed: {reason}")
    return found, path


def text_of(sketch: Sketch) -> str:
    """Return the text of the model file."""
    words = sketch.name.replace("_", " ")
    kind = "".join(part.capitalize() for part in sketch.name.split("_"))
    kind = f"{kind}Record" if kind in ("Answer", "Features", "Model", "Record", "Field") else kind
    literal = any(one.kind == "category" for one in sketch.fields)
    spelled = any(one.spelled for one in sketch.fields)
    names = ["Annotated"] * spelled + ["Literal"] * literal
    imports = f"from typing import {', '.join(names)}\n\n" if names else ""
    record = "Record, Spelling" if spelled else "Record"
    fields = "\n".join(f"    {_field(one)}" for one in sketch.fields)
    features = "\n".join(f"        {_text(key)}: {code}," for key, code in sketch.features.items())
    example = "\n".join(f"        {_text(f.name)}: {_value(f.example)}," for f in sketch.fields)
    two = sketch.task == "classification" and not sketch.classes
    threshold, score = (
        ("threshold" if two else "_threshold"),
        "Shares" if sketch.classes else "float",
    )
    listed = ", ".join(["Answer", "Features", "Model", *["Shares"] * bool(sketch.classes)])
    unit = "probability" if sketch.task == "classification" else sketch.target
    origin, target = _plain(sketch.origin), _plain(sketch.target)
    return f'''"""{words.capitalize()}: {target}. Guessed from {origin}: look it through."""

{imports}from pydantic import Field

from scoring.models import {listed}
from scoring.record import {record}


class {kind}(Record):
    """What is known when {target} is predicted."""

{fields}


def features(record: {kind}) -> Features:
    """Return what the vectorizer takes."""
    return {{
{features}
    }}


def answer(score: {score}, {threshold}: float) -> Answer:
    """{_said(sketch)}"""
    return {_answer(sketch)}


MODEL = Model(
    name={_text(sketch.name)},
    title={_text(words.capitalize())},
    registered_name={_text(sketch.name.replace("_", "-"))},
    artifact_file={_text(f"{sketch.name}.bin")},
    task={_text(sketch.task)},
    target={_text(sketch.target)},
    unit={_text(unit)},
    record={kind},
    features=features,
    answer=answer,
    example={{
{example}
    }},{_classes(sketch)}
)
'''


def _classes(sketch: Sketch) -> str:
    if not sketch.classes:
        return ""
    inner = "".join(f"        {_text(name)},\n" for name in sketch.classes)
    return f"\n    classes=(\n{inner}    ),"


def _said(sketch: Sketch) -> str:
    if sketch.classes:
        return "Return the most likely class, and the probability of each."
    if sketch.task == "classification":
        return "Return the probability, and whether it reaches the threshold."
    return "Return the predicted value."


def _answer(sketch: Sketch) -> str:
    key = sketch.target if sketch.target not in _OURS else f"{sketch.target}_value"
    if sketch.task == "regression":
        return f"{{{_text(key)}: score}}"
    if sketch.classes:
        key = f"{key}_class" if key == "probabilities" else key
        return f'{{{_text(key)}: score.most_likely, "probabilities": score.by_class}}'
    return f"{{{_text(f'{key}_probability')}: score, {_text(key)}: score >= threshold}}"


_OURS: Final = {"model_version", "unseen", "explanation", "predictions"}


def _field(one: Field) -> str:
    kind = _TYPES.get(one.kind) or f"Literal[{', '.join(map(_text, one.choices))}]"
    if len(kind) > _WIDTH - 20 and one.choices:
        inner = "".join(f"        {_text(choice)},\n" for choice in one.choices)
        kind = f"Literal[\n{inner}    ]"
    if one.spelled:
        kind = f"Annotated[{kind}, Spelling]"
    if one.optional:
        kind = f"{kind} | None"
    limits = {"ge": one.low, "le": one.high}
    options = [
        f"{name}={_number(limit, one.kind)}" for name, limit in limits.items() if limit is not None
    ]
    if one.column != one.name:
        options.append(f"title={_text(one.column)}")
    if one.description:
        options.append(f"description={_text(one.description)}")
    line = f"{one.name}: {kind} = Field({', '.join(options)})" if options else f"{one.name}: {kind}"
    if options and len(line.rpartition("\n")[2]) > _WIDTH:
        inner = "".join(f"        {option},\n" for option in options)
        line = f"{one.name}: {kind} = Field(\n{inner}    )"
    return line


def _number(value: float, kind: Kind) -> str:
    return str(int(value)) if kind == "integer" or float(value).is_integer() else repr(float(value))


def _text(value: str) -> str:
    """Return a Python literal of a text, in double quotes."""
    return json.dumps(value, ensure_ascii=not value.isprintable())


def _plain(text: str) -> str:
    """Return a text as a docstring may hold it: what a file calls itself could end the string."""
    return re.sub(r"[^\w .,()%/=-]+", " ", text)[:200]


def _value(value: Any) -> str:
    return _text(value) if isinstance(value, str) else repr(value)
