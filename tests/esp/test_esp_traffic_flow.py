"""TFC padding and dummy packets (RFC 4303 §2.6, §2.7), and packets too big for the path."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.esp.association import Association
from saactors.esp.inbound import InboundProcessor
from saactors.esp.outbound import OutboundProcessor
from saactors.model.sa import Mode
from saactors.model.verdicts import Verdict

V4 = ("192.0.2.1", "198.51.100.2")
V6 = ("2001:db8::1", "2001:db8:ffff::2")


def test_all_packets_up_to_a_size_look_alike(esp: Any) -> None:
    """Filled up to it, and opened to what they were; a longer one is as long as it is."""
    for suite in esp.few:
        sas = esp.table(esp.Form(suite, tfc_bytes=600))
        packets = [esp.ipv4(bytes(range(size % 256))) for size in (0, 1, 50, 255)]
        packets += [esp.ipv6(b"x" * 500), esp.ipv4(b"y" * 700)]
        sealed = esp.seal(sas, packets)
        assert len({len(each) for each in sealed[:-1]}) == 1, suite
        assert len(sealed[-1]) > len(sealed[0])
        assert esp.open(sas, sealed) == packets


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 1500), st.integers(200, 1500), st.integers(0, 1400))
def test_tfc_padding_never_outgrows_the_path(
    esp: Any, tfc_bytes: int, path_mtu_bytes: int, size: int
) -> None:
    """It fills what is left of the MTU and no more; packets it cannot help are judged as ever."""
    packet = esp.ipv4(bytes(size))
    path = esp.Form("aes-cbc-128-hmac-sha1-96", path_mtu_bytes=path_mtu_bytes)
    both = esp.Form(path.suite, tfc_bytes=tfc_bytes, path_mtu_bytes=path_mtu_bytes)
    (without,) = esp.seal(esp.table(path), [packet])
    (filled,) = esp.seal(esp.table(both), [packet])
    if len(without) <= path_mtu_bytes:
        assert len(without) <= len(filled) <= path_mtu_bytes
    else:
        assert len(filled) == len(without)


@pytest.mark.parametrize(("mode", "outer"), [(m, o) for m in Mode for o in (V4, V6)])
def test_dummies_are_thrown_away_and_their_numbers_taken(
    mode: Mode, outer: tuple[str, str]
) -> None:
    """In either mode; a dummy that comes again is a replay."""
    source, destination = map(ip_address, outer)
    association = Association(0x1001, "aes-gcm-128", bytes(20), b"", mode, source, destination)
    sender, receiver = OutboundProcessor([association]), InboundProcessor([association])
    outcomes = sender.dummies([0, 0], payload_bytes=200)
    assert [outcome.sequence for outcome in outcomes] == [1, 2]
    packets = [outcome.packets[0] for outcome in outcomes]
    assert len(packets[0]) >= 200
    assert [o.verdict for o in receiver.process(packets)] == [Verdict.DUMMY, Verdict.DUMMY]
    assert receiver.process(packets)[0].verdict is Verdict.REPLAYED


@pytest.mark.parametrize(
    ("version", "size", "flags", "expected"),
    [
        (4, 1000, 0x4000, Verdict.PACKET_TOO_BIG),
        (4, 1000, 0, Verdict.PASSED),  # to be fragmented
        (4, 500, 0x4000, Verdict.PASSED),
        (6, 1300, 0, Verdict.PACKET_TOO_BIG),
        (6, 1000, 0, Verdict.PASSED),  # below IPv6's least MTU: the sealed packet is fragmented
    ],
)
def test_a_packet_too_big_for_the_path_is_named(
    esp: Any, version: int, size: int, flags: int, expected: Verdict
) -> None:
    """If it may not be fragmented (RFC 4301 §8.2)."""
    sas = esp.table(esp.Form(path_mtu_bytes=700))
    packet = esp.ipv4(bytes(size), flags=flags) if version == 4 else esp.ipv6(bytes(size))
    (outcome,) = esp.seal(sas, [packet])
    assert (outcome if isinstance(outcome, Verdict) else Verdict.PASSED) == expected
