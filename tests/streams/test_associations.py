"""Which SA a stream has: the hash table against a dict, through growth, for every kind of key."""

from __future__ import annotations

from collections.abc import Hashable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.model.selector import Stream
from saactors.streams.associations import ASSOCIATION, place_of, with_room

PORTED = (6, 17, 132)  # protocols in which a stream may have ports

# Few enough values that streams come back, close enough that one wrong bit of a mask merges them.
ADDRESSES_4 = [f"10.{high}.{low}.{host}" for high in (0, 1) for low in (0, 1) for host in (1, 2)]
ADDRESSES_6 = [f"2001:db8:0:{net}::{host}" for net in (0, 1) for host in (1, 2)]
ADDRESSES_6 += [f"2001:db9::{host}" for host in (1, 2)]
PORTS = st.sampled_from([0, 1, 80, 443, 65535])


class Build(Protocol):
    """What these tests use of the fixture."""

    def columns(self, *packets: dict[str, object]) -> npt.NDArray[np.void]:
        """Records of PACKET."""
        ...


@st.composite
def packets(draw: st.DrawFn) -> dict[str, object]:
    """A packet of either IP version."""
    addresses = draw(st.sampled_from([ADDRESSES_4, ADDRESSES_6]))
    return {
        "source": draw(st.sampled_from(addresses)),
        "destination": draw(st.sampled_from(addresses)),
        "source_port": draw(PORTS),
        "destination_port": draw(PORTS),
        "protocol": draw(st.sampled_from([*PORTED, 1])),
    }


def key_of(packet: dict[str, object], entry: int, stream: Stream) -> Hashable:
    """The stream's key in words (RFC 4301 §4.4.1.2)."""
    ends = tuple(ip_address(str(packet[end])) for end in ("source", "destination"))
    if stream is Stream.FLOW:
        ports = packet["source_port"], packet["destination_port"]
        return entry, ends, packet["protocol"], ports
    if stream is Stream.HOST_PAIR:
        return entry, ends
    return entry, tuple(subnet_of(end) for end in ends)


def subnet_of(address: IPv4Address | IPv6Address) -> Hashable:
    """/24 of IPv4, /64 of IPv6."""
    prefix = 24 if address.version == 4 else 64
    return ip_network(f"{address}/{prefix}", strict=False)


class Associations:
    """The table as the classifier uses it: a stream without an SA gets the next one."""

    def __init__(self, places: int) -> None:
        self.table = np.zeros(places, ASSOCIATION)
        self.used = 0

    def sa_of(self, packet: np.void, entry: int, stream: Stream) -> int:
        """The SA of the packet's stream."""
        self.table = with_room(self.table, self.used, 1)
        place = place_of(self.table, packet, entry, stream)
        if self.table[place]["sa_number"] == 0:
            self.used += 1
            self.table[place]["sa_number"] = self.used
        return int(self.table[place]["sa_number"]) - 1


@st.composite
def traffic(draw: st.DrawFn) -> list[tuple[dict[str, object], int]]:
    """Packets and their entries: a few streams that come back again and again."""
    streams = draw(st.lists(st.tuples(packets(), st.integers(0, 2)), min_size=1, max_size=12))
    return draw(st.lists(st.sampled_from(streams), max_size=60))


@settings(deadline=None, max_examples=80)
@given(
    traffic=traffic(),
    kinds=st.lists(st.sampled_from(list(Stream)[1:]), min_size=3, max_size=3),
)
def test_every_packet_finds_the_sa_that_a_dict_would_find(
    traffic: list[tuple[dict[str, object], int]], kinds: list[Stream], build: Build
) -> None:
    """From four places up: the table grows while streams of three entries come and come back."""
    associations = Associations(places=4)
    known: dict[Hashable, int] = {}
    for packet, entry in traffic:
        expected = known.setdefault(key_of(packet, entry, kinds[entry]), len(known))
        assert associations.sa_of(build.columns(packet)[0], entry, kinds[entry]) == expected
    assert associations.used == len(known)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("source", "10.0.0.3"),
        ("destination", "10.0.0.3"),
        ("source_port", 1001),
        ("destination_port", 1001),
        ("protocol", 6),
        ("ip_version", 6),
        ("entry", 1),
    ],
)
def test_flows_that_differ_in_one_field_are_two_even_where_they_meet_in_the_table(
    field: str, value: object, build: Build
) -> None:
    """In four places they do so every few times; here are a hundred pairs."""
    for number in range(100):
        common = {"destination": f"10.9.{number}.1"}
        changed = common if field in ("entry", "ip_version") else common | {field: value}
        one, other = build.columns(common, changed)
        entry = 1 if field == "entry" else 0
        other["ip_version"] = 6 if field == "ip_version" else 4
        associations = Associations(places=4)
        assert associations.sa_of(one, 0, Stream.FLOW) == 0
        assert associations.sa_of(other, entry, Stream.FLOW) == 1
        assert associations.sa_of(one, 0, Stream.FLOW) == 0


def test_thousands_of_streams_keep_their_sas_through_every_growth(build: Build) -> None:
    """The table doubles a dozen times, and is never more than three quarters full."""
    associations = Associations(places=4)
    (packet,) = build.columns({})
    for _ in range(2):
        for number in range(5000):
            packet["source_low"] = 0xFFFF_0A00_0000 + number
            packet["destination_port"] = number % 7
            assert associations.sa_of(packet, 0, Stream.FLOW) == number
            assert 4 * associations.used <= 3 * len(associations.table)
    assert np.count_nonzero(associations.table["sa_number"]) == 5000


def test_a_table_with_room_stays_as_it_is_and_a_larger_one_has_just_enough() -> None:
    """Room is made for packets that may all ask for an SA, and for no more."""
    table = np.zeros(16, ASSOCIATION)
    assert with_room(table, 5, 7) is table
    assert len(with_room(table, 5, 8)) == 32
    assert len(with_room(table, 0, 1000)) == 2048


def test_a_place_without_an_sa_stays_free(build: Build) -> None:
    """Who asked and got no SA, because no more may be made, takes no room."""
    table = np.zeros(4, ASSOCIATION)
    for number in range(100):
        (packet,) = build.columns({"source_port": number})
        place = place_of(table, packet, 0, Stream.FLOW)
        assert table[place]["sa_number"] == 0
    (packet,) = build.columns({"source_port": 7})
    table[place_of(table, packet, 0, Stream.FLOW)]["sa_number"] = 1
    assert np.count_nonzero(table["sa_number"]) == 1


@pytest.mark.parametrize(
    ("stream", "first", "second", "same"),
    [
        (Stream.FLOW, {}, {"source_port": 1001}, False),
        (Stream.FLOW, {}, {"protocol": 6}, False),
        (Stream.FLOW, {"source_port": 1}, {"source_port": 0, "destination_port": 2001}, False),
        (Stream.HOST_PAIR, {}, {"source_port": 1001, "protocol": 6}, True),
        (Stream.HOST_PAIR, {}, {"source": "10.0.0.3"}, False),
        (Stream.HOST_PAIR, {}, {"source": "10.0.0.2", "destination": "10.0.0.1"}, False),
        (Stream.SUBNET, {}, {"source": "10.0.0.255", "protocol": 1}, True),
        (Stream.SUBNET, {}, {"source": "10.0.1.1"}, False),
        (
            Stream.SUBNET,
            {"source": "2001:db8::1", "destination": "2001:db8::2"},
            {"source": "2001:db8::ffff:1:2:3", "destination": "2001:db8::9"},
            True,
        ),
        (
            Stream.SUBNET,
            {"source": "2001:db8::1", "destination": "2001:db8::2"},
            {"source": "2001:db8:0:1::1", "destination": "2001:db8::2"},
            False,
        ),
    ],
)
def test_what_makes_two_packets_one_stream(
    stream: Stream, first: dict[str, object], second: dict[str, object], same: bool, build: Build
) -> None:
    """A flow has all five fields, a host pair both addresses in their order, a subnet prefixes."""
    associations = Associations(places=8)
    one, other = build.columns(first, second)
    assert (associations.sa_of(one, 0, stream) == associations.sa_of(other, 0, stream)) is same
