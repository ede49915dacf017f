"""CSV and JSON lines: cut into blocks of whole records, which workers read.

A block ends at an end of line that is not within quotes. Bytes of another encoding are decoded
first; a compressed file is decompressed as it is read.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from batch.errors import BatchError, UsageError
from batch.inputs.files import Source, file_system, first_line
from batch.inputs.rows import Rows, with_partitions
from scoring.cells import excels_separator

BLOCK_BYTES: Final = 1 << 23
FIRST_BYTES: Final = 1 << 19  # of a run's first block, which is scored that much sooner
_LARGEST: Final = 1 << 28  # of a record that never ends
_SEPARATORS: Final = ",;\t|"


@dataclass(frozen=True)
class TextSlice:
    """A block of whole records, UTF-8; `first` is the number of its first line in the file."""

    number: int
    block: bytes
    first: int
    parse: Callable[[bytes, int], Rows]
    partitions: Sequence[tuple[str, str]] = ()
    columns: Sequence[str] = ()

    @property
    def size(self) -> int:
        """Bytes of text."""
        return len(self.block)

    def read(self) -> Rows:
        """Return the rows."""
        found = self.parse(self.block, self.first)
        return replace(found, batch=with_partitions(found.batch, self.partitions, self.columns))


def slices(
    source: Source,
    parse: Callable[[bytes, int], Rows],
    *,
    columns: Sequence[str],
    encoding: str,
    header: bool,
    done: Collection[int] = (),
    begins: bool = False,
) -> Iterator[TextSlice]:
    """Yield the blocks of a file in order, except those that are `done`; without the line of column
    names where there is a `header`. With the file a run `begins`."""
    line, number = 1, 0
    for block in blocks(source, encoding, quotes=header, begins=begins):
        body, first = block, line
        line += block.count(b"\n")
        if header and first == 1:
            end = _end_of_header(block)
            body, first = block[end:], 1 + block[:end].count(b"\n")
        if body.strip():
            if number not in done:
                yield TextSlice(number, body, first, parse, source.partitions, columns)
            number += 1


def header_of(source: Source, encoding: str, separator: str) -> list[str]:
    """Return a CSV file's column names. Raises UsageError where it has none, or where another
    separator is more likely."""
    block = next(blocks(source, encoding, quotes=True), b"")
    line = block[: _end_of_header(block)].decode("utf-8").lstrip("\r\n")
    if told := excels_separator(line):
        raise UsageError(
            f"{source.name}: line 1 is Excel's sep= line; leave it out (tail -n +2), and say "
            f"--separator {told!r}"
        )
    try:
        names = next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        raise UsageError(
            f"{source.name}: its first line holds a carriage return; if lines end in one alone, "
            "as old Macs wrote them, let them end in a line feed: tr '\\r' '\\n'"
        ) from None
    if not names:
        raise UsageError(f"{source.name} is empty; a line of column names is expected")
    likely = max(_SEPARATORS, key=line.count)
    if len(names) == 1 and likely != separator and line.count(likely):
        raise UsageError(
            f"{source.name} has one column, {names[0][:60]!r}: is its separator {likely!r}? Say so "
            f"with --separator {likely!r}"
        )
    return [name.strip() for name in names]


def _end_of_header(block: bytes) -> int:
    """Return where the line of names ends, which may follow empty lines."""
    empty = len(block) - len(block.lstrip(b"\r\n"))
    return empty + end_of_record(block[empty:])


def end_of_record(block: bytes) -> int:
    """Return where the first record of a block ends."""
    end = block.find(b"\n")
    while end >= 0 and block.count(b'"', 0, end) % 2:
        end = block.find(b"\n", end + 1)
    return end + 1 or len(block)


def blocks(source: Source, encoding: str, *, quotes: bool, begins: bool = False) -> Iterator[bytes]:
    """Yield blocks of whole records, UTF-8; with `quotes`, no record ends within them. A last line
    without an end of line belongs to the block before it. Where a run `begins`, the first block is
    a small one."""
    ready = rest = b""
    for piece in _decoded(source, encoding, FIRST_BYTES if begins else BLOCK_BYTES):
        block = rest + piece
        end = block.rfind(b"\n")
        if quotes and b'"' in block:
            while end >= 0 and block.count(b'"', 0, end) % 2:
                end = block.rfind(b"\n", 0, end)
        if end < 0:
            if len(block) > _LARGEST:
                raise BatchError(
                    f"{source.name}: a record of more than {_LARGEST} bytes; is a quote not closed?"
                )
            rest = block
            continue
        if ready:
            yield ready
        ready, rest = block[: end + 1], block[end + 1 :]
    if ready or rest:
        yield ready + rest


def _decoded(source: Source, encoding: str, first_bytes: int) -> Iterator[bytes]:
    """Yield a file's text as UTF-8, without a byte order mark. Raises BatchError for bytes that are
    not of the encoding, and says which it may be."""
    decoder = codecs.getincrementaldecoder(encoding)()
    first, offset = True, 0
    for piece in _pieces(source, first_bytes):
        try:
            text = decoder.decode(piece)
        except UnicodeDecodeError as error:
            raise _undecodable(source, encoding, piece, offset + error.start) from None
        offset += len(piece)
        yield (text.removeprefix("\ufeff") if first else text).encode("utf-8")
        first = False
    if decoder.getstate()[0]:
        raise _undecodable(source, encoding, b"", offset)


def _pieces(source: Source, first_bytes: int) -> Iterator[bytes]:
    files, _ = file_system(source.name)
    try:
        kind = "gzip" if source.compressed else None
        with files.open_input_stream(source.path, compression=kind) as stream:
            size = min(first_bytes, BLOCK_BYTES)
            while piece := stream.read(size):
                yield piece
                size = BLOCK_BYTES
    except OSError as error:
        raise BatchError(
            f"{source.name} cannot be read, is it complete? {first_line(error)}"
        ) from error


def _undecodable(source: Source, encoding: str, piece: bytes, place: int) -> BatchError:
    marks: dict[bytes, str] = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
    likely = marks.get(piece[:2], "cp1252")
    return UsageError(
        f"{source.name} is not {encoding.upper()}: byte {place} cannot be decoded; name its "
        f"encoding, perhaps --encoding {likely}"
    )


def lines_of(block: bytes) -> list[tuple[int, bytes]]:
    """Return the lines of a block that hold anything, each with its place (from 0) among all."""
    return [(n, line) for n, line in enumerate(block.split(b"\n")) if line.strip()]


def known_encoding(name: str) -> str:
    """Return an encoding's name; raises UsageError for one that Python does not know."""
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise UsageError(f"--encoding {name!r} is not an encoding that Python knows") from None
