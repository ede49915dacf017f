"""Which options librdkafka has, by its own list: their names, whose they are, what aliases mean.

The list is what CONFIGURATION.md of librdkafka is made from; the library writes it to a C file, and
confluent-kafka has no call for it.
"""

from __future__ import annotations

import ctypes
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from types import MappingProxyType
from typing import Final

from confluent_kafka import cimpl

from streaming.errors import UsageError

_LINE: Final = re.compile(r"(?P<name>[a-z0-9._]+) +\| +(?P<whose>[*CP]) +\|.*\| (?P<text>.*)")
_ALIAS: Final = re.compile(r"Alias for `([^`]+)`")
_NO_TEXT: Final = ("*Type: see dedicated API*", "*Type: pointer*")  # set by calls alone
# what guarantees rest on, and what the command line says; by the names that are no aliases
_OURS: Final = {
    "metadata.broker.list": "the address has the hosts",
    "group.id": "--group says it",
    "auto.offset.reset": "--start says it",
    "transactional.id": "it is made of --group and STREAM_NAME",
    **dict.fromkeys(
        ("enable.auto.commit", "auto.commit.enable", "enable.auto.offset.store", "isolation.level",
         "enable.idempotence", "request.required.acks", "message.timeout.ms",
         "delivery.report.only.error"),
        "what is guaranteed rests on it",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Option:
    """An option of librdkafka's."""

    name: str  # the one that others are aliases of
    whose: str  # C of consumers, P of producers, * of both


@cache
def known() -> Mapping[str, Option]:
    """Return the options that a text can set, by each of their names."""
    found: dict[str, Option] = {}
    for line in filter(None, map(_LINE.fullmatch, _listed().splitlines())):
        if not line["text"].endswith(_NO_TEXT):
            alias = _ALIAS.search(line["text"])
            option = Option(alias[1] if alias else line["name"], line["whose"])
            found.setdefault(line["name"], option)  # a topic's own come last, under the same names
    return MappingProxyType(found)


@cache
def variables() -> Mapping[str, str]:
    """Return the options' names by what is left of them in the environment: SASL_PASSWORD is
    `sasl.password`, LOG_LEVEL is `log_level`."""
    return MappingProxyType({re.sub(r"[._]", "_", name).upper(): name for name in known()})


def checked(option: str, shown: str) -> str:
    """Return the name that `option` is an alias of, or itself. Raises UsageError, which calls it
    `shown`, where librdkafka has no such option or where it is not to be set."""
    if option not in known():
        raise unknown(shown, get_close_matches(option, known(), cutoff=0.7))
    name = known()[option].name
    if name in _OURS:
        raise UsageError(f"{shown} cannot be set: {_OURS[name]} (docs/streaming.md)")
    return name


def unknown(shown: str, near: list[str]) -> UsageError:
    """Return what to raise for an option that there is not."""
    meant = f"; did you mean {' or '.join(near)}?" if near else ""
    return UsageError(f"{shown}: librdkafka has no such option{meant}")


def _listed() -> str:
    """Return librdkafka's table of its options."""
    library, c = ctypes.CDLL(cimpl.__file__), ctypes.CDLL(None)
    c.fdopen.restype, c.fdopen.argtypes = ctypes.c_void_p, (ctypes.c_int, ctypes.c_char_p)
    c.fclose.argtypes = library.rd_kafka_conf_properties_show.argtypes = (ctypes.c_void_p,)
    with tempfile.TemporaryFile() as file:
        stream = c.fdopen(os.dup(file.fileno()), b"w")
        library.rd_kafka_conf_properties_show(stream)
        c.fclose(stream)
        file.seek(0)
        return file.read().decode()
