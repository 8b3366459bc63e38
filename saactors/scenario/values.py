"""What a value in a scenario may be: the types of its keys.

Each type turns what TOML holds into what the rest of the program uses, or raises ``unfit`` with
what would mend it. Its ``description`` completes the sentence "expected …" in error messages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, PlainValidator, SecretBytes
from pydantic_core import PydanticCustomError

from saactors.esp import suites
from saactors.model.selector import ANY_PORT, PORT_MAX
from saactors.scenario.wording import closest

# Protocols by name (IANA's protocol numbers), the same on every machine; others go by number.
PROTOCOLS: Final = {
    "icmp": 1,
    "igmp": 2,
    "ipip": 4,
    "tcp": 6,
    "udp": 17,
    "dccp": 33,
    "ipv6": 41,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "icmpv6": 58,
    "ospf": 89,
    "sctp": 132,
    "udp-lite": 136,
}
PROTOCOLS_WITH_PORTS: Final = ("tcp", "udp", "dccp", "sctp", "udp-lite")


SUITES: Final = {suite.name: suite for suite in suites.SUITES}


def unfit(hint: str = "") -> PydanticCustomError:
    """A value that cannot be used; ``hint`` says how to mend it where the key does not."""
    # The hint travels as context: a message template would trip over braces from the file.
    return PydanticCustomError("unfit", "cannot be used", {"hint": hint})


def _prefix(value: object) -> IPv4Network | IPv6Network | None:
    if value == "any":
        return None
    if not isinstance(value, str):
        raise unfit()
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        raise unfit() from None
    if "%" in value:
        raise unfit("write it without the zone")
    if network.network_address != ip_address(value.partition("/")[0]):
        raise unfit(f"its host bits are set, write {str(network)!r}")
    return network


def _endpoint(value: object) -> IPv4Address | IPv6Address:
    if not isinstance(value, str):
        raise unfit()
    try:
        address = ip_address(value)
    except ValueError:
        raise unfit("it is one host, without a prefix length" if "/" in value else "") from None
    if "%" in value:
        raise unfit("write it without the zone")
    return address


def _hardware_address(value: object) -> bytes:
    if not isinstance(value, str) or not re.fullmatch("([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}", value):
        raise unfit()
    return bytes.fromhex(value.replace(":", ""))


def _protocol(value: object) -> int | None:
    if value == "any":
        return None
    if isinstance(value, str) and value.lower() in PROTOCOLS:
        return PROTOCOLS[value.lower()]
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255:
        return value
    raise unfit(f"the names are {', '.join(PROTOCOLS)}" if isinstance(value, str) else "")


def _ports(value: object) -> tuple[int, int]:
    if value == "any":
        return ANY_PORT
    if isinstance(value, int) and not isinstance(value, bool):
        first = last = value
    elif isinstance(value, str) and (
        match := re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", value)
    ):
        first, last = int(match[1]), int(match[2] or match[1])
    else:
        raise unfit()
    if not 0 <= first <= PORT_MAX or last > PORT_MAX:
        raise unfit()
    if first > last:
        raise unfit(f"write the lower port first: '{last}-{first}'")
    return first, last


def _spi(value: object) -> int:
    if isinstance(value, str) and re.fullmatch(r"0[xX][0-9a-fA-F]{1,8}", value):
        value = int(value, 16)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 32:
        raise unfit()
    if value < 256:
        raise unfit("0 to 255 are reserved, RFC 4303 §2.1")
    return value


def _key(value: object) -> SecretBytes:
    if not isinstance(value, str) or not value.startswith("0x"):
        raise unfit()
    if re.fullmatch(r"0x([0-9a-fA-F]{2})+", value) is None:
        raise unfit("after 0x come pairs of hexadecimal digits and nothing else")
    return SecretBytes(bytes.fromhex(value[2:]))


def _suite(value: object) -> str:
    if not isinstance(value, str):
        raise unfit()
    if value not in SUITES:
        raise unfit(closest(value, SUITES))
    return value


def _mapping_of_true(value: object) -> object:
    """``true`` asks for every default, ``false`` for nothing, a table for what it says."""
    if isinstance(value, bool):
        return {} if value else None
    return value


def _settings(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise unfit()
    return MappingProxyType(value)


def whole(low: int, high: int, unit: str = "") -> Any:  # noqa: ANN401 - pydantic's type for it
    """A field for a whole number from ``low`` to ``high``, both included."""
    of = f" of {unit}" if unit else ""
    return Field(ge=low, le=high, description=f"a whole number{of} from {low} to {high}")


Prefix = Annotated[
    IPv4Network | IPv6Network | None,
    BeforeValidator(_prefix),
    Field(description="a prefix such as '10.1.0.0/16' or '2001:db8::/32', or 'any'"),
]
Endpoint = Annotated[
    IPv4Address | IPv6Address | None,
    BeforeValidator(_endpoint),
    Field(description="an address such as '192.0.2.1' or '2001:db8::1'"),
]
HardwareAddress = Annotated[
    bytes | None,
    BeforeValidator(_hardware_address),
    Field(description="an Ethernet address such as '02:00:00:00:00:01'"),
]
Protocol = Annotated[
    int | None,
    BeforeValidator(_protocol),
    Field(description="a protocol's name such as 'tcp', its number from 0 to 255, or 'any'"),
]
Ports = Annotated[
    tuple[int, int],
    BeforeValidator(_ports),
    Field(description="a port from 0 to 65535, a range such as '1024-65535', or 'any'"),
]
Spi = Annotated[
    int,
    BeforeValidator(_spi),
    Field(description="an SPI from 256 to 4294967295, also as text such as '0x1000'"),
]
Key = Annotated[
    SecretBytes | None,
    BeforeValidator(_key),
    Field(description="'0x…': the key, and the suite's salt behind it, in hexadecimal"),
]
IntegrityKey = Annotated[
    SecretBytes | None,
    BeforeValidator(_key),
    Field(description="'0x…': the HMAC's key in hexadecimal"),
]
Suite = Annotated[
    str,
    BeforeValidator(_suite),
    Field(description="a suite such as 'aes-gcm-128' (docs/suites.md has all)"),
]
Name = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        max_length=64,
        description="a name of up to 64 letters, digits, '.', '_' and '-'",
    ),
]
Switch = BeforeValidator(_mapping_of_true)
Settings = Annotated[
    Mapping[str, Any], PlainValidator(_settings), Field(description="a table of settings")
]
