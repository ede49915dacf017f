"""The caller's address for the log: the connection's other end, or whom a trusted proxy reports."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

# as some load balancers write an address
_WITH_PORT: Final = re.compile(r"([0-9.]+):[0-9]{1,5}|\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?")

Networks = tuple[IPv4Network | IPv6Network, ...]


def client(peer: str, forwarded: str | None, trusted: Networks) -> str:
    """Return an address.

    Of X-Forwarded-For only what was added by `trusted` proxies is believed: read from its end,
    the first address that is not one of theirs.

    An IPv4 address that a socket of IPv6 shows as ::ffff:10.0.0.1 is 10.0.0.1; a port behind an
    address, as 1.2.3.4:443 and [2001:db8::1]:443, is left out.
    """
    address, is_proxy = _known(peer, trusted)
    if not is_proxy or not forwarded:
        return address or peer
    for part in reversed(forwarded.split(",")):
        found, is_proxy = _known(part.strip(), trusted)
        if found is None:
            break
        address = found
        if not is_proxy:
            break
    return address or peer


def is_trusted(peer: str, trusted: Networks) -> bool:
    """Say whether a connection's other end is a proxy of the networks `trusted`."""
    return _known(peer, trusted)[1]


@lru_cache(1024)
def _known(text: str, trusted: Networks) -> tuple[str | None, bool]:
    """Return the address in `text`, None where it holds none, and whether it is a trusted one."""
    try:
        found = _WITH_PORT.fullmatch(text)
        address: IPv4Address | IPv6Address = ip_address(found[1] or found[2] if found else text)
    except ValueError:
        return None, False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return str(address), any(address in network for network in trusted)
