"""The text of `--help`: what a command is for, in sentences, and examples of it to copy."""

from __future__ import annotations

import argparse
import inspect
from typing import Any


def described(text: str, *examples: str) -> dict[str, Any]:
    """Return the arguments of an ArgumentParser whose help begins with `text`, as a sentence, and
    ends with `examples`, each a command."""
    sentence = text[:1].upper() + text[1:].rstrip()
    sentence += "" if sentence.endswith(".") else "."
    shown = "".join(f"\n  {one}" for one in examples)
    return {
        "description": sentence,
        "epilog": f"examples:{shown}" if examples else None,
        "formatter_class": argparse.RawDescriptionHelpFormatter,
    }


def of_docstring(docstring: str | None) -> dict[str, Any]:
    """Return those of a docstring whose second paragraph is examples, one a line, each with what it
    does behind it where that is said; what follows belongs to the text."""
    first, examples, *more = inspect.cleandoc(docstring or "").split("\n\n")
    return described("\n\n".join([first, *more]), *inspect.cleandoc(examples).splitlines())
