"""Who is taken for the caller."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from serving.server.clients import client

OURS = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["1.2.3.4"], "1.2.3.4"),
        ("fd00::1", ["2001:db8::1"], "2001:db8::1"),
        ("10.0.0.1", ["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["6.6.6.6", "1.2.3.4, 10.0.0.2"], "1.2.3.4"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ['1.2.3.4, "forged'], "10.0.0.1"),
        ("10.0.0.1", ["1.2.3.4, , 10.0.0.2"], "10.0.0.2"),
        ("1.2.3.4", ["5.6.7.8"], "1.2.3.4"),
        ("", ["5.6.7.8"], ""),
        ("::ffff:10.0.0.1", ["1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["1.2.3.4, ::ffff:10.0.0.2"], "1.2.3.4"),
        ("10.0.0.1", ["6.6.6.6, 1.2.3.4:4433, 10.0.0.2:80"], "1.2.3.4"),
        ("10.0.0.1", ["[2001:db8::1]:443, [fd00::2]"], "2001:db8::1"),
        ("10.0.0.1", ["2001:db8::1:443"], "2001:db8::1:443"),
    ],
    ids=["none", "one", "ipv6", "forged", "several", "all ours", "garbage", "gap",
         "stranger", "unix", "mapped", "mapped proxy",
         "with ports", "ipv6 with a port", "ipv6 that ends alike"],
)  # fmt: skip
def test_only_what_trusted_proxies_added_is_believed(
    peer: str, forwarded: list[str], expected: str
) -> None:
    """Read from its end, up to the first address that is not one of theirs."""
    joined = ",".join(forwarded)
    assert client(peer, joined, OURS) == expected
    assert client(peer, joined, ()) == peer.removeprefix("::ffff:")
