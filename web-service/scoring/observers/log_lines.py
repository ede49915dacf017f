"""What a line of the prediction log holds.

To change it, raise SCHEMA, and describe the new one in docs/prediction-log.md and
docs/prediction-log.schema.json beside the old.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import orjson

from scoring.errors import InvalidRecords
from scoring.observers.observer import Caller
from scoring.observers.refusals import bad_fields
from scoring.predictor import Predictor, Scored

SCHEMA: Final = 1
_HASH_DIGITS: Final = 32


class Entry(NamedTuple):
    """What is noted while the request waits: the answers of one request."""

    time: float  # seconds since 1970
    caller: Caller
    predictor: Predictor
    scored: Scored


class Refusal(NamedTuple):
    """What is noted of a request that was refused for its records."""

    time: float  # seconds since 1970
    predictor: Predictor
    error: InvalidRecords


class Truth(NamedTuple):
    """What came true of one prediction."""

    request_id: str
    place: int  # of the record in the request
    actual: float


class Feedback(NamedTuple):
    """What one request told."""

    time: float  # seconds since 1970
    key: str | None
    model: str
    truths: Sequence[Truth]


def of_refusal(refused: Refusal) -> bytes:
    """Return the line of JSON for a refused request: which fields were bad, why, and in how many
    records, without a value, an id or a key."""
    predictor = refused.predictor
    found = bad_fields(refused.error, predictor.model.record.model_fields)
    line = {
        "schema": SCHEMA,
        "kind": "refused",
        "time": datetime.fromtimestamp(refused.time, UTC).isoformat(timespec="microseconds"),
        "model": predictor.model.name,
        "version": predictor.version,
        "digest": predictor.manifest.sha256,
        "errors": [
            {"field": field, "reason": reason, "records": times}
            for (field, reason), times in found.items()
        ],
    }
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def of_feedback(told: Feedback) -> Iterator[bytes]:
    """Yield a line of JSON for each truth, in order."""
    head = {
        "schema": SCHEMA,
        "kind": "feedback",
        "time": datetime.fromtimestamp(told.time, UTC).isoformat(timespec="microseconds"),
        **({"key": told.key} if told.key else {}),
        "model": told.model,
    }
    for one in told.truths:
        line = {**head, "request_id": one.request_id, "index": one.place, "actual": one.actual}
        yield orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


class Lines:
    """Make the lines of entries.

    Some fields are left out, others given as a hash: the same for the same value, and not to be
    guessed without the secret.
    """

    def __init__(self, omit: Sequence[str], hashed: Sequence[str], secret: str) -> None:
        self._omit = frozenset(omit)
        self._hash = frozenset(hashed)
        self._guarded = bool(self._omit or self._hash)
        self._secret = secret.encode()

    def of(self, entry: Entry) -> Iterator[bytes]:
        """Yield a line of JSON for each record, in order."""
        predictor = entry.predictor
        head = {
            "schema": SCHEMA,
            "time": datetime.fromtimestamp(entry.time, UTC).isoformat(timespec="microseconds"),
            "request_id": entry.caller.request_id,
            **({"key": entry.caller.key} if entry.caller.key else {}),
            "model": predictor.model.name,
            "version": predictor.version,
            "digest": predictor.manifest.sha256,
        }
        ids, carried = entry.caller.ids, entry.caller.carried
        for index, (record, score, answer) in enumerate(zip(*entry.scored, strict=True)):
            line = {
                **head,
                **({"request_id": ids[index], "index": 0} if ids else {"index": index}),
                **({"ids": self._features(carried[index])} if carried and carried[index] else {}),
                "features": self._features(vars(record)),
                "score": float(score),  # of several classes, the most likely one's probability
            }
            result = dict(answer)
            unseen = result.pop("unseen", [])  # which would tell what is left out or hashed
            beyond = result.pop("beyond", [])  # likewise
            line["unseen"] = [] if self._guarded else unseen
            line["beyond"] = [] if self._guarded else beyond
            line["result"] = result
            yield orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)

    def _features(self, values: Mapping[str, Any]) -> dict[str, Any]:
        if not self._guarded:
            return dict(values)
        return {
            name: self._hashed(name, value) if name in self._hash else value
            for name, value in values.items()
            if name not in self._omit
        }

    def _hashed(self, name: str, value: object) -> str:
        # the field's name is a part, so that equal values of two fields cannot be told to be equal
        text = orjson.dumps([name, value])
        return "hmac:" + hmac.new(self._secret, text, hashlib.sha256).hexdigest()[:_HASH_DIGITS]
