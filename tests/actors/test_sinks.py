"""Sinks: the verifier misses no changed byte, and capture files hold what left, when it left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import dpkt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.actors.sinks import CaptureSink, Verifier
from saactors.model.burst import Burst, Component, Finished, Share
from saactors.model.packets import Chunk
from saactors.model.sa import Mode, SaTable
from saactors.model.verdicts import Verdict
from saactors.streams.crypto import Sealing
from saactors.streams.sa_maker import SaMaker, SaTemplate
from saactors.traces.writer import CaptureWriter

LENGTHS = [100, 40, 1400]
EPOCH_NS = 1_700_000_000_000_000_001


@pytest.fixture(scope="module")
def both_modes() -> SaTable:
    """SA 0 is a tunnel, SA 1 in transport mode, SA 2 a tunnel in UDP."""
    table = SaTable()
    templates = [
        SaTemplate(),
        SaTemplate(mode=Mode.TRANSPORT),
        SaTemplate(source_port=4500, destination_port=4500),
    ]
    SaMaker(templates, seed=1).make(table, np.arange(3, dtype=np.int32))
    return table


@pytest.fixture(scope="module")
def sealed(chunk_of: Callable[..., Chunk], both_modes: SaTable) -> Finished:
    """A packet of each SA, sealed by the card."""
    chunk = chunk_of([(0, sa, length) for sa, length in enumerate(LENGTHS)])
    burst = Burst(chunk.data, chunk.packets, 0, sa_count=3)
    share = Share(burst, np.arange(3, dtype=np.int32))
    return Sealing(both_modes).process(share, Component.NIC)


def with_data(finished: Finished, data: np.ndarray[Any, Any]) -> Finished:
    """The same share with other bytes."""
    return replace(finished, data=data)


def with_burst(finished: Finished, change: Callable[[Burst], None]) -> Finished:
    """The same share of a burst in which something is different."""
    burst = finished.burst
    other = Burst(burst.data.copy(), burst.packets.copy(), 0, sa_count=3)
    change(other)
    return replace(finished, burst=other)


def verify(sas: SaTable, finished: Finished, places: Sequence[int] = (0, 1, 2)) -> tuple[int, int]:
    """How many packets were checked, and how many were not what they should be."""
    verifier = Verifier(sas)
    verifier.take(finished, np.array(places, np.int32), 0)
    return verifier.checked, verifier.failed


def test_what_is_right_is_checked_and_passes(both_modes: SaTable, sealed: Finished) -> None:
    """All of it, or the part of the share that leaves."""
    assert verify(both_modes, sealed) == (3, 0)
    assert verify(both_modes, sealed, [2]) == (1, 0)


@settings(deadline=None, max_examples=80)
@given(place=st.integers(0, 2), at=st.integers(0, 2000), bit=st.integers(0, 7))
def test_any_changed_bit_of_the_esp_packet_is_noticed(
    place: int, at: int, bit: int, both_modes: SaTable, sealed: Finished
) -> None:
    """Wherever a receiver would notice: from the ESP header on."""
    outer = {0: 20, 1: 20, 2: 28}[place]
    data = np.frombuffer(memoryview(sealed.data), np.uint8).copy()  # type: ignore[arg-type]  # set
    protected = int(sealed.lengths[place]) - outer
    data[int(sealed.starts[place]) + outer + at % protected] ^= 1 << bit
    assert verify(both_modes, with_data(sealed, data)) == (3, 1)


@settings(deadline=None, max_examples=80)
@given(place=st.integers(0, 2), at=st.integers(0, 2000))
def test_any_other_byte_than_the_originals_is_noticed(
    place: int, at: int, both_modes: SaTable, sealed: Finished
) -> None:
    """ESP that opens, but to something else than what came in."""
    start, length = sealed.burst.packets[["offset", "length_bytes"]][place]
    position = at % int(length)

    def change(burst: Burst) -> None:
        burst.data[int(start) + position] ^= 0x40

    checksum_of_transport = place == 1 and position in (10, 11)
    failed = 0 if checksum_of_transport else 1
    assert verify(both_modes, with_burst(sealed, change)) == (3, failed)


@pytest.mark.parametrize("field", ["sequence", "length_bytes"])
def test_a_wrong_sequence_number_or_length_is_noticed(
    field: str, both_modes: SaTable, sealed: Finished
) -> None:
    """The packet on the wire is not the one that the classifier numbered."""

    def change(burst: Burst) -> None:
        burst.packets[field][1] -= 1

    assert verify(both_modes, with_burst(sealed, change)) == (3, 1)


def test_a_packet_of_another_sa_is_noticed(both_modes: SaTable, sealed: Finished) -> None:
    """Sealed with a key that its receiver does not expect."""

    def change(burst: Burst) -> None:
        burst.packets["sa"][0] = 2

    assert verify(both_modes, with_burst(sealed, change)) == (3, 1)


def test_a_cut_packet_is_compared_with_its_padding(
    chunk_of: Callable[..., Chunk], both_modes: SaTable
) -> None:
    """Zeroes up to its length on the wire, whatever lies behind it in the capture."""
    chunk = chunk_of([(0, 0, 100), (0, 0, 100)])
    chunk.packets["captured_bytes"] = [60, 100]
    share = Share(Burst(chunk.data, chunk.packets, 0, sa_count=1), np.arange(2, dtype=np.int32))
    finished = Sealing(both_modes).process(share, Component.SOFTWARE)
    assert verify(both_modes, finished, [0, 1]) == (2, 0)
    chunk.packets["captured_bytes"] = [100, 100]
    assert verify(both_modes, finished, [0, 1]) == (2, 1)


def test_what_was_not_encrypted_is_not_checked(both_modes: SaTable, sealed: Finished) -> None:
    """Bypassed packets, and runs without cryptography."""
    assert verify(both_modes, replace(sealed, component=Component.NONE)) == (0, 0)
    assert verify(both_modes, replace(sealed, data=None)) == (0, 0)


class Dated:
    """A trace whose first packet came at EPOCH_NS."""

    first_time_epoch_ns = EPOCH_NS


def written(path: Path) -> list[tuple[int, bytes]]:
    """What dpkt reads from a capture: times in ns and packets."""
    with path.open("rb") as file:
        return [(round(time * 10**9), packet) for time, packet in dpkt.pcap.Reader(file)]


def packet_at(finished: Finished, place: int) -> bytes:
    """One packet of a share."""
    data = bytes(memoryview(finished.data))  # type: ignore[arg-type]  # it is set here
    start, length = int(finished.starts[place]), int(finished.lengths[place])
    return data[start : start + length]


def test_a_capture_holds_what_left_at_the_traces_own_time(tmp_path: Path, sealed: Finished) -> None:
    """Two bursts, one whole and one in part; dpkt's times are exact to the nanosecond here."""
    path = tmp_path / "esp.pcap"
    with CaptureWriter(path) as writer:
        sink = CaptureSink(writer, Dated())
        sink.take(sealed, np.arange(3, dtype=np.int32), 1000)
        sink.take(sealed, np.array([0, 2], np.int32), 2500)
    packets = [packet_at(sealed, place) for place in range(3)]
    found = written(path)
    assert [packet for _, packet in found] == [*packets, packets[0], packets[2]]
    times = [time_ns for time_ns, _ in found]
    assert times == [EPOCH_NS + 1000] * 3 + [EPOCH_NS + 2500] * 2


@pytest.mark.parametrize("only_processed", [False, True])
def test_a_capture_of_plain_packets_leaves_out_what_was_plain_before(
    only_processed: bool, tmp_path: Path, sealed: Finished
) -> None:
    """An ESP capture has the bypassed packets in it, a capture of inner packets has not."""
    path = tmp_path / "plain.pcap"
    with CaptureWriter(path) as writer:
        sink = CaptureSink(writer, Dated(), only_processed=only_processed)
        sink.take(replace(sealed, component=Component.NONE), np.array([1], np.int32), 0)
        sink.take(sealed, np.array([0], np.int32), 1)
    expected = [0] if only_processed else [1, 0]
    assert [packet for _, packet in written(path)] == [packet_at(sealed, n) for n in expected]


def test_without_cryptography_nothing_is_written(tmp_path: Path, sealed: Finished) -> None:
    """There are no bytes to write, and the file is an empty capture."""
    path = tmp_path / "none.pcap"
    with CaptureWriter(path) as writer:
        CaptureSink(writer, Dated()).take(
            replace(sealed, data=None), np.arange(3, dtype=np.int32), 0
        )
    assert written(path) == []


def test_the_sealed_packets_of_these_tests_are_what_they_should_be(sealed: Finished) -> None:
    """Otherwise the tests above would prove nothing."""
    assert set(sealed.burst.packets["verdict"]) == {Verdict.PASSED}
    assert [packet_at(sealed, place)[9] for place in range(3)] == [50, 50, 17]
