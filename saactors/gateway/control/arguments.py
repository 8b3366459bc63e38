"""What each command of the control socket takes: known names only, no conversions, bounds on all.

A field's description completes the sentence "expected …" in errors and is what docs/control.md
says. The types are those of a scenario's tables, so that an SA or a policy is written alike in a
file and on the socket. Keys are ``SecretBytes``, which no repr shows (law 10).
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretBytes, SecretStr

from saactors.model.selector import ANY_PORT, PORT_MAX
from saactors.observe.events import EVENTS
from saactors.scenario.values import (
    Endpoint,
    Name,
    Ports,
    Prefix,
    Protocol,
    Settings,
    Spi,
    Suite,
    unfit,
    whole,
)
from saactors.scenario.wording import closest

ROWS_MAX: Final = 1000
IMPORT_CHARACTERS_MAX: Final = 2 << 20  # a frame of 4 MiB has room for it
TRACED_PACKETS_MAX: Final = 10_000
SAMPLE_MAX: Final = 1 << 20
ATTACHED_SAS_MAX: Final = 1024
SLOTS_MAX: Final = 1 << 24
POLICIES_OF_AN_SA_MAX: Final = 64
POLICY_NUMBER_MAX: Final = 65_535  # as saactors.scenario.tables.POLICIES_MAX
SECRETS: Final = frozenset({"key", "integrity_key", "text"})  # never quoted, whatever they are

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

ItemT = TypeVar("ItemT")
_Array = Annotated[tuple[ItemT, ...], Field(strict=False)]  # arrays are lists to msgpack and JSON


def _key(value: object) -> SecretBytes:
    if not isinstance(value, str):
        raise unfit()
    if re.fullmatch(r"(0[xX])?([0-9a-fA-F]{2})+", value) is None:
        raise unfit("write pairs of hexadecimal digits and nothing else; 0x may stand in front")
    return SecretBytes(bytes.fromhex(value[2:] if value[1:2] in {"x", "X"} else value))


def _sa_reference(value: object) -> int | str:
    """An SPI by number or as 0x…, else a name."""
    if isinstance(value, str) and re.fullmatch(r"0[xX][0-9a-fA-F]{1,8}", value):
        return int(value, 16)
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 256 <= value < 1 << 32:
        return value
    raise unfit()


def _event_kind(value: object) -> str:
    if not isinstance(value, str):
        raise unfit()
    if value not in EVENTS:
        raise unfit(closest(value, EVENTS))
    return value


Key = Annotated[
    SecretBytes | None,
    BeforeValidator(_key),
    Field(description="the key, and the suite's salt behind it, in hexadecimal"),
]
IntegrityKey = Annotated[
    SecretBytes | None, BeforeValidator(_key), Field(description="the HMAC's key in hexadecimal")
]
EventKind = Annotated[
    str,
    BeforeValidator(_event_kind),
    Field(description=f"a kind of event: {', '.join(EVENTS)}"),
]
SaReference = Annotated[
    int | str,
    BeforeValidator(_sa_reference),
    Field(description="an SA by its name, or by its SPI such as 4096 or '0x1000'"),
]
Switch = Annotated[bool, Field(description="true or false")]
Direction = Annotated[Literal["out", "in"], Field(description="'out' or 'in'")]


class Arguments(BaseModel):
    """What a command takes; those that take nothing use it as it is."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, hide_input_in_errors=True
    )  # what was found may be a key


class ListSas(Arguments):
    """``sa.list``."""

    search: Annotated[
        str,
        Field(max_length=100, description="text in the name, the SPI or an endpoint; '' for all"),
    ] = ""
    sort: Annotated[
        Literal[
            "packets_per_s", "bits_per_s", "metric", "packets", "bytes", "saved_ns", "moves",
            "spi", "sa",
        ],
        Field(description="a column: 'packets_per_s', 'bits_per_s', 'metric', 'packets', 'bytes', "
                          "'saved_ns', 'moves', 'spi' or 'sa' (the order of arrival)"),
    ] = "packets_per_s"  # fmt: skip
    descending: Switch = True
    offset: Annotated[int, whole(0, (1 << 32) - 1, "rows")] = 0
    limit: Annotated[int, whole(1, ROWS_MAX, "rows")] = 100
    direction: Direction | None = None
    where: Annotated[
        Literal["software", "loading", "nic"] | None,
        Field(description="'software', 'loading' or 'nic'"),
    ] = None


class NameSa(Arguments):
    """``sa.show``, ``sa.delete`` and ``explain``; two SAs with one SPI differ by destination."""

    spi: Spi
    destination: Endpoint = None


class PinSa(NameSa):
    """``sa.pin``."""

    where: Annotated[
        Literal["nic", "software", "auto"], Field(description="'nic', 'software' or 'auto'")
    ]


class TrafficOfSa(Arguments):
    """An entry of the SPD as far as it tells packets apart."""

    source: Prefix = None
    destination: Prefix = None
    protocol: Protocol = None
    source_ports: Ports = ANY_PORT
    destination_ports: Ports = ANY_PORT
    before: Annotated[
        int | None,
        Field(ge=0, le=POLICY_NUMBER_MAX, description="the number of a policy; nothing: the end"),
    ] = None


class AddPolicy(TrafficOfSa):
    """``policy.add``; 'protect' needs ``sa`` or ``peer``."""

    action: Annotated[
        Literal["protect", "bypass", "discard"],
        Field(description="'protect', 'bypass' or 'discard'"),
    ]
    sa: SaReference | None = None
    peer: Annotated[
        Endpoint, Field(description="an address: the newest outbound SA to it, also after rekeys")
    ] = None


class DeletePolicy(Arguments):
    """``policy.delete``."""

    number: Annotated[int, whole(0, POLICY_NUMBER_MAX)]


class AddSa(Arguments):
    """``sa.add``; ports are those of ESP in UDP (RFC 3948)."""

    spi: Spi
    direction: Direction
    suite: Suite
    key: Key = None
    integrity_key: IntegrityKey = None
    mode: Annotated[
        Literal["tunnel", "transport"], Field(description="'tunnel' or 'transport'")
    ] = "tunnel"
    source: Endpoint = None
    destination: Endpoint = None
    source_port: Annotated[int | None, whole(1, PORT_MAX)] = None
    destination_port: Annotated[int | None, whole(1, PORT_MAX)] = None
    extended_sequence: Switch = False
    first_sequence: Annotated[int, whole(1, (1 << 64) - 1)] = 1
    name: Name | None = None
    policies: Annotated[
        _Array[TrafficOfSa],
        Field(
            max_length=POLICIES_OF_AN_SA_MAX,
            description="an array of policies without action and SA: traffic for this SA",
        ),
    ] = ()


class ImportSas(Arguments):
    """``sa.import``; the text holds keys."""

    text: Annotated[
        SecretStr,
        Field(
            max_length=IMPORT_CHARACTERS_MAX,
            description=f"the text of a file of SAs, at most {IMPORT_CHARACTERS_MAX} characters",
        ),
    ]
    format: Annotated[
        Literal["esp-sa", "ip-xfrm", "dpdk", "toml"] | None,
        Field(description="'esp-sa', 'ip-xfrm', 'dpdk' or 'toml'; nothing: told by the text"),
    ] = None
    direction: Direction = "out"


class SetRule(Arguments):
    """``rule.set``; parameters that are left out take their defaults."""

    name: Annotated[
        str, Field(min_length=1, max_length=4096, description="a rule's name such as 'metric'")
    ]
    parameters: Settings = Field(
        default_factory=dict, description="the rule's parameters by name, as in a scenario"
    )


class ResizeCard(Arguments):
    """``card.resize``."""

    slots: Annotated[int, whole(1, SLOTS_MAX, "slots")]


class MovesOf(Arguments):
    """``moves``."""

    limit: Annotated[int, whole(1, ROWS_MAX, "rows")] = 100


class PacketFilter(Arguments):
    """Which packets to trace; what is left out takes all."""

    spi: Spi | None = None
    source: Prefix = None
    destination: Prefix = None
    protocol: Protocol = None
    direction: Direction | None = None


class AddTrace(Arguments):
    """``trace.add``."""

    count: Annotated[int, whole(1, TRACED_PACKETS_MAX, "packets")]
    filter: Annotated[
        PacketFilter, Field(description="a map of spi, source, destination, protocol, direction")
    ] = PacketFilter()


class Attach(Arguments):
    """``attach``."""

    kinds: Annotated[
        _Array[EventKind],
        Field(
            max_length=len(EVENTS),
            description="an array of kinds of events; empty for all but the verbose",
        ),
    ] = ()
    sas: Annotated[
        _Array[Annotated[int, Field(ge=0, le=(1 << 32) - 1, description="the index of an SA")]],
        Field(max_length=ATTACHED_SAS_MAX, description="an array of SAs' indices; empty for all"),
    ] = ()
    sample: Annotated[
        int, Field(ge=1, le=SAMPLE_MAX, description=f"N for one event in N, 1 to {SAMPLE_MAX}")
    ] = 1
