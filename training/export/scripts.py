"""A model as one file of Python, or of JavaScript, that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from training.export.form import Form
from training.export.spec import spec_of

TEMPLATES: Final = Path(__file__).parent / "templates"


def python_files(form: Form) -> dict[str, bytes]:
    """Return the file by its name."""
    return {"model.py": _filled("model.py.in", form, spec_of(form), repr)}


def javascript_files(form: Form) -> dict[str, bytes]:
    """Return the file by its name."""
    spec = spec_of(form)
    # pairs: an object would put names that are numbers first, and have names of its own
    for part in spec["parts"]:
        if form.kind == "linear":
            part["numbers"] = list(map(list, part["numbers"].items()))
            part["categories"] = [
                [name, list(map(list, weights.items()))]
                for name, weights in part["categories"].items()
            ]
        else:
            part["categories"] = list(map(list, part["categories"].items()))
    return {"model.mjs": _filled("model.mjs.in", form, spec, json.dumps)}


def title_of(form: Form) -> str:
    """Return the first line of a file, without what could end a comment."""
    words = f"{form.model.title}: '{form.model.name}', version {form.version}."
    return "".join(c for c in words if c.isprintable() and c not in '"\\*/')


def _filled(
    template: str, form: Form, spec: Mapping[str, Any], write: Callable[[Any], str]
) -> bytes:
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    lines = "\n".join(_lines(spec, write))
    return text.replace("@TITLE@", title_of(form)).replace("@SPEC@", lines).encode()


def _lines(spec: Mapping[str, Any], write: Callable[[Any], str]) -> Iterator[str]:
    """Return the items of a dictionary, a line each; of lists in it, a line an item."""
    for name, value in spec.items():
        if name == "parts":
            yield f'  "{name}": ['
            for part in value:
                yield "  {"
                yield from (f"  {line}" for line in _lines(part, write))
                yield "  },"
            yield "  ],"
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield f'  "{name}": ['
            yield from (f"    {write(item)}," for item in value)
            yield "  ],"
        else:
            yield f'  "{name}": {write(value)},'
