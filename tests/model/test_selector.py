"""The SPD finds for every packet what a reader of the policy would find."""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.model.packets import PACKET
from saactors.model.selector import (
    ANY_PORT,
    NO_MATCH,
    SELECTOR,
    Action,
    Selector,
    Stream,
    first_match,
    selector_columns,
)

TCP, UDP, ICMP = 6, 17, 1
IPV4_MAPPED = 0xFFFF << 32


def packet(
    source: str,
    destination: str,
    protocol: int = TCP,
    ports: tuple[int, int] = (40000, 443),
) -> npt.NDArray[np.void]:
    """One packet as the capture reader would write it."""
    record = np.zeros(1, PACKET)
    for end, text in (("source", source), ("destination", destination)):
        address = ip_address(text)
        bits = int(address) | (IPV4_MAPPED if address.version == 4 else 0)
        record[f"{end}_high"], record[f"{end}_low"] = bits >> 64, bits & ((1 << 64) - 1)
        record["ip_version"] = address.version
    record["protocol"] = protocol
    record["source_port"], record["destination_port"] = ports
    return record


def match(entries: list[Selector], packets: npt.NDArray[np.void]) -> int:
    """What the compiled search finds, after the same code without Numba has found the same."""
    columns = selector_columns(entries)
    found = first_match(columns, packets, 0)
    interpreted = first_match.py_func(columns.view(np.recarray), packets.view(np.recarray), 0)
    assert found == interpreted
    return found


def net(text: str) -> IPv4Network | IPv6Network:
    return ip_network(text)


def test_the_first_entry_that_matches_decides() -> None:
    """Order matters: a wide entry behind a narrow one never sees the narrow one's packets."""
    narrow, wide = Selector(net("10.1.0.0/16"), None), Selector(net("10.0.0.0/8"), None)
    assert match([narrow, wide], packet("10.1.2.3", "192.0.2.1")) == 0
    assert match([narrow, wide], packet("10.2.2.3", "192.0.2.1")) == 1
    assert match([wide, narrow], packet("10.1.2.3", "192.0.2.1")) == 0


def test_what_no_entry_matches_is_no_match() -> None:
    """The caller discards it (RFC 4301 §4.4.1); an empty SPD matches nothing at all."""
    assert match([Selector(net("10.0.0.0/8"), None)], packet("11.0.0.1", "192.0.2.1")) == NO_MATCH
    assert match([], packet("10.0.0.1", "192.0.2.1")) == NO_MATCH


@pytest.mark.parametrize(
    ("prefix", "source", "expected"),
    [
        ("0.0.0.0/0", "203.0.113.9", 0),
        ("0.0.0.0/0", "2001:db8::1", NO_MATCH),
        ("::/0", "2001:db8::1", 0),
        ("::/0", "203.0.113.9", NO_MATCH),
        ("::ffff:0:0/96", "203.0.113.9", NO_MATCH),
        ("203.0.113.0/24", "::ffff:203.0.113.9", NO_MATCH),
        ("2001:db8::/64", "2001:db8:0:1::1", NO_MATCH),
        ("2001:db8::1:0/112", "2001:db8::1:ffff", 0),
        ("203.0.113.9/32", "203.0.113.9", 0),
        ("203.0.113.9/32", "203.0.113.8", NO_MATCH),
    ],
)
def test_a_prefix_holds_addresses_of_its_own_family(
    prefix: str, source: str, expected: int
) -> None:
    """IPv4 stands as IPv4-mapped IPv6 in the columns, and still neither meets the other."""
    destination = "192.0.2.1" if ip_address(source).version == 4 else "2001:db8::2"
    assert match([Selector(net(prefix), None)], packet(source, destination)) == expected


def test_a_packet_without_ports_matches_only_entries_with_open_ports() -> None:
    """A later fragment has no ports to look at (RFC 4301 §4.4.1.1), even if 0 is in the range."""
    web = Selector(None, None, TCP, destination_ports=(443, 443))
    low = Selector(None, None, TCP, source_ports=(0, 1023))
    any_tcp = Selector(None, None, TCP)
    later_fragment = packet("10.0.0.1", "10.0.0.2", TCP, ports=(0, 0))
    assert match([web, low, any_tcp], later_fragment) == 2
    assert match([web, low], later_fragment) == NO_MATCH
    ping = packet("10.0.0.1", "10.0.0.2", ICMP, ports=(0, 0))
    assert match([Selector(None, None, None, source_ports=(0, 1023))], ping) == NO_MATCH


def test_a_packet_with_one_port_of_zero_has_ports() -> None:
    """UDP allows a source port of 0 (RFC 768)."""
    any_source = Selector(None, None, UDP, destination_ports=(53, 53))
    assert match([any_source], packet("10.0.0.1", "10.0.0.2", UDP, ports=(0, 53))) == 0


@pytest.mark.parametrize(("port", "expected"), [(99, -1), (100, 0), (200, 0), (201, -1)])
def test_a_port_range_includes_both_ends(port: int, expected: int) -> None:
    """100-200 means 100 and 200 as well."""
    entry = Selector(None, None, UDP, destination_ports=(100, 200))
    assert match([entry], packet("10.0.0.1", "10.0.0.2", UDP, ports=(7, port))) == expected


def test_columns_say_what_to_do_with_a_match() -> None:
    """Action, stream and target come back as they were given."""
    columns = selector_columns(
        [
            Selector(None, None, action=Action.DISCARD),
            Selector(None, None, stream=Stream.SUBNET, target=3),
        ]
    )
    assert columns.dtype == SELECTOR
    assert columns[["action", "stream", "target"]].tolist() == [
        (Action.DISCARD, Stream.ENTRY, 0),
        (Action.PROTECT, Stream.SUBNET, 3),
    ]


def test_an_entry_between_two_families_is_refused() -> None:
    """No packet has an IPv4 source and an IPv6 destination: whoever asks has made a mistake."""
    with pytest.raises(AssertionError, match="two IP versions"):
        Selector(net("10.0.0.0/8"), net("2001:db8::/32"))


def test_first_match_is_compiled_once() -> None:
    """One signature serves all callers, so that nobody waits for the compiler twice."""
    match([Selector(None, None)], packet("10.0.0.1", "10.0.0.2"))
    assert len(first_match.signatures) == 1


# The oracle: ipaddress decides about addresses, plain comparisons about the rest. Addresses vary
# in a few bits at both ends only, so that prefixes of every length both hit and miss.

few = st.integers(0, 3)
ipv4 = st.builds(lambda high, low: IPv4Address(high << 30 | low), few, few)
ipv6 = st.builds(
    lambda high, middle, low: IPv6Address(high << 126 | middle << 63 | low), few, few, few
)
mapped = st.builds(lambda address: IPv6Address(IPV4_MAPPED | int(address)), ipv4)
ports = st.sampled_from([0, 1, 443, 1024, 65535])
port_range = st.one_of(
    st.just(ANY_PORT), st.tuples(ports, ports).map(lambda pair: (min(pair), max(pair)))
)
protocols = st.sampled_from([0, 1, 6, 17, 255])


def prefixes(address: IPv4Address | IPv6Address) -> st.SearchStrategy[IPv4Network | IPv6Network]:
    return st.integers(0, address.max_prefixlen).map(
        lambda length: ip_network((address, length), strict=False)
    )


@st.composite
def entries(draw: st.DrawFn) -> Selector:
    family = draw(st.sampled_from([ipv4, ipv6 | mapped]))
    ends = [draw(st.none() | family.flatmap(prefixes)) for _ in range(2)]
    return Selector(
        *ends,
        draw(st.none() | protocols),
        draw(port_range),
        draw(port_range),
    )


def oracle(spd: list[Selector], found: dict[str, object]) -> int:
    """The first entry that matches by Python's own notion of addresses and networks."""
    has_ports = found["ports"] != (0, 0)
    for number, entry in enumerate(spd):
        source, destination = found["ends"]
        source_port, destination_port = found["ports"]
        if entry.source is not None and source not in entry.source:
            continue
        if entry.destination is not None and destination not in entry.destination:
            continue
        if entry.protocol is not None and found["protocol"] != entry.protocol:
            continue
        asked = [entry.source_ports, entry.destination_ports]
        if asked != [ANY_PORT, ANY_PORT] and not has_ports:
            continue
        if source_port not in range(asked[0][0], asked[0][1] + 1):
            continue
        if destination_port not in range(asked[1][0], asked[1][1] + 1):
            continue
        return number
    return NO_MATCH


@settings(max_examples=300, deadline=None)
@given(
    spd=st.lists(entries(), max_size=4),
    ends=st.one_of(st.tuples(ipv4, ipv4), st.tuples(ipv6 | mapped, ipv6 | mapped)),
    protocol=protocols,
    packet_ports=st.tuples(ports, ports),
)
def test_first_match_agrees_with_a_naive_reading_of_the_spd(
    spd: list[Selector],
    ends: tuple[IPv4Address, IPv4Address],
    protocol: int,
    packet_ports: tuple[int, int],
) -> None:
    """Masked 64-bit halves decide as the ``ipaddress`` module does, for both families."""
    found = {"ends": ends, "protocol": protocol, "ports": packet_ports}
    record = packet(str(ends[0]), str(ends[1]), protocol, packet_ports)
    assert match(spd, record) == oracle(spd, found)
