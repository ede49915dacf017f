"""What holds for every body, whatever its bytes: `check` raises where it does not."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from scoring.engine import predict
from scoring.errors import NotJson, RequestError
from scoring.limits import Limits
from scoring.predictor import Predictor
from scoring.values import strict_json
from serving.http import problems

_LIMITS = Limits(max_records=50)  # few enough that a small body can hold too many
_BEYOND_64_BITS = 2.0**63  # where orjson makes floats of integers, which no field comes near


def check(predictors: list[Predictor], body: bytes) -> None:
    """Nothing but a RequestError comes out of a body, both decoders read the same in it, and the
    answer, good or bad, is JSON that holds the same when it is decoded again."""
    read = _outcome(strict_json.decode, body)
    careful = _outcome(strict_json._decode_with_care, body)
    if not same(read, careful):
        raise AssertionError(f"read as {read!r:.200}, and with care as {careful!r:.200}")
    for predictor in predictors:
        for explain in (False, True):
            try:
                answer = predict(predictor, body, limits=_LIMITS, explain=explain)
            except RequestError as error:
                _loads(problems.document(error))
                break
            said = strict_json.encode(answer)
            if not same(_loads(said), answer) or not same(strict_json.decode(said), answer):
                raise AssertionError(f"{answer!r:.200} was encoded as {said!r:.200}")


def same(one: Any, other: Any) -> bool:
    """Say whether two decoded values are the same, and of the same types all the way down."""
    pairs = [(one, other)]
    while pairs:  # a value may be nested deeper than functions can call themselves
        left, right = pairs.pop()
        if type(left) is not type(right) or not isinstance(left, dict | list):
            if not _same_leaf(left, right):
                return False
        elif isinstance(left, dict):
            if left.keys() != right.keys():
                return False
            pairs += [(left[key], right[key]) for key in left]
        elif len(left) != len(right):
            return False
        else:
            pairs += zip(left, right, strict=True)
    return True


def _same_leaf(left: Any, right: Any) -> bool:
    if {type(left), type(right)} == {int, float}:
        return bool(abs(left) >= _BEYOND_64_BITS and _float(left) == _float(right))
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return left == right and math.copysign(1, left) == math.copysign(1, right)
    if isinstance(left, NotJson):
        return bool(left.detail == right.detail)
    return isinstance(left, strict_json.DuplicateKey) or bool(left == right)


def _outcome(decode: Any, body: bytes) -> Any:
    try:
        return decode(body)
    except NotJson as error:
        return error


def _float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.copysign(math.inf, number > 0 or -1)


def _loads(text: bytes) -> Any:
    def none_such(name: str) -> NoReturn:
        raise AssertionError(f"the answer holds {name}, which is no JSON: {text!r:.200}")

    return json.loads(text, parse_constant=none_such)
