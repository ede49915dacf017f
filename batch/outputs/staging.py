"""A run's place: parts aside, the ledger of what is done, and what is published at the end.

    OUT/_unfinished/plan.json        what the run does; another run's does not fit
                    ledger/NAME.json a part that is done: rows, rejected, digest
                    NAME, rejected/NAME.jsonl, log/NAME.jsonl
    OUT/part-00000-00000.parquet     published, all at the end
        rejected/part-00000-00000.jsonl
        run.json, _SUCCESS           last

An output of one file has these beside it, in `OUT.unfinished/` and then in `OUT.run/`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, Final

from batch.errors import UsageError
from batch.inputs.files import format_of
from batch.outputs.lock import Lock
from batch.outputs.storage import Storage

SUCCESS: Final = "_SUCCESS"
RUN: Final = "run.json"
_PLAN: Final = "plan.json"

# names by which people would take a folder of parts for one file, or one file for another kind
_OTHERS: Final = (".tsv", ".txt", ".json", ".xlsx", ".xls", ".feather", ".arrow", ".orc", ".avro",
                  ".zip", ".zst", ".bz2", ".xz", ".tar", ".sqlite", ".db")  # fmt: skip

Plan = Mapping[str, Any]
Entry = dict[str, Any]  # of the ledger


class Staging:
    """The place that `--output` names."""

    def __init__(self, output: str) -> None:
        self.output = output.rstrip("/")
        if (other := self.output.lower().removesuffix(".gz")).endswith(_OTHERS):
            raise UsageError(
                f"{output}: a file ending in .{other.rpartition('.')[2]} is not written; name one "
                "in .parquet, .csv or .jsonl (.gz), or a folder"
            )
        self.format, self.compressed = format_of(self.output)
        self.single = self.format is not None
        folder, slash, self._file = self.output.rpartition("/")
        if self.single:
            self.storage = Storage(folder if slash else ".")
            self._aside, self._beside = f"{self._file}.unfinished", f"{self._file}.run/"
        else:
            self.storage = Storage(self.output)
            self._aside, self._beside = "_unfinished", ""
        self.lock = Lock(self.storage, self._aside)

    @property
    def aside(self) -> str:
        """Where an unfinished run keeps what it has, for people."""
        return f"{self.storage.uri.rstrip('/')}/{self._aside}"

    @property
    def beside(self) -> str:
        """Where `run.json` is published, for people."""
        return f"{self.storage.uri.rstrip('/')}/{self._beside}".rstrip("/")

    def finished(self) -> dict[str, Any] | None:
        """Return the `run.json` of the finished run that lies here; None if there is none."""
        if not self.storage.exists(self._beside + SUCCESS):
            return None
        found: dict[str, Any] = json.loads(self.storage.read(self._beside + RUN) or b"{}")
        return found

    def plan(self) -> Plan | None:
        """Return the plan of the unfinished run that lies here."""
        text = self.storage.read(f"{self._aside}/{_PLAN}")
        return None if text is None else json.loads(text)

    def begin(self, plan: Plan) -> None:
        """Write down what the run does, before its first part. Raises UsageError where the place
        holds files of somebody else."""
        if self.single:
            strange = [self._file] if self.storage.exists(self._file) else []
        else:
            strange = [n for n in self.storage.list() if not n.startswith(f"{self._aside}/")]
        if strange and self.finished() is None:
            raise UsageError(
                f"{self.output} is there already ({strange[0]}) and was not written by a run; "
                "name another place"
            )
        self.storage.write(f"{self._aside}/{_PLAN}", json.dumps(plan, indent=1).encode())

    def discard(self) -> None:
        """Throw away what an unfinished run left."""
        for name in self.storage.list(self._aside):
            if not name.endswith("/lock"):
                self.storage.delete(name)

    def done(self, known: Collection[str] = ()) -> dict[str, Entry]:
        """Return the ledger: by name, the parts that are done, except those that are `known`."""
        found: dict[str, Entry] = {}
        prefix = f"{self._aside}/ledger/"
        for name in self.storage.list(prefix):
            part = name.removeprefix(prefix).removesuffix(".json")
            if name.startswith(prefix) and name.endswith(".json") and part not in known:
                entry = json.loads(self.storage.read(name) or b"null")
                if entry:
                    found[part] = entry
        return found

    def write(self, name: str, data: bytes, extra: Mapping[str, bytes], entry: Entry) -> Entry:
        """Write a part, what belongs to it (by folder), and last its line of the ledger."""
        if data:
            self.storage.write(f"{self._aside}/{self.file_name(name)}", data)
        for folder, content in extra.items():
            if content:
                self.storage.write(f"{self._aside}/{folder}/{name}.jsonl", content)
        noted: Entry = {**entry, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        text = json.dumps(noted, indent=1).encode()
        self.storage.write(f"{self._aside}/ledger/{name}.json", text)
        return noted

    def write_file(self, name: str, data: bytes) -> None:
        """Write a part that no line of the ledger speaks of."""
        self.storage.write(f"{self._aside}/{self.file_name(name)}", data)

    def file_name(self, name: str) -> str:
        """Return the name of a part's file."""
        return f"{name}.{self._suffix}"

    def shaped(self, suffix: str) -> None:
        """Set the parts' suffix: parquet, csv.gz, ..."""
        self._suffix = suffix

    def publish(
        self,
        parts: Sequence[str],
        run: Mapping[str, Any],
        *,
        merge: Callable[[Sequence[str]], None],
        kept: Sequence[str],
    ) -> None:
        """Give the parts their places, then `run.json`, then `_SUCCESS`; `kept` are the parts that
        have rejected rows. May be done again after a kill at any moment of it."""
        self.storage.delete(self._beside + SUCCESS)
        self._remove_old(parts, kept)
        if self.single:
            merge([f"{self._aside}/{self.file_name(part)}" for part in parts])
        else:
            for part in parts:
                self.storage.move(f"{self._aside}/{self.file_name(part)}", self.file_name(part))
        for part in kept:
            name = f"rejected/{part}.jsonl"
            self.storage.move(f"{self._aside}/{name}", f"{self._beside}{name}")
        text = json.dumps(run, indent=1).encode() + b"\n"
        for name, data in ((RUN, text), (SUCCESS, b"")):
            self.storage.write(self._beside + name, data, aside=f"{self._aside}/{name}")
        self.discard()

    def close(self) -> None:
        """Let go of the place; of an unfinished run, what it has done stays."""
        self.lock.release()
        if not self.storage.list(self._aside):
            self.storage.delete_folder(self._aside)

    def logs(self, parts: Sequence[str]) -> list[str]:
        """Return the names of the parts' prediction logs, in order."""
        names = [f"{self._aside}/log/{part}.jsonl" for part in parts]
        return [name for name in names if self.storage.exists(name)]

    def writing_file(self) -> AbstractContextManager[BinaryIO]:
        """Return the file of an output of one file, to be written; it appears whole."""
        return self.storage.writing(self._file, aside=f"{self._aside}/{self._file}")

    def _remove_old(self, parts: Sequence[str], kept: Sequence[str]) -> None:
        """Take away the parts of a former run that this one takes the place of."""
        fresh = {self.file_name(part) for part in parts} | {f"rejected/{p}.jsonl" for p in kept}
        folder = self._beside if self.single else ""
        for name in self.storage.list(folder.rstrip("/")):
            own = name.removeprefix(folder)
            if own.startswith(("part-", "rejected/part-")) and own not in fresh:
                self.storage.delete(name)
