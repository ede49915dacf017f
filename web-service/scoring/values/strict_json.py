"""Bytes to JSON values and back, stricter than Python's own `json`.

Python reads `NaN`, guesses UTF-16, lets the last of two equal keys win and fails on a number of
5,000 digits. Here the first two are refused, a repeated key becomes a value that no field accepts,
and a number too large for a float becomes infinity, which no field accepts either.

orjson reads what is plain ten times faster, and refuses the rest without saying enough about it;
then Python's decoder looks at it again, in the ways above.
"""

from __future__ import annotations

import codecs
import json
from typing import Any, Final, NoReturn

import orjson

from scoring.errors import NotJson

# Python refuses to convert more digits than this by default, and no field of ours comes near it.
_MAX_INT_DIGITS: Final = 4000


class DuplicateKey:
    """Stand where an object holds the same key more than once: which value was meant?"""


def decode(body: bytes) -> Any:
    """Return the JSON value of a UTF-8 `body`.

    A key that appears twice in one object has the value `Repeated()`. Raises NotJson otherwise,
    with the line and column where there is one.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _decode_with_care(body)
    return value if _has_each_key_once(value, body) else _decode_with_care(body)


def _has_each_key_once(value: Any, body: bytes) -> bool:
    """Says whether no key of a record, or of an array's records, was lost to an equal one. Each key
    comes with a colon: where there are no more colons than keys are left, none was. A body with
    more of them, within a text or deeper down, is no exception, only slower."""
    if type(value) is dict:
        return body.count(b":") == len(value)
    if type(value) is list and all(type(item) is dict for item in value):
        return body.count(b":") == sum(map(len, value))
    return False


def _decode_with_care(body: bytes) -> Any:
    if not body.strip():
        raise NotJson("the body is empty; send a record as a JSON object")
    if body.startswith(codecs.BOM_UTF8):
        raise NotJson("the body begins with a byte order mark; send plain UTF-8 without one")
    try:
        return _decoder.decode(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise NotJson(f"the body is not UTF-8: byte {error.start} cannot be decoded") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise NotJson(f"the body is not JSON: {error.msg} ({place})") from None
    except RecursionError:
        raise NotJson("the body is nested too deeply") from None


def encode(value: Any) -> bytes:
    """Return compact UTF-8 JSON and a final newline; a NaN or infinity raises ValueError."""
    try:
        text = orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:  # half of a surrogate pair, which JSON can say and UTF-8 cannot
        return _dumps(value, ascii_only=True)
    # null is what orjson writes for a NaN: Python's encoder, which refuses it, tells them apart
    return _dumps(value) if b"null" in text else text


def _dumps(value: Any, *, ascii_only: bool = False) -> bytes:
    text = json.dumps(value, allow_nan=False, ensure_ascii=ascii_only, separators=(",", ":"))
    return text.encode() + b"\n"


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_INT_DIGITS else float(digits)


def _constant(name: str) -> NoReturn:
    raise NotJson(f"the body is not JSON: {name} is no JSON number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                found[key] = DuplicateKey()
            seen.add(key)
    return found


_decoder: Final = json.JSONDecoder(
    parse_int=_integer, parse_constant=_constant, object_pairs_hook=_object
)
