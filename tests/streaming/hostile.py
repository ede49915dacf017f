"""Events that a stranger may send: none of them is a valid ride."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from tests.streaming.support import ride

_FORMS: tuple[Callable[[random.Random], bytes | None], ...] = (
    lambda _: None,  # a tombstone
    lambda _: b"",
    lambda chance: chance.randbytes(chance.randint(1, 200)),
    lambda chance: b"[" * chance.randint(1, 20_000),
    lambda chance: b'{"a":' * chance.randint(1, 5000) + b"1",
    lambda chance: b'{"PULocationID": ' + b"9" * chance.randint(20, 5000) + b"}",
    lambda _: b'{"PULocationID": 1, "DOLocationID": 2, "trip_distance": NaN}',
    lambda _: b'{"PULocationID": 1, "DOLocationID": 2, "trip_distance": 1e999}',
    lambda _: b'{"PULocationID": 1, "PULocationID": 2, "DOLocationID": 2, "trip_distance": 1}',
    lambda _: json.dumps({"PULocationID": "1; DROP TABLE", "DOLocationID": None}).encode(),
    lambda chance: ride(chance.randrange(1000))[: chance.randint(1, 40)],
    lambda chance: b'"' + b"x" * chance.randint(1, 100_000) + b'"',
    lambda _: b'{"specversion": "9", "data": {}}',
    lambda _: b'{"specversion": "1.0", "id": [], "data_base64": "%%%"}',
    lambda _: b"\xef\xbb\xbf" + ride(1),  # a byte order mark
)


def hostile(chance: random.Random) -> bytes | None:
    """Return the value of an event that has no prediction; None: an event without a value."""
    return chance.choice(_FORMS)(chance)
