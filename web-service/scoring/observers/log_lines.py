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
from scoring.record import Record

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


def _names(predictor: Predictor, key: str | None) -> bytes:
    """Return who answered whom, as the members of a JSON object."""
    names = {
        **({"key": key} if key else {}),
        "model": predictor.model.name,
        "version": predictor.version,
        "digest": predictor.manifest.sha256,
    }
    return orjson.dumps(names)[1:-1]


class Lines:
    """Make the lines of entries.

    Some fields are left out, others given as a hash: the same for the same value, and not to be
    guessed without the secret. Several threads may ask at once.
    """

    def __init__(self, omit: Sequence[str], hashed: Sequence[str], secret: str) -> None:
        self._omit = frozenset(omit)
        self._hash = frozenset(hashed)
        self._guarded = bool(self._omit or self._hash)
        self._secret = secret.encode()
        # of the line before: the second since 1970 and in words; who answered whom, and in words
        self._clock = -1, b""
        self._names: tuple[Predictor | None, str | None, bytes] = (None, None, b"")

    def quick(
        self, moment: float, caller: Caller, predictor: Predictor, scored: Scored
    ) -> bytes | None:
        """Return the line of a request of one record, as nearly every one is: it takes two
        microseconds. None where there are several, or hashes to make."""
        records, scores, answers = scored
        request_id, key, ids, carried = caller
        if len(records) != 1 or self._guarded or ids or carried:
            return None
        head = self._head(moment, predictor, key, request_id)
        return self._line(head, {"index": 0}, records[0], scores[0], answers[0])

    def of(self, entry: Entry) -> Iterator[bytes]:
        """Yield a line of JSON for each record, in order."""
        moment, caller, predictor, scored = entry
        request_id, key, ids, carried = caller
        head = b"" if ids else self._head(moment, predictor, key, request_id)
        for index, (record, score, answer) in enumerate(zip(*scored, strict=True)):
            if ids:
                head = self._head(moment, predictor, key, ids[index])
            line: dict[str, Any] = {"index": 0 if ids else index}
            if carried and carried[index]:
                line["ids"] = self._features(carried[index])
            yield self._line(head, line, record, score, answer)

    def _head(self, moment: float, predictor: Predictor, key: str | None, request_id: str) -> bytes:
        """Return the beginning of a line: when, and who answered whom."""
        second = int(moment)
        known, time = self._clock
        if second != known:
            time = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
            self._clock = second, time
        of, to, names = self._names
        if predictor is not of or key != to:
            names = _names(predictor, key)
            self._names = predictor, key, names
        return b'{"schema":%d,"time":"%b.%06d+00:00","request_id":%b,%b' % (
            SCHEMA, time, int((moment - second) * 1e6), orjson.dumps(request_id), names,
        )  # fmt: skip

    def _line(
        self,
        head: bytes,
        line: dict[str, Any],
        record: Record,
        score: float,
        answer: Mapping[str, Any],
    ) -> bytes:
        """Return a whole line; `line` has what comes between its head and the fields."""
        line["features"] = self._features(vars(record)) if self._guarded else vars(record)
        line["score"] = float(score)  # of several classes, the most likely one's probability
        line["unseen"] = line["beyond"] = ()
        if "unseen" in answer or "beyond" in answer:
            answer = dict(answer)
            unseen, beyond = answer.pop("unseen", ()), answer.pop("beyond", ())
            if not self._guarded:  # it would tell what is left out or hashed
                line["unseen"], line["beyond"] = unseen, beyond
        line["result"] = answer
        return b"%b,%b" % (head, orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)[1:])

    def _features(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            name: self._hashed(name, value) if name in self._hash else value
            for name, value in values.items()
            if name not in self._omit
        }

    def _hashed(self, name: str, value: object) -> str:
        # the field's name is a part, so that equal values of two fields cannot be told to be equal
        text = orjson.dumps([name, value])
        return "hmac:" + hmac.new(self._secret, text, hashlib.sha256).hexdigest()[:_HASH_DIGITS]
