"""The addresses that webhooks may use: their kinds, their spellings, and IPv6 addresses that embed others."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_server.config.addresses import classify_address
from agent_server.config.webhooks import WebhookPolicy
from agent_server.errors import Invalid

PUBLIC = [
    *("8.8.8.8", "1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4001:831::200e", "64:ff9b::808:808"),
    *("::ffff:8.8.8.8", "2002:808:808::1"),
]
INNER_PRIVATE = ["10.0.0.1", "127.0.0.1", "169.254.169.254", "192.168.1.1", "100.64.0.1", "0.0.0.0", "192.0.0.192"]
EMBEDDED = ["::{}", "::ffff:{}", "::ffff:0:{}", "64:ff9b::{}", "64:ff9b:1::{}", "2002:{hex}::1", "fec0::{}", "fe80::{}"]
NOT_PUBLIC = [
    *("192.0.0.192", "192.0.0.8", "192.88.99.1", "198.18.0.1", "203.0.113.9", "240.0.0.1", "255.255.255.255"),
    *("168.63.129.16", "100.100.100.200", "224.0.0.1", "0.1.2.3"),
    *("::", "::1", "fc00::1", "fd12::1", "fe80::1", "fec0::1", "ff02::1", "100::1", "2001:db8::1", "3fff::1"),
    *(
        "2001::1",
        "2001:10::1",
        "2001:20::1",
        "5f00::1",
        "4000::1",
        "::8.8.8.8",
        "::ffff:0:8.8.8.8",
        "64:ff9b:1::808:808",
    ),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    assert classify_address(ip_address(address)) is None


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_special_addresses_are_refused(address: str) -> None:
    assert classify_address(ip_address(address)) is not None
    with pytest.raises(Invalid, match="Webhook host blocked"):
        WebhookPolicy().check(f"https://{f'[{address}]' if ':' in address else address}/hook")


@pytest.mark.parametrize("embedding", EMBEDDED)
@pytest.mark.parametrize("inner", INNER_PRIVATE)
def test_embedded_private_addresses_are_refused(embedding: str, inner: str) -> None:
    number = int(IPv4Address(inner))
    address = embedding.format(inner, hex=f"{number >> 16:x}:{number & 0xFFFF:x}")
    with pytest.raises(Invalid, match="Webhook host blocked"):
        WebhookPolicy().check(f"https://[{address}]/hook")


@given(st.integers(0, 2**128 - 1))
def test_only_global_unicast_is_public(number: int) -> None:
    address = IPv6Address(number)
    carries_ipv4 = address in _NAT64 or address.ipv4_mapped is not None
    assert classify_address(address) is not None or number >> 125 == 1 or carries_ipv4


class _Prefix:
    """All addresses with the same first 96 bits."""

    def __init__(self, text: str) -> None:
        self._bits = int(IPv6Address(text)) >> 32

    def __contains__(self, address: IPv6Address) -> bool:
        return int(address) >> 32 == self._bits


_NAT64 = _Prefix("64:ff9b::")


def test_private_networks_can_be_allowed() -> None:
    policy = WebhookPolicy(disable_private_ips=False, require_https=False)
    for address in ("10.0.0.1", "[fd12::1]", "[64:ff9b::a00:1]", "[fec0::1]"):
        policy.check(f"http://{address}/hook")
    for address in ("127.0.0.1", "[::127.0.0.1]", "169.254.169.254", "[64:ff9b::a9fe:a9fe]"):
        with pytest.raises(Invalid):
            policy.check(f"http://{address}/hook")
