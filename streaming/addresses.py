"""A broker's address, as the command line has it.

kafka://host:9092,other:9092/topic?security.protocol=SASL_SSL
redis://host:6379/stream?field=value
kinesis://stream?region=eu-west-1
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import parse_qsl, unquote

from scoring.process.secret_values import is_secret
from streaming.errors import UsageError

_FORM: Final = re.compile(
    r"(?P<scheme>[a-z]+)://(?:(?P<login>[^/@]*)@)?(?P<hosts>[^/?@]*)"
    r"(?:/(?P<name>[^?/]+))?/?(?:\?(?P<query>.*))?"
)
SCHEMES: Final = ("kafka", "redis", "rediss", "kinesis")


@dataclass(frozen=True)
class Address:
    """Where a stream is."""

    scheme: str
    hosts: str  # without a login; empty where the scheme needs none
    name: str  # of the topic or stream
    options: dict[str, str] = field(default_factory=dict)
    login: tuple[str, str] | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the address; raises UsageError, which shows no password."""
        match = _FORM.fullmatch(text)
        shown = re.sub(r"//[^/]*@", "//", text.partition("?")[0])
        if not match or match["scheme"] not in SCHEMES:
            known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
            raise UsageError(f"{shown!r} is no address of a stream; they begin with {known}")
        scheme, hosts, name = match["scheme"], match["hosts"], unquote(match["name"] or "")
        if scheme == "kinesis":
            hosts, name = "", hosts
        if not name or (scheme != "kinesis" and not hosts):
            form = "kinesis://STREAM" if scheme == "kinesis" else f"{scheme}://HOST:PORT/NAME"
            raise UsageError(f"{shown!r} is not of the form {form}")
        options = dict(parse_qsl(match["query"] or "", keep_blank_values=True))
        for option in options:
            if is_secret(option.replace(".", "_")):
                raise UsageError(
                    f"{shown}?{option}=...: a secret on a command line is seen by every process; "
                    "set it in the environment (docs/streaming.md)"
                )
        login = None
        if match["login"] is not None:
            user, _, password = match["login"].partition(":")
            login = (unquote(user), unquote(password))
        return cls(scheme, hosts, name, options, login)

    def taken(self, **defaults: str) -> dict[str, str]:
        """Return the options with `defaults`; raises UsageError for one that is not among these."""
        for option in self.options:
            if option not in defaults:
                known = ", ".join(defaults) or "none"
                raise UsageError(f"{self}: no option '{option}'; there are: {known}")
        return {**defaults, **self.options}

    def __str__(self) -> str:
        return f"{self.scheme}://{self.hosts}{'/' if self.hosts else ''}{self.name}"
