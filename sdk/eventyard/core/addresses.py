"""Which addresses may be called: rules for whoever calls what strangers name."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final

from eventyard.core.errors import InvalidRequestError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
#: What clouds tell a machine about itself, its passwords included: never reached.
_METADATA: Final = frozenset(
    map(
        ipaddress.ip_address,
        (
            "169.254.169.254",
            "169.254.170.2",
            "169.254.170.23",
            "100.100.100.200",
            "fd00:ec2::254",
            "fd00:ec2::23",
        ),
    )
)
#: IPv6 networks whose last 32 bits are an IPv4 address.
_EMBEDDING: Final = tuple(map(ipaddress.IPv6Network, ("::/96", "64:ff9b::/96")))
_NAT64_LOCAL: Final = ipaddress.IPv6Network("64:ff9b:1::/48")


class AddressRefusedError(InvalidRequestError):
    """An address may not be called."""

    code = "address_refused"


class Allowances:
    """
    Decides which addresses may be called: public ones, and those that are allowed.

    `allowed` lists hosts, addresses and networks with commas between. Addresses at
    which clouds keep credentials are refused whatever it says.
    """

    def __init__(self, allowed: str = "") -> None:
        self._names: set[str] = set()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for entry in filter(None, (part.strip() for part in allowed.split(","))):
            try:
                self._networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                self._names.add(entry.lower())

    def check(self, host: str, addresses: Iterable[str]) -> list[str]:
        """
        Return what a name resolved to when every one of it may be called.

        Raises AddressRefusedError.
        """
        found = [address.partition("%")[0] for address in addresses]
        for address in found:
            self._check(host, ipaddress.ip_address(address))
        return found

    def _check(self, host: str, address: Address) -> None:
        seen = _unwrapped(address)
        if _METADATA & {seen, address}:
            raise AddressRefusedError(f"{host} is a metadata address: {seen}.")
        if _is_public(seen) or self._allows(host, (seen, address)):
            return
        raise AddressRefusedError(
            f"{host} resolves to {seen}, which is not a public address. Where that is "
            "wanted, name it in EVENTYARD_ALLOW_PRIVATE_HOSTS.",
            details={"host": host},
        )

    def _allows(self, host: str, addresses: Iterable[Address]) -> bool:
        return host.lower() in self._names or any(
            address in network for address in addresses for network in self._networks
        )


def _unwrapped(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if any(address in network for network in _EMBEDDING) and int(address) > 1:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo[1] if address.teredo else None
    held = (address.ipv4_mapped, address.sixtofour, teredo)
    return next((inner for inner in held if inner is not None), address)


def _is_public(address: Address) -> bool:
    return (
        address.is_global
        and not address.is_multicast
        and not (isinstance(address, ipaddress.IPv6Address) and address in _NAT64_LOCAL)
    )
