"""Bytes to JSON values and back, stricter than Python's own `json`."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from scoring.errors import NotJson
from scoring.values.strict_json import DuplicateKey, decode, encode


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"{}", {}),
        (b" \r\n\t[1, 2.5]\n", [1, 2.5]),
        (b'{"a": {"b": [true, false, null]}}', {"a": {"b": [True, False, None]}}),
        ('{"zone": "Küche \\u00fc 🚕"}'.encode(), {"zone": "Küche ü 🚕"}),
        (b"-0", 0),
        (b'"text"', "text"),
        (b"1e2", 100.0),
        (b'"\\ud800"', "\ud800"),
    ],
    ids=["object", "spaces", "nested", "utf-8", "minus zero", "text", "exponent", "surrogate"],
)
def test_json_is_read_as_it_is(body: bytes, value: Any) -> None:
    """A JSON text of any kind gives its value."""
    assert decode(body) == value


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "the body is empty"),
        (b" \n ", "the body is empty"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"a": "\xff"}', "not UTF-8: byte 7"),
        ('{"a": 1}'.encode("utf-16-le"), "not JSON"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8: byte 0"),
        (b'{"a": \n  oops}', "(line 2, column 3)"),
        (b'{"a": 1}{', "(line 1, column 9)"),
        (b"{'a': 1}", "(line 1, column 2)"),
        (b'{"a": 1,}', "not JSON"),
        (b'"\n"', "not JSON"),
        (b"NaN", "NaN is no JSON number"),
        (b'{"a": Infinity}', "Infinity is no JSON number"),
        (b"[-Infinity]", "-Infinity is no JSON number"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
    ],
    ids=[
        "empty", "blank", "bom", "latin-1", "utf-16 without bom", "utf-16", "broken", "two values",
        "python", "trailing comma", "newline in a text", "nan", "infinity", "minus infinity",
        "deep array", "deep object",
    ],
)  # fmt: skip
def test_what_is_no_json_is_refused_with_its_place(body: bytes, words: str) -> None:
    """A body that is no JSON text raises NotJson, which says what is wrong and where."""
    with pytest.raises(NotJson) as caught:
        decode(body)
    assert words in caught.value.detail
    assert caught.value.status == 400
    assert "\n" not in caught.value.detail


def test_a_repeated_key_has_no_value_of_its_own() -> None:
    """Of two equal keys none wins: a Repeated stands in their place, the other keys are kept."""
    value = decode(b'{"a": 1, "b": 2, "a": 3, "c": {"d": 4, "d": 4}}')
    assert isinstance(value["a"], DuplicateKey)
    assert value["b"] == 2
    assert isinstance(value["c"]["d"], DuplicateKey)


def test_keys_that_differ_in_case_are_not_repeated() -> None:
    """Only equal keys repeat each other."""
    assert decode(b'{"a": 1, "A": 2}') == {"a": 1, "A": 2}


@pytest.mark.parametrize("digits", [4001, 5000, 100_000])
def test_an_integer_of_thousands_of_digits_is_infinite(digits: int) -> None:
    """A whole number that Python refuses to convert becomes infinity, which no field accepts."""
    assert decode(b"9" * digits) == math.inf
    assert decode(b"-" + b"9" * digits) == -math.inf


def test_an_integer_of_many_digits_is_exact() -> None:
    """Up to 4,000 characters a whole number is kept to its last digit."""
    assert decode(b"9" * 4000) == 10**4000 - 1
    assert decode(b"-" + b"9" * 3999) == 1 - 10**3999


def test_a_float_too_large_is_infinite() -> None:
    """1e999 is JSON, and too large for a float."""
    assert decode(b"[1e999, -1e999]") == [math.inf, -math.inf]


def test_an_answer_is_compact_with_a_final_newline() -> None:
    """What is sent holds no spaces, and ends in a newline."""
    assert encode({"a": [1, 2.5], "ü": None}) == '{"a":[1,2.5],"ü":null}\n'.encode()
    assert encode({"a": [1, 2.5], "ü": True}) == '{"a":[1,2.5],"ü":true}\n'.encode()


def test_half_a_surrogate_pair_is_sent_as_it_came() -> None:
    """JSON can say it, UTF-8 cannot: it goes out escaped."""
    assert encode({"unseen": ["city=\ud800"]}) == b'{"unseen":["city=\\ud800"]}\n'


@pytest.mark.parametrize(
    "body",
    [b'{"a": 1, "a": 2}', b'[{"b": 0}, {"a": 1, "a": 2}]', b'{"a":1,"a":2,"x":"no colon"}',
     b'{"a":1,"\\u0061":2,"b":[]}', b'[{"a":1,"a":2},[0]]', b'[{"a":1,"a":2},{}]'],
)  # fmt: skip
def test_a_key_that_comes_twice_is_seen_however_it_is_read(body: bytes) -> None:
    """The fast reader keeps the last of two equal keys: then the careful one reads again."""
    found = decode(body)
    records = found if isinstance(found, list) else [found]
    assert any(isinstance(r, dict) and isinstance(r.get("a"), DuplicateKey) for r in records)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_answer_holds_a_number_that_json_lacks(value: float) -> None:
    """NaN and infinity are refused rather than sent."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode({"duration": value})


@pytest.mark.parametrize("value", [{}, [1, None], {"a": "\u2028\x00"}, 1.1, "ü"])
def test_what_is_encoded_is_decoded_again(value: Any) -> None:
    """The two directions agree with each other and with Python's own reader."""
    assert decode(encode(value)) == value == json.loads(encode(value))
