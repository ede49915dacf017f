"""Requests to copy: the same as the form sends, for a terminal and for a program."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any


def curl(url: str, record: Mapping[str, Any], *, with_key: bool = False) -> str:
    """Return a command for a POSIX shell; `with_key` it sends the variable API_KEY."""
    body = shlex.quote(json.dumps(record, ensure_ascii=False))
    key = '  -H "X-API-Key: $API_KEY" \\\n' if with_key else ""
    return (
        f"curl {shlex.quote(url)} \\\n{key}"
        f"  -H 'Content-Type: application/json' \\\n  --data-raw {body}"
    )


def requests(url: str, record: Mapping[str, Any], *, with_key: bool = False) -> str:
    """Return a Python program that uses the package requests; `with_key` it sends the variable
    API_KEY."""
    lines = "".join(f"    {_python(key)}: {_python(value)},\n" for key, value in record.items())
    environ = "import os\n\n" if with_key else ""
    sent = '    headers={"X-API-Key": os.environ["API_KEY"]},\n' if with_key else ""
    call = f"answer = requests.post({_python(url)}, json=record, timeout=10)\n"
    if with_key:
        call = (
            f"answer = requests.post(\n    {_python(url)},\n    json=record,\n{sent}"
            "    timeout=10,\n)\n"
        )
    return (
        f"{environ}import requests\n\nrecord = {{\n{lines}}}\n{call}"
        "answer.raise_for_status()\nprint(answer.json())"
    )


def _python(value: object) -> str:
    """Return a Python literal: a JSON text is one, but for null and the truth values."""
    if value is None or isinstance(value, bool):
        return str(value)
    return json.dumps(value, ensure_ascii=False)
