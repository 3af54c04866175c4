"""Classify addresses: loopback, local, private or public.

The tables are our own, since Python's are as old as its release. Sources: the IANA special-purpose address registries
for IPv4 and IPv6 (2026), RFC 4291 (mapped, compatible, site-local), RFC 6052 and RFC 8215 (NAT64), RFC 2765
(IPv4-translated), RFC 3056 (6to4).
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal

Address = IPv4Address | IPv6Address
Kind = Literal["loopback", "local", "private"]
"""`local` is link-local, multicast or unspecified; `private` everything else that is not public."""

_LOCAL_4 = tuple(map(IPv4Network, ("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32")))
_PRIVATE_4 = tuple(
    map(
        IPv4Network,
        (
            *("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "240.0.0.0/4"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24"),
            *("192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
            "168.63.129.16/32",  # a public address, but Azure serves its platform's metadata there
        ),
    )
)
_LOCAL_6 = tuple(map(IPv6Network, ("::/128", "fe80::/10", "ff00::/8")))
_GLOBAL_6 = IPv6Network("2000::/3")
_SPECIAL_6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20")))
_LOOPBACK_6 = IPv6Address("::1")
_NAT64 = IPv6Network("64:ff9b::/96")
_TRANSLATED = IPv6Network("::ffff:0:0:0/96")
_COMPATIBLE = IPv6Network("::/96")


def classify_address(address: Address) -> Kind | None:
    """Return why the address is not public, or None if it is."""
    if isinstance(address, IPv4Address):
        return _classify_ipv4(address)
    if address == _LOOPBACK_6:
        return "loopback"
    if any(address in network for network in _LOCAL_6):
        return "local"
    if (inner := _find_carrier(address)) is not None:
        return _classify_ipv4(inner)
    if (inner := _find_embedded(address)) is not None:  # packets to such an address never leave the local network
        return _classify_ipv4(inner) or "private"
    is_public = address in _GLOBAL_6 and not any(address in network for network in _SPECIAL_6)
    return None if is_public else "private"


def _classify_ipv4(address: IPv4Address) -> Kind | None:
    if address.is_loopback:
        return "loopback"
    if any(address in network for network in _LOCAL_4):
        return "local"
    return "private" if any(address in network for network in _PRIVATE_4) else None


def _find_carrier(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that packets to the IPv6 address reach (mapped, NAT64 and 6to4 addresses)."""
    if address in _NAT64:
        return _last_bits(address)
    return address.ipv4_mapped or address.sixtofour


def _find_embedded(address: IPv6Address) -> IPv4Address | None:
    return _last_bits(address) if address in _COMPATIBLE or address in _TRANSLATED else None


def _last_bits(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFF_FFFF)


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Return whether the name or address can only mean this machine."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
