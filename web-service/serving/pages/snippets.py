"""Requests to copy: the same as the form sends, for a terminal and for a program."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any


def curl(url: str, record: Mapping[str, Any]) -> str:
    """Return a command for a POSIX shell."""
    body = shlex.quote(json.dumps(record, ensure_ascii=False))
    return (
        f"curl {shlex.quote(url)} \\\n  -H 'Content-Type: application/json' \\\n  --data-raw {body}"
    )


def requests(url: str, record: Mapping[str, Any]) -> str:
    """Return a Python program that uses the package requests."""
    lines = "".join(f"    {_python(key)}: {_python(value)},\n" for key, value in record.items())
    return (
        f"import requests\n\nrecord = {{\n{lines}}}\n"
        f"answer = requests.post({_python(url)}, json=record, timeout=10)\n"
        "answer.raise_for_status()\nprint(answer.json())"
    )


def _python(value: object) -> str:
    """Return a Python literal: a JSON text is one, but for null and the truth values."""
    if value is None or isinstance(value, bool):
        return str(value)
    return json.dumps(value, ensure_ascii=False)
