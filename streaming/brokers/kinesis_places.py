"""Where a group is in the shards of a stream, and which of its workers reads which shard.

One worker needs a file only. Several share a table in DynamoDB, as the Kinesis Client Library does:
a shard's row is its lease. Whoever takes a lease raises its `epoch`, and writes to a row only while
the epoch is the one that it took; who finds another has lost the shard. A holder raises `beat`
every few seconds; a lease whose beat stands still for longer may be taken by anyone.
"""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from botocore.exceptions import ClientError

from scoring.process.atomic_files import write_file
from streaming.errors import BatchLost

END: Final = "end"  # in the place of a record's number: the shard is read to its end
RENEW_S: Final = 2.0
EXPIRES_S: Final = 10.0


class Places(Protocol):
    """What a source asks for its place."""

    def of(self, shard: str, /) -> str | None:
        """Return the number of the last record that is done, END, or None where none is."""

    def held(self, shards: Iterable[str], /) -> set[str]:
        """Return which of `shards`, all of which could be read now, this worker is to read."""

    def save(self, places: Mapping[str, str], /) -> None:
        """Note places; raises BatchLost where another worker has one of the shards, after the
        others are noted."""

    def close(self) -> None:
        """Leave the shards to others."""


class FilePlaces:
    """Places in a file: one worker, which reads every shard."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            found = json.loads(file.read_bytes())
            self._places = {str(shard): str(place) for shard, place in found.items()}
        except (OSError, ValueError, AttributeError):
            self._places = {}

    def of(self, shard: str) -> str | None:
        """Return the place in a shard."""
        return self._places.get(shard)

    def held(self, shards: Iterable[str]) -> set[str]:
        """Return all of them."""
        return set(shards)

    def save(self, places: Mapping[str, str]) -> None:
        """Write the file anew."""
        self._places |= places
        write_file(self._file, json.dumps(self._places).encode())

    def close(self) -> None:
        """Do nothing: the file is written."""


@dataclass
class _Lease:
    """A row as it was read, and since when it is so by this worker's clock."""

    owner: str
    epoch: int
    beat: int
    place: str | None
    since: float


class LeasePlaces:
    """Places in a table of DynamoDB, whose rows are leases; the table is made where it is missing.

    Its calls raise botocore's errors.
    """

    def __init__(self, client: Any, table: str, group: str, worker: str) -> None:
        """`worker` is a name that no other worker of the group has."""
        self._client = client
        self._table = table
        self._group = group
        self._worker = worker
        self._leases: dict[str, _Lease] = {}  # every row
        self._mine: dict[str, int] = {}  # shard -> the epoch that was taken
        self._looked_at = -math.inf

    def of(self, shard: str) -> str | None:
        """Return the place in a shard, as it was at the last look."""
        lease = self._leases.get(shard)
        return lease.place if lease else None

    def held(self, shards: Iterable[str]) -> set[str]:
        """Return the shards of this worker; every two seconds its leases are renewed, and such
        are taken as are free, or more than another worker's share."""
        now = time.monotonic()
        if now - self._looked_at >= RENEW_S:
            self._look(now)
            self._renew()
            self._take(set(shards), now)
            self._looked_at = now
        return set(self._mine)

    def save(self, places: Mapping[str, str]) -> None:
        """Write the places of shards whose lease is this worker's."""
        lost = []
        for shard, place in places.items():
            if shard in self._mine and self._write(shard, "SET place = :place",
                                                   {":place": {"S": place}}):  # fmt: skip
                self._leases[shard].place = place
            else:
                lost.append(shard)
        if lost:
            raise BatchLost(f"another worker has {', '.join(lost)}")

    def close(self) -> None:
        """Give the leases back, so that others need not wait."""
        for shard in list(self._mine):
            self._write(shard, "SET worker = :nobody, epoch = epoch + :one",
                        {":nobody": {"S": ""}, ":one": {"N": "1"}})  # fmt: skip
        self._mine = {}

    def _look(self, now: float) -> None:
        """Read every row of the group."""
        try:
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table, ConsistentRead=True,
                KeyConditionExpression="readers = :group",
                ExpressionAttributeValues={":group": {"S": self._group}},
            )  # fmt: skip
            rows = [row for page in pages for row in page["Items"]]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            self._make_table()
            rows = []
        for row in rows:
            shard, place = row["shard"]["S"], row.get("place", {}).get("S")
            seen = int(row["epoch"]["N"]), int(row["beat"]["N"])
            known = self._leases.get(shard)
            since = known.since if known and (known.epoch, known.beat) == seen else now
            self._leases[shard] = _Lease(row["worker"]["S"], *seen, place, since)

    def _renew(self) -> None:
        for shard in list(self._mine):
            self._write(shard, "SET beat = beat + :one", {":one": {"N": "1"}})

    def _take(self, shards: set[str], now: float) -> None:
        """Take leases up to this worker's share: free ones, else one of who has the most."""
        live = {
            shard: lease.owner for shard, lease in self._leases.items()
            if shard in shards and lease.owner and now - lease.since < EXPIRES_S
        }  # fmt: skip
        workers = {*live.values(), self._worker}
        share = math.ceil(len(shards) / len(workers))
        free = sorted(shards - set(live))
        while free and len(self._mine.keys() & shards) < share:
            self._grab(free.pop(0), now)
        counts = Counter(live.values())
        most = max(counts, key=counts.__getitem__, default=self._worker)
        if most != self._worker and counts[most] > max(share, len(self._mine.keys() & shards) + 1):
            self._grab(next(shard for shard in sorted(live) if live[shard] == most), now)

    def _grab(self, shard: str, now: float) -> None:
        """Take a lease, unless another worker was quicker."""
        lease = self._leases.get(shard)
        values = {":me": {"S": self._worker}, ":one": {"N": "1"}, ":zero": {"N": "0"}}
        condition = "attribute_not_exists(epoch)"
        if lease:
            values |= {":epoch": {"N": str(lease.epoch)}, ":beat": {"N": str(lease.beat)}}
            condition = "epoch = :epoch AND beat = :beat"
        done = self._update(
            shard, "SET worker = :me, epoch = if_not_exists(epoch, :zero) + :one, "
            "beat = if_not_exists(beat, :zero) + :one", condition, values,
        )  # fmt: skip
        if done is not None:
            epoch = int(done["epoch"]["N"])
            place = done.get("place", {}).get("S")
            self._mine[shard] = epoch
            self._leases[shard] = _Lease(self._worker, epoch, int(done["beat"]["N"]), place, now)

    def _write(self, shard: str, what: str, values: dict[str, Any]) -> bool:
        """Change a row of ours; return whether it still is ours."""
        mine = {":mine": {"N": str(self._mine[shard])}}
        if self._update(shard, what, "epoch = :mine", {**values, **mine}) is not None:
            return True
        del self._mine[shard]
        return False

    def _update(
        self, shard: str, what: str, condition: str, values: dict[str, Any]
    ) -> dict[str, Any] | None:
        """Return the row as it is now; None where the condition does not hold."""
        try:
            done = self._client.update_item(
                TableName=self._table, Key={"readers": {"S": self._group}, "shard": {"S": shard}},
                UpdateExpression=what, ConditionExpression=condition,
                ExpressionAttributeValues=values, ReturnValues="ALL_NEW",
            )  # fmt: skip
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return None
        found: dict[str, Any] = done["Attributes"]
        return found

    def _make_table(self) -> None:
        names = {"readers": "HASH", "shard": "RANGE"}
        try:
            self._client.create_table(
                TableName=self._table, BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[
                    {"AttributeName": name, "AttributeType": "S"} for name in names
                ],
                KeySchema=[{"AttributeName": n, "KeyType": kind} for n, kind in names.items()],
            )  # fmt: skip
        except ClientError as error:  # another worker makes it
            if error.response["Error"]["Code"] != "ResourceInUseException":
                raise
        self._client.get_waiter("table_exists").wait(
            TableName=self._table, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
