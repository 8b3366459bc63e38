"""The tables of a scenario file: every key, its type and its default.

None as a default means that the file does not say; the command's own default then applies.
``card``, ``host`` and ``rule`` are kept as they stand: ``equipment`` reads them, by the fields of
what they set.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from saactors.esp.header_rules import (
    DSCP_MAX,
    HOP_LIMIT,
    DontFragment,
    Ecn,
    FlowLabel,
    HeaderRules,
)
from saactors.esp.lifetime import LIMIT_MAX, Lifetime
from saactors.esp.window import WINDOW_PACKETS, WINDOW_PACKETS_MAX
from saactors.model.selector import ANY_PORT, PORT_MAX
from saactors.scenario.values import (
    Endpoint,
    IntegrityKey,
    Key,
    Name,
    Ports,
    Prefix,
    Protocol,
    Settings,
    Spi,
    Suite,
    Switch,
    whole,
)

DEFAULT_RULE: Final = "metric"
NS_PER_S: Final = 1_000_000_000
LIMIT_S_MAX: Final = LIMIT_MAX // NS_PER_S
LENGTH_MAX: Final = 65_535
POLICIES_MAX: Final = 65_535  # stream tables number the SPD's entries in 16 bits

ItemT = TypeVar("ItemT")
Array = Annotated[tuple[ItemT, ...], Field(strict=False)]  # TOML's arrays are lists to Python


def _no_settings() -> Settings:
    return MappingProxyType({})


class Table(BaseModel):
    """A TOML table: known keys only, no conversions, unchangeable once read."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        hide_input_in_errors=True,  # what was found may be a key (law 10)
    )


class Replay(Table):
    """``[replay]``: what ``saactors replay`` takes where the command line leaves an option out."""

    direction: Annotated[Literal["out", "in"] | None, Field(description="'out' or 'in'")] = None
    burst: Annotated[int | None, whole(1, 256, "packets")] = None
    burst_wait_us: Annotated[int | None, whole(0, 1_000_000, "microseconds")] = None
    rx_ring: Annotated[int | None, whole(1, 1 << 24, "packets")] = None
    closed_loop: Annotated[bool | None, Field(description="true or false")] = None
    software_workers: Annotated[int | None, whole(1, 256, "workers")] = None
    pad_cut: Annotated[bool | None, Field(description="true or false")] = None
    crypto: Annotated[Literal["real", "none"] | None, Field(description="'real' or 'none'")] = None


class UdpEncapsulation(Table):
    """ESP in UDP (RFC 3948) between these ports."""

    source_port: Annotated[int, whole(1, PORT_MAX)] = 4500
    destination_port: Annotated[int, whole(1, PORT_MAX)] = 4500


class Headers(Table):
    """How a tunnel's headers are made (``saactors.esp.header_rules``); None: copied."""

    dscp: Annotated[int | None, whole(0, DSCP_MAX)] = None
    ecn: Annotated[Literal["copy", "not-capable"], Field(description="'copy' or 'not-capable'")] = (
        "copy"
    )
    dont_fragment: Annotated[
        Literal["copy", "set", "clear"], Field(description="'copy', 'set' or 'clear'")
    ] = "copy"
    flow_label: Annotated[Literal["copy", "zero"], Field(description="'copy' or 'zero'")] = "copy"
    hop_limit: Annotated[int, whole(1, 255)] = HOP_LIMIT
    forwards: Annotated[bool, Field(description="true or false")] = False

    @property
    def rules(self) -> HeaderRules:
        """The same as a value of ``saactors.esp``."""
        return HeaderRules(
            self.dscp,
            Ecn[self.ecn.upper().replace("-", "_")],
            DontFragment[self.dont_fragment.upper()],
            FlowLabel[self.flow_label.upper()],
            self.hop_limit,
            self.forwards,
        )


class Limits(Table):
    """How long an SA may be used: soft and hard, in packets, bytes and seconds; 0: no limit."""

    soft_packets: Annotated[int, whole(0, LIMIT_MAX, "packets")] = 0
    hard_packets: Annotated[int, whole(0, LIMIT_MAX, "packets")] = 0
    soft_bytes: Annotated[int, whole(0, LIMIT_MAX, "bytes")] = 0
    hard_bytes: Annotated[int, whole(0, LIMIT_MAX, "bytes")] = 0
    soft_s: Annotated[int, whole(0, LIMIT_S_MAX, "seconds")] = 0
    hard_s: Annotated[int, whole(0, LIMIT_S_MAX, "seconds")] = 0

    @property
    def lifetime(self) -> Lifetime:
        """The same as a value of ``saactors.esp``."""
        return Lifetime(
            self.soft_packets,
            self.hard_packets,
            self.soft_bytes,
            self.hard_bytes,
            self.soft_s * NS_PER_S,
            self.hard_s * NS_PER_S,
        )


class SaForm(Table):
    """What a given SA and a template for SAs have in common."""

    suite: Suite
    mode: Annotated[
        Literal["tunnel", "transport"], Field(description="'tunnel' or 'transport'")
    ] = "tunnel"
    source: Endpoint = None  # outer endpoints; a transport SA may leave both out
    destination: Endpoint = None
    udp_encapsulation: Annotated[
        UdpEncapsulation | None,
        Switch,
        Field(description="true, false, or a table of source_port and destination_port"),
    ] = None
    headers: Annotated[Headers, Field(description="a table")] = Headers()
    lifetime: Annotated[Limits, Field(description="a table")] = Limits()
    tfc_bytes: Annotated[int, whole(0, LENGTH_MAX, "bytes")] = 0
    path_mtu_bytes: Annotated[int, whole(0, LENGTH_MAX, "bytes")] = 0


class Template(SaForm):
    """The SAs that a policy has made on demand; SPIs and keys come from the seed."""


class GivenSa(SaForm):
    """One of ``[[sas]]``."""

    name: Name
    spi: Spi
    key: Key = None
    integrity_key: IntegrityKey = None
    key_from_seed: Annotated[bool, Field(description="true or false")] = False
    direction: Annotated[Literal["out", "in"], Field(description="'out' or 'in'")] = "out"
    extended_sequence: Annotated[bool, Field(description="true or false")] = False
    first_sequence: Annotated[int, whole(1, (1 << 64) - 1)] = 1
    replay_window: Annotated[int, whole(1, WINDOW_PACKETS_MAX, "packets")] = WINDOW_PACKETS


class Policy(Table):
    """One of ``[[policies]]``: an entry of the SPD."""

    action: Annotated[
        Literal["protect", "bypass", "discard"],
        Field(description="'protect', 'bypass' or 'discard'"),
    ]
    source: Prefix = None  # None: any
    destination: Prefix = None
    protocol: Protocol = None
    source_ports: Ports = ANY_PORT
    destination_ports: Ports = ANY_PORT
    sa: Annotated[str | None, Field(description="the name of one of the sas")] = None
    peer: Endpoint = None  # gateways only: the newest SA to that peer
    sa_per: Annotated[
        Literal["flow", "host-pair", "subnet"] | None,
        Field(description="'flow', 'host-pair' or 'subnet'"),
    ] = None
    template: Annotated[
        Template | None, Field(description="a table with suite, mode and endpoints")
    ] = None


class Scenario(Table):
    """A run described: its seed, what the command is to do, the SPD, the SAs, card, host and rule.

    It holds keys (as ``SecretBytes``, which no repr shows) and starts nothing.
    """

    seed: Annotated[int | None, whole(0, (1 << 64) - 1)] = None
    replay: Annotated[Replay, Field(description="a table")] = Replay()
    policies: Annotated[
        Array[Policy],
        Field(
            max_length=POLICIES_MAX,
            description=f"an array of up to {POLICIES_MAX} tables, [[policies]]",
        ),
    ] = ()
    sas: Annotated[Array[GivenSa], Field(description="an array of tables, [[sas]]")] = ()
    card: Settings = Field(default_factory=_no_settings)
    host: Settings = Field(default_factory=_no_settings)
    rule: Settings = Field(default_factory=_no_settings)

    @property
    def rule_name(self) -> str | None:
        """The rule that the file names; parameters without a name are the metric rule's."""
        name: str | None = self.rule.get("name", DEFAULT_RULE if self.rule else None)
        return name

    @property
    def rule_parameters(self) -> dict[str, object]:
        """What the file gives the rule, for ``saactors.placement.table.make_rule``."""
        return {name: value for name, value in self.rule.items() if name != "name"}

    @property
    def replay_window(self) -> int:
        """Packets in the replay windows of the run, which are all of one size."""
        return next((sa.replay_window for sa in self.sas if sa.direction == "in"), WINDOW_PACKETS)
