"""Who asks, for the log: the connection's other end, or whom a trusted proxy says it is."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address

Networks = tuple[IPv4Network | IPv6Network, ...]


def client(peer: str, forwarded: str | None, trusted: Networks) -> str:
    """Gives an address. Of X-Forwarded-For only what was added by `trusted` proxies is believed:
    read from its end, the first address that is not one of theirs."""
    if not trusted or not forwarded or not _is_trusted(peer, trusted):
        return peer
    for part in reversed(forwarded.split(",")):
        address = part.strip()
        if not _is_address(address):
            break
        peer = address
        if not _is_trusted(address, trusted):
            break
    return peer


@lru_cache(1024)
def _is_trusted(address: str, trusted: Networks) -> bool:
    return _is_address(address) and any(ip_address(address) in network for network in trusted)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
