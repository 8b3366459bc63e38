"""What commands that only ask answer: plain values, and never a key.

The models are for the documentation (docs/control.md is made from them) and for tests, which hold
a gateway's answers against them; a gateway answers with plain dicts and does not come through here.
Times are nanoseconds from the start of the gateway where nothing else is said.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from saactors.observe.events import Scalar


def told(text: str) -> Any:  # noqa: ANN401 - pydantic's type for it
    """What a field holds, for the documentation."""
    return Field(description=text)


class Answer(BaseModel):
    """A map of plain values; those that answer nothing but that it is done use it as it is."""

    model_config = ConfigDict(extra="forbid", strict=True)


class RuleInUse(Answer):
    """The placement rule."""

    name: str
    parameters: dict[str, Scalar]
    threshold: Annotated[float | None, told("in the metric's unit, for a rule that has one")]


class Card(Answer):
    """The card, and what it has done."""

    profile: str
    slots_max: Annotated[int, told("slots that the rule may use")]
    residents: int
    loading: int
    pinned: Annotated[int, told("SAs pinned to the card")]
    loads: int
    loads_refused: int
    loads_lost: int
    evictions: int
    resets: int
    engine_queue_packets: int


class Packets(Answer):
    """Packets since the start; in = out + in flight + dropped."""

    in_packets: int
    out_packets: int
    in_flight_packets: int
    software_packets: int
    nic_packets: int
    bypass_packets: int
    software_bytes: int
    nic_bytes: int
    bypass_bytes: int
    dropped: Annotated[dict[str, int], told("packets by reason")]


class Edge(Answer):
    """A bounded channel between two actors."""

    name: str
    source: str
    target: str
    carries: str
    capacity: Annotated[int | None, told("messages; nothing: no bound")]
    queued: int
    high_water: int
    sent: int
    waits: Annotated[int, told("how often a sender had to wait")]
    waited_ns: int


class PortInUse(Answer):
    """Where packets come in and go out."""

    name: str
    kind: str
    side: Literal["inside", "outside"]
    detail: str
    received_packets: int
    received_bytes: int
    sent_packets: int
    sent_bytes: int
    ring_dropped: Annotated[int, told("packets that the kernel had no room for")]
    send_refused: Annotated[int, told("packets that the kernel refused for good")]


class SaCounts(Answer):
    """How many SAs there are."""

    total: int
    outbound: int
    inbound: int
    software: int
    loading: int
    nic: int


class Attached(Answer):
    """Somebody who listens to events."""

    id: int
    kinds: list[str]
    events_sent: int
    events_lost: int


class Status(Answer):
    """``status``."""

    version: str
    name: str
    pid: int
    started_epoch_ns: int
    uptime_ns: int
    ready: bool
    draining: bool
    tasks: Annotated[int, told("of trio's, in the gateway's process")]
    rule: RuleInUse
    card: Card
    packets: Packets
    edges: list[Edge]
    ports: list[PortInUse]
    sas: SaCounts
    attached: list[Attached]
    events_lost: Annotated[int, told("by all who listened, since the start")]


class SaRow(Answer):
    """An SA, without its keys."""

    sa: Annotated[int, told("its index, which a deleted SA leaves to a later one")]
    spi: int
    name: str
    direction: Literal["out", "in"]
    suite: str
    mode: Literal["tunnel", "transport"]
    source: str | None
    destination: str | None
    where: Literal["software", "loading", "nic"]
    pinned: Literal["auto", "nic", "software"]
    metric: float
    packets: int
    bytes: int
    nic_packets: int
    packets_per_s: float
    bits_per_s: float
    saved_ns: Annotated[float, told("host time saved by the card, less its loads")]
    moves: Annotated[int, told("loads and evictions")]


class SaList(Answer):
    """``sa.list``."""

    total: int
    matched: int
    rows: list[SaRow]


class SaDetails(SaRow):
    """``sa.show``."""

    source_port: int | None
    destination_port: int | None
    extended_sequence: bool
    sequence: Annotated[int, told("the last number sent, or the highest received")]
    replay_window: int | None
    lifetime: Annotated[dict[str, int], told("limits by name, such as hard_packets; {}: none")]
    streams: int


class Resident(Answer):
    """An SA on the card."""

    sa: int
    spi: int
    metric: float


class MoveOfSa(Answer):
    """What happened to one SA."""

    time_ns: int
    move: Literal["load", "loaded", "evicted", "lost", "refused", "pinned"]
    reason: str


class Move(MoveOfSa):
    """What happened to an SA."""

    sa: int
    spi: int


class Moves(Answer):
    """``moves``, newest first."""

    rows: list[Move]


class Explanation(Answer):
    """``explain``: why an SA is where it is."""

    sa: SaRow
    lowest: Annotated[Resident | None, told("the resident with the lowest metric")]
    threshold: float | None
    saving_ns: Annotated[float, told("host time that its next packet would save on the card")]
    load_host_ns: Annotated[float, told("host time of a load")]
    saved_ns: float
    text: Annotated[list[str], told("the same in sentences")]
    moves: Annotated[list[MoveOfSa], told("its last moves, newest first")]
    to_change: Annotated[str, told("what would have to change for it to move")]


class RuleDetails(Answer):
    """``rule.show``."""

    name: str
    parameters: dict[str, Scalar]
    analysis: Annotated[str | None, told("how the threshold follows from the costs")]
    rules: Annotated[list[str], told("the names of all rules")]


class CardDetails(Card):
    """``card.show``."""

    figures: Annotated[dict[str, Scalar], told("the profile's figures by name")]
    resident_sas: Annotated[list[Resident], told("at most 1000, by metric, highest first")]


class PolicyRow(Answer):
    """An entry of the SPD."""

    number: Annotated[int, told("its place; the first that matches a packet decides")]
    action: Literal["protect", "bypass", "discard"]
    source: str
    destination: str
    protocol: str
    source_ports: str
    destination_ports: str
    sa: Annotated[str | None, told("the name of an SA")]
    peer: Annotated[str | None, told("whose newest SA it is for")]


class Policies(Answer):
    """``policy.list``."""

    rows: list[PolicyRow]


class Point(Answer):
    """What happened in the second before ``time_ns``."""

    time_ns: int
    software_packets: int
    nic_packets: int
    bypass_packets: int
    dropped_packets: int
    residents: int
    loads: int


class History(Answer):
    """``history``: the last ten minutes at most."""

    width_ns: int
    points: list[Point]
