"""The caller's address for the log: the connection's other end, or whom a trusted proxy reports."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Networks = tuple[IPv4Network | IPv6Network, ...]


def client(peer: str, forwarded: str | None, trusted: Networks) -> str:
    """Return an address.

    Of X-Forwarded-For only what was added by `trusted` proxies is believed: read from its end,
    the first address that is not one of theirs.

    An IPv4 address that a socket of IPv6 shows as ::ffff:10.0.0.1 is 10.0.0.1.
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
        address: IPv4Address | IPv6Address = ip_address(text)
    except ValueError:
        return None, False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return str(address), any(address in network for network in trusted)
