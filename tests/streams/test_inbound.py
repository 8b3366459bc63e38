"""The inbound classifier: which SA an ESP packet is of, and by what name everything else goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.model.burst import Burst
from saactors.model.packets import NO_SA, Chunk
from saactors.model.sa import KEY_BYTES_MAX, SA, SALT_BYTES, SaTable
from saactors.model.verdicts import Verdict
from saactors.streams import inbound
from saactors.streams.inbound import NO_ROOM, UNSUPPORTED, InboundClassifier

ChunkOf = Callable[[Sequence[bytes]], Chunk]

KNOWN_SPI, OTHER_SPI, UNSUPPORTED_SPI, NO_ROOM_SPI, UNKNOWN_SPI = range(0x1001, 0x1006)
TCP, UDP, ESP = 6, 17, 50


class Build(Protocol):
    """What these tests use of the fixture."""

    def ipv4(self, payload: bytes, protocol: int = UDP, **fields: object) -> bytes:
        """An IPv4 packet."""
        ...

    def ipv6(self, payload: bytes, protocol: int = UDP, **fields: object) -> bytes:
        """An IPv6 packet."""
        ...

    def udp(self, payload: bytes, source: int = 4500, destination: int = 4500) -> bytes:
        """A UDP datagram."""
        ...

    def esp(self, spi: int, sequence: int = 1) -> bytes:
        """An ESP packet."""
        ...


class Directory:
    """Knows SAs by SPI, adds each when it is first asked for, and counts how often it is asked."""

    def __init__(self) -> None:
        self.sas = SaTable()
        self.known: dict[tuple[str, str, int], int] = {}
        self.asked: Counter[tuple[int, str, str, int]] = Counter()

    def resolve(self, version: int, source: str, destination: str, spi: int) -> int:
        """The SA between these addresses."""
        self.asked[version, source, destination, spi] += 1
        if spi in (UNSUPPORTED_SPI, NO_ROOM_SPI):
            return UNSUPPORTED if spi == UNSUPPORTED_SPI else NO_ROOM
        if spi not in (KNOWN_SPI, OTHER_SPI):
            return NO_SA
        if (source, destination, spi) not in self.known:
            keys = np.zeros((1, KEY_BYTES_MAX + SALT_BYTES), np.uint8)
            self.known[source, destination, spi] = self.sas.add(np.zeros(1, SA), keys).start
        return self.known[source, destination, spi]


@pytest.fixture
def directory() -> Directory:
    """An empty one."""
    return Directory()


@pytest.fixture
def classifier(directory: Directory) -> InboundClassifier:
    """A classifier that asks the directory."""
    return InboundClassifier(directory.resolve, directory.sas)


def burst_of(chunk: Chunk) -> Burst:
    """All packets of a chunk."""
    return Burst(chunk.data, chunk.packets, 0)


def verdicts_of(burst: Burst) -> list[Verdict]:
    """The verdict on each packet."""
    return [Verdict(number) for number in burst.packets["verdict"]]


def test_what_is_esp_gets_its_sa_and_everything_else_its_name(
    classifier: InboundClassifier, chunk_of: ChunkOf, build: Build
) -> None:
    """Each kind of packet that a gateway sees on its outer side, over both IP versions."""
    esp = build.esp(KNOWN_SPI)
    payloads = {
        "plain": (esp, ESP, Verdict.PASSED),
        "in UDP (RFC 3948)": (build.udp(esp), UDP, Verdict.PASSED),
        "in UDP from a translated port": (build.udp(esp, 61_234, 4500), UDP, Verdict.PASSED),
        "no SA": (build.esp(UNKNOWN_SPI), ESP, Verdict.UNKNOWN_SPI),
        "suite not there": (build.esp(UNSUPPORTED_SPI), ESP, Verdict.UNSUPPORTED_SUITE),
        "no room for its SA": (build.esp(NO_ROOM_SPI), ESP, Verdict.SA_TABLE_FULL),
        "IKE": (build.udp(bytes(28), 500, 500), UDP, Verdict.IKE),
        "IKE from a translated port": (build.udp(bytes(28), 500, 1033), UDP, Verdict.IKE),
        "IKE on port 4500": (build.udp(bytes(4) + b"\1" * 28), UDP, Verdict.IKE),
        "keep-alive": (build.udp(b"\xff"), UDP, Verdict.NAT_KEEPALIVE),
        "DNS": (build.udp(b"\1" * 28, 4000, 53), UDP, Verdict.NOT_ESP),
        "TCP": (bytes(20), TCP, Verdict.NOT_ESP),
        "too short for ESP": (esp[:7], ESP, Verdict.MALFORMED_ESP),
        "too short for ESP in UDP": (build.udp(esp[:7]), UDP, Verdict.MALFORMED_ESP),
        "nothing in UDP": (build.udp(b""), UDP, Verdict.MALFORMED_ESP),
    }
    for ip in (build.ipv4, build.ipv6):
        burst = burst_of(chunk_of([ip(body, number) for body, number, _ in payloads.values()]))
        classifier.classify(burst)
        found = dict(zip(payloads, verdicts_of(burst), strict=True))
        assert found == {name: verdict for name, (_, _, verdict) in payloads.items()}


def test_the_esp_header_is_found_behind_ip_and_udp(
    classifier: InboundClassifier, chunk_of: ChunkOf, build: Build
) -> None:
    """Counted from the IP header, whatever lies in front of that."""
    esp = build.esp(KNOWN_SPI)
    packets = [
        build.ipv4(esp, ESP),
        build.ipv4(build.udp(esp)),
        build.ipv6(esp, ESP),
        build.ipv6(build.udp(esp)),
    ]
    burst = burst_of(chunk_of(packets))
    classifier.classify(burst)
    assert burst.packets["esp_offset"].tolist() == [20, 28, 40, 48]


def test_an_sa_goes_by_spi_and_both_addresses(
    classifier: InboundClassifier, directory: Directory, chunk_of: ChunkOf, build: Build
) -> None:
    """Asked for once per combination, in UDP or not; order counts within the SA."""
    here, there = ("10.0.0.1", "10.0.0.2"), ("10.0.0.1", "10.0.0.3")
    packets = [
        build.ipv4(build.esp(KNOWN_SPI), ESP, ends=here),
        build.ipv4(build.esp(OTHER_SPI), ESP, ends=here),
        build.ipv4(build.esp(KNOWN_SPI), ESP, ends=there),
        build.ipv4(build.udp(build.esp(KNOWN_SPI)), ends=here),
        build.ipv4(build.esp(KNOWN_SPI), ESP, ends=there[::-1]),
        build.ipv6(build.esp(KNOWN_SPI), ESP),
    ]
    first, second = burst_of(chunk_of(packets)), burst_of(chunk_of(packets))
    assert classifier.classify(first) == range(5)
    assert first.packets["sa"].tolist() == [0, 1, 2, 0, 3, 4]
    assert first.packets["order"].tolist() == [0, 0, 0, 1, 0, 0]
    assert first.sa_count == 5
    assert classifier.classify(second) == range(5, 5)
    assert second.packets["sa"].tolist() == [0, 1, 2, 0, 3, 4]
    assert second.packets["order"].tolist() == [2, 1, 1, 3, 1, 1]
    assert set(directory.asked.values()) == {1}
    assert sorted(directory.asked) == sorted(
        {
            (4, *here, KNOWN_SPI),
            (4, *here, OTHER_SPI),
            (4, *there, KNOWN_SPI),
            (4, *there[::-1], KNOWN_SPI),
            (6, "2001:db8::1", "2001:db8::2", KNOWN_SPI),
        }
    )


HERE = ("2001:db8:{0:x}::1", "2001:db8:{0:x}::2")


@pytest.mark.parametrize(
    "ends",
    [
        ("2001:db8:{0:x}::7", HERE[1]),
        ("2001:db9:{0:x}::1", HERE[1]),
        (HERE[0], "2001:db8:{0:x}::7"),
        (HERE[0], "2001:db9:{0:x}::2"),
        HERE,
    ],
    ids=[
        "source's low half",
        "source's high",
        "destination's low",
        "destination's high",
        "version",
    ],
)
def test_what_differs_in_one_part_of_an_address_is_another_question(
    ends: tuple[str, str], chunk_of: ChunkOf, build: Build
) -> None:
    """And here another SA, even where both meet in the table: in four places, many times."""
    for number in range(60):
        packets = [
            build.ipv6(build.esp(KNOWN_SPI), ESP, ends=[end.format(number) for end in pair])
            for pair in (HERE, ends, HERE)
        ]
        chunk = chunk_of(packets)
        if ends == HERE:
            chunk.packets["ip_version"][1] = 4
        answers = iter((0, 1))
        sas = SaTable()
        sas.add(np.zeros(2, SA), np.zeros((2, KEY_BYTES_MAX + SALT_BYTES), np.uint8))
        classifier = InboundClassifier(lambda *_, answers=answers: next(answers), sas)
        classifier._known = np.zeros(4, inbound.KNOWN_SPI)
        classifier.classify(burst_of(chunk))
        assert chunk.packets["sa"].tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("in_udp", "position"), [(False, 0x2000), (False, 0x00B9), (True, 0x2000), (True, 0x00B9)]
)
def test_a_fragment_would_have_to_be_reassembled_first(
    in_udp: bool,
    position: int,
    classifier: InboundClassifier,
    chunk_of: ChunkOf,
    build: Build,
) -> None:
    """The first one (more to come) and a later one."""
    body = build.udp(build.esp(KNOWN_SPI)) if in_udp else build.esp(KNOWN_SPI)
    packet = build.ipv4(body, UDP if in_udp else ESP, position=position)
    burst = burst_of(chunk_of([packet]))
    classifier.classify(burst)
    assert verdicts_of(burst) == [Verdict.OUTER_FRAGMENT]


@pytest.mark.parametrize("in_udp", [False, True])
def test_a_packet_that_was_cut_cannot_be_opened(
    in_udp: bool, classifier: InboundClassifier, chunk_of: ChunkOf, build: Build
) -> None:
    """Wherever the snap length fell, and without ever taking an order from its SA."""
    body = build.udp(build.esp(KNOWN_SPI)) if in_udp else build.esp(KNOWN_SPI)
    packet = build.ipv4(body, UDP if in_udp else ESP)
    chunk = chunk_of([packet] * (len(packet) + 1))
    chunk.packets["captured_bytes"] = np.arange(len(packet) + 1)
    burst = burst_of(chunk)
    classifier.classify(burst)
    assert verdicts_of(burst) == [Verdict.CUT_BY_SNAP_LENGTH] * len(packet) + [Verdict.PASSED]
    assert burst.packets["order"].tolist() == [-1] * len(packet) + [0]


def test_what_the_reader_has_refused_stays_refused(
    classifier: InboundClassifier, directory: Directory, chunk_of: ChunkOf, build: Build
) -> None:
    """And nobody looks for its SA."""
    chunk = chunk_of([build.ipv4(build.esp(KNOWN_SPI), ESP)])
    chunk.packets["verdict"] = Verdict.MALFORMED_IP
    burst = burst_of(chunk)
    classifier.classify(burst)
    assert verdicts_of(burst) == [Verdict.MALFORMED_IP]
    assert burst.packets[["sa", "order"]].tolist() == [(NO_SA, -1)]
    assert not directory.asked


def flood(build: Build, chunk_of: ChunkOf, first: int, packets: int) -> Burst:
    """ESP packets with SPIs that nobody knows, each another one."""
    spis = range(first, first + packets)
    return burst_of(chunk_of([build.ipv4(build.esp(spi), ESP) for spi in spis]))


def test_a_flood_of_unknown_spis_takes_no_more_memory_than_it_may(
    monkeypatch: pytest.MonkeyPatch,
    classifier: InboundClassifier,
    chunk_of: ChunkOf,
    build: Build,
) -> None:
    """With room for 2000 combinations, 12 000 invented ones come and go (law 9)."""
    monkeypatch.setattr(inbound, "REMEMBERED_MAX", 2000)
    for start in range(0x10000, 0x10000 + 12_000, 1000):
        burst = flood(build, chunk_of, start, 1000)
        classifier.classify(burst)
        assert set(verdicts_of(burst)) == {Verdict.UNKNOWN_SPI}
        remembered = np.count_nonzero(classifier._known["ip_version"])
        assert remembered <= 2000
        assert remembered <= 0.75 * len(classifier._known)
        assert len(classifier._known) <= 4096


def test_an_sa_goes_on_where_it_was_after_a_flood_of_unknown_spis(
    monkeypatch: pytest.MonkeyPatch,
    classifier: InboundClassifier,
    directory: Directory,
    chunk_of: ChunkOf,
    build: Build,
) -> None:
    """It is asked for anew, and its packets count on."""
    monkeypatch.setattr(inbound, "REMEMBERED_MAX", 64)
    packet = build.ipv4(build.esp(KNOWN_SPI), ESP)
    classifier.classify(burst_of(chunk_of([packet])))
    classifier.classify(flood(build, chunk_of, 0x10000, 300))
    again = burst_of(chunk_of([packet]))
    assert classifier.classify(again) == range(1, 1)
    assert again.packets[["sa", "order"]].tolist() == [(0, 1)]
    assert directory.asked[4, "10.0.0.1", "10.0.0.2", KNOWN_SPI] == 2


def test_thousands_of_sas_are_found_through_every_growth(
    directory: Directory, chunk_of: ChunkOf, build: Build
) -> None:
    """Each combination is asked for once, however the table grows meanwhile."""
    spis = range(0x10000, 0x10000 + 5000)
    sas = {spi: number for number, spi in enumerate(spis)}
    asked: Counter[int] = Counter()

    def resolve(_version: int, _source: str, _destination: str, spi: int) -> int:
        asked[spi] += 1
        directory.sas.add(np.zeros(1, SA), np.zeros((1, KEY_BYTES_MAX + SALT_BYTES), np.uint8))
        return sas[spi]

    classifier = InboundClassifier(resolve, directory.sas)
    chunk = chunk_of([build.ipv4(build.esp(spi), ESP) for spi in spis])
    for order in range(2):
        burst = Burst(chunk.data, chunk.packets.copy(), 0)
        classifier.classify(burst)
        assert burst.packets["sa"].tolist() == list(sas.values())
        assert set(burst.packets["order"].tolist()) == {order}
    assert set(asked.values()) == {1}


@settings(deadline=None, max_examples=60)
@given(
    bodies=st.lists(
        st.tuples(st.binary(max_size=40), st.sampled_from([TCP, UDP, ESP]), st.booleans()),
        min_size=1,
        max_size=20,
    )
)
def test_whatever_the_bytes_every_packet_has_one_verdict_and_passes_only_with_an_sa(
    bodies: list[tuple[bytes, int, bool]], chunk_of: ChunkOf, build: Build
) -> None:
    """Random payloads, half of them behind a UDP header with port 4500."""
    directory = Directory()
    classifier = InboundClassifier(directory.resolve, directory.sas)
    packets = [
        build.ipv4(build.udp(body) if in_udp and protocol == UDP else body, protocol)
        for body, protocol, in_udp in bodies
    ]
    burst = burst_of(chunk_of(packets))
    classifier.classify(burst)
    for packet in burst.packets:
        passed = packet["verdict"] == Verdict.PASSED
        assert passed == (packet["sa"] != NO_SA) == (packet["order"] >= 0)
        assert Verdict(packet["verdict"])
