"""Pickles put together from their opcodes."""

from __future__ import annotations

import struct

PROTO_4 = b"\x80\x04"


def text(value: str) -> bytes:
    """Return the opcodes that push a text, of any length as paths have it."""
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def named(module: str, name: str) -> bytes:
    """Return the opcodes of protocol 4 that push what `name`, perhaps dotted, is in `module`."""
    return text(module) + text(name) + b"\x93"


def called(module: str, name: str, *words: bytes) -> bytes:
    """Return a whole pickle that calls it with the pushed `words`."""
    return PROTO_4 + named(module, name) + b"(" + b"".join(words) + b"tR."
