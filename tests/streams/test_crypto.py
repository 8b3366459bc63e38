"""A component's crypto on shares: there and back, only in length, and with a card that errs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.esp.suites import SUITES
from saactors.esp.window import ReplayWindows
from saactors.model.burst import Burst, Component, Finished, Share
from saactors.model.packets import Chunk
from saactors.model.sa import Mode, SaTable
from saactors.model.verdicts import Verdict
from saactors.streams.crypto import Opening, Sealing, bytes_of, card_columns, flip_bits
from saactors.streams.sa_maker import SaMaker, SaTemplate

ChunkOf = Callable[[Sequence[bytes]], Chunk]

# Every suite in either mode, tunnels with and without UDP.
TEMPLATES = [
    SaTemplate(suite=suite, mode=mode, source_port=port, destination_port=port)
    for suite in range(len(SUITES))
    for mode, port in ((Mode.TUNNEL, 0), (Mode.TUNNEL, 4500), (Mode.TRANSPORT, 0))
]
SIZES = st.lists(st.integers(0, 300), min_size=1, max_size=24)


class Build(Protocol):
    """What these tests use of the fixture."""

    def ipv4(self, payload: bytes, protocol: int = 17, **fields: object) -> bytes:
        """An IPv4 packet."""
        ...

    def udp(self, payload: bytes, source: int = 4500, destination: int = 4500) -> bytes:
        """A UDP datagram."""
        ...


@pytest.fixture(scope="module")
def sas() -> SaTable:
    """One SA per template."""
    table = SaTable()
    SaMaker(TEMPLATES, seed=1).make(table, np.arange(len(TEMPLATES), dtype=np.int32))
    return table


@pytest.fixture(scope="module")
def share_of(chunk_of: ChunkOf, build: Build) -> Callable[[Sequence[int]], Share]:
    """A share of UDP datagrams of these sizes, spread over all SAs; rows go up in twos.

    The rows between are other packets of the burst, that are none of the share's business.
    """

    def make(sizes: Sequence[int]) -> Share:
        packets = [
            build.ipv4(build.udp(bytes([size % 251]) * size, 5000, 53))
            for size in sizes
            for _ in range(2)
        ]
        chunk = chunk_of(packets)
        count = len(chunk.packets)
        chunk.packets["sa"] = np.arange(count) // 2 % len(TEMPLATES)
        chunk.packets["sequence"] = np.arange(count) // 2 // len(TEMPLATES) + 1
        burst = Burst(chunk.data, chunk.packets, 0, sa_count=len(TEMPLATES))
        return Share(burst, np.arange(0, count, 2, dtype=np.int32))

    return make


def packets_of(finished: Finished) -> list[bytes]:
    """The packets of a share, as bytes."""
    assert finished.data is not None
    data = bytes(memoryview(finished.data))
    places = zip(finished.starts.tolist(), finished.lengths.tolist(), strict=True)
    return [data[start : start + length] for start, length in places]


def originals_of(share: Share) -> list[bytes]:
    """The share's packets before anything was done, checksums of IPv4 headers blanked."""
    return [
        blanked(share.burst.data[start : start + length].tobytes())
        for start, length in share.burst.packets[["offset", "length_bytes"]][share.rows].tolist()
    ]


def blanked(packet: bytes) -> bytes:
    """Without the header checksum, which transport mode makes anew."""
    return packet[:10] + bytes(2) + packet[12:]


def arrived(share: Share, sealed: Finished, chunk_of: ChunkOf) -> Share:
    """The sealed packets as the other end reads them; SA and ESP offset as it classifies them."""
    chunk = chunk_of(packets_of(sealed))
    packets = share.burst.packets[share.rows]
    chunk.packets["sa"] = packets["sa"]
    udp = chunk.packets["protocol"] == 17
    chunk.packets["esp_offset"] = chunk.packets["transport_offset"] + 8 * udp
    burst = Burst(chunk.data, chunk.packets, 0, sa_count=len(TEMPLATES))
    return Share(burst, np.arange(len(chunk.packets), dtype=np.int32))


@settings(deadline=None, max_examples=25)
@given(sizes=SIZES)
def test_what_is_sealed_opens_to_what_it_was(
    sizes: list[int],
    sas: SaTable,
    share_of: Callable[[Sequence[int]], Share],
    chunk_of: ChunkOf,
) -> None:
    """All suites and modes in one share; the sequence numbers come out with the packets."""
    share = share_of(sizes)
    sealed = Sealing(sas).process(share, Component.SOFTWARE)
    assert sealed.component is Component.SOFTWARE
    assert sealed.rows is share.rows
    received = arrived(share, sealed, chunk_of)
    opened = Opening(sas, ReplayWindows()).process(received, Component.NIC)
    assert opened.component is Component.NIC
    assert set(received.burst.packets["verdict"]) == {Verdict.PASSED}
    assert [blanked(packet) for packet in packets_of(opened)] == originals_of(share)
    sent = share.burst.packets["sequence"][share.rows]
    assert received.burst.packets["sequence"].tolist() == sent.tolist()


@settings(deadline=None, max_examples=25)
@given(sizes=SIZES)
def test_without_cryptography_packets_have_the_lengths_that_they_would_have(
    sizes: list[int], sas: SaTable, share_of: Callable[[Sequence[int]], Share]
) -> None:
    """So a run without cryptography takes the same decisions; there is no data."""
    share = share_of(sizes)
    real = Sealing(sas).process(share, Component.NIC)
    planned = Sealing(sas, real=False).process(share, Component.NIC)
    assert planned.data is None
    assert planned.lengths.tolist() == real.lengths.tolist()
    assert planned.starts.tolist() == real.starts.tolist()


@pytest.mark.parametrize("real", [True, False])
def test_what_cannot_be_sealed_carries_its_verdict(
    real: bool, sas: SaTable, share_of: Callable[[Sequence[int]], Share]
) -> None:
    """With cryptography or without, and its neighbours are not touched."""
    share = share_of([65_507, 100, 100, 100])  # with its headers the first is as long as IP allows
    share.burst.packets["sequence"][share.rows[2]] = 0
    finished = Sealing(sas, real=real).process(share, Component.NIC)
    verdicts = [Verdict(number) for number in share.burst.packets["verdict"][share.rows]]
    passed = Verdict.PASSED
    assert verdicts == [Verdict.PACKET_TOO_LONG, passed, Verdict.SEQUENCE_ZERO, passed]
    assert (finished.lengths > 0).tolist() == [False, True, False, True]


def test_a_forged_packet_carries_its_verdict(
    sas: SaTable, share_of: Callable[[Sequence[int]], Share], chunk_of: ChunkOf
) -> None:
    """One byte of the second packet has changed on its way."""
    share = share_of([100] * 3)
    received = arrived(share, Sealing(sas).process(share, Component.NIC), chunk_of)
    end = int(received.burst.packets["offset"][1] + received.burst.packets["length_bytes"][1])
    received.burst.data[end - 1] ^= 1
    Opening(sas, ReplayWindows()).process(received, Component.SOFTWARE)
    verdicts = [Verdict(number) for number in received.burst.packets["verdict"]]
    assert verdicts == [Verdict.PASSED, Verdict.ICV_FAILED, Verdict.PASSED]


def test_without_cryptography_inbound_packets_are_as_they_came(
    sas: SaTable, share_of: Callable[[Sequence[int]], Share]
) -> None:
    """There is nothing that could be told about what is inside."""
    share = share_of([10, 20])
    finished = Opening(sas, ReplayWindows(), real=False).process(share, Component.NIC)
    assert finished.data is None
    assert finished.lengths.tolist() == [20 + 8 + 10, 20 + 8 + 20]


@settings(deadline=None, max_examples=25)
@given(sizes=SIZES, flips=st.dictionaries(st.integers(0, 23), st.integers(0, 20_000)))
def test_a_flip_changes_one_bit_in_each_packet_named_and_nothing_else(
    sizes: list[int],
    flips: dict[int, int],
    sas: SaTable,
    share_of: Callable[[Sequence[int]], Share],
) -> None:
    """Even where the bit drawn lies beyond the packet's end; the original stays as it was."""
    share = share_of(sizes)
    sealed = Sealing(sas).process(share, Component.NIC)
    before = packets_of(sealed)
    flips = {place: bit for place, bit in flips.items() if place < len(sizes)}
    rows = np.array([share.rows[place] for place in flips], np.int32)
    flipped = flip_bits(sealed, rows, np.array(list(flips.values()), np.int32))
    assert packets_of(sealed) == before
    for place, (old, new) in enumerate(zip(before, packets_of(flipped), strict=True)):
        changed = int.from_bytes(old, "little") ^ int.from_bytes(new, "little")
        assert changed == (1 << flips[place] % (8 * len(old)) if place in flips else 0)


def test_a_flip_in_a_packet_that_was_refused_or_in_no_data_changes_nothing(
    sas: SaTable, share_of: Callable[[Sequence[int]], Share]
) -> None:
    """There is no bit that could flip."""
    share = share_of([100, 100])
    share.burst.packets["sequence"][0] = 0
    rows, bits = share.rows[:1], np.array([12_345], np.int32)
    sealed = Sealing(sas).process(share, Component.NIC)
    assert packets_of(flip_bits(sealed, rows, bits)) == packets_of(sealed)
    planned = Sealing(sas, real=False).process(share, Component.NIC)
    assert flip_bits(planned, rows, bits) is planned


def test_the_card_is_told_sa_and_length_of_each_row(
    share_of: Callable[[Sequence[int]], Share],
) -> None:
    """Of the share's rows and no others, as the int32 columns that it takes."""
    share = share_of([10, 20, 30])
    sas, lengths = card_columns(share)
    assert (sas.tolist(), lengths.tolist()) == ([0, 1, 2], [38, 48, 58])
    assert sas.dtype == lengths.dtype == np.int32
    assert bytes_of(share) == 38 + 48 + 58
