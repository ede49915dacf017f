"""Requests to copy: the same as the form sends, for a terminal and for a program."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any


def curl(url: str, record: Mapping[str, Any]) -> str:
    """Gives a command for a POSIX shell."""
    body = shlex.quote(json.dumps(record, ensure_ascii=False))
    return (
        f"curl {shlex.quote(url)} \\\n  -H 'Content-Type: application/json' \\\n  --data-raw {body}"
    )


def requests(url: str, record: Mapping[str, Any]) -> str:
    """Gives a Python program that uses the package requests."""
    lines = "".join(f"    {_python(key)}: {_python(value)},\n" for key, value in record.items())
    return (
        f"import requests\n\nrecord = {{\n{lines}}}\n"
        f"answer = requests.post({_python(url)}, json=record, timeout=10)\n"
        "answer.raise_for_status()\nprint(answer.json())"
    )


def _python(value: object) -> str:
    """A JSON text is a Python literal but for the two truth values."""
    return str(value) if isinstance(value, bool) else json.dumps(value, ensure_ascii=False)
