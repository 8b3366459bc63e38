"""The largest packet that fits a path once sealed, against a plain formula and against sealing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saactors.esp.path_mtu import inner_mtu_bytes, overhead_bytes, sealed_bytes
from saactors.esp.suites import SUITES, Suite
from saactors.model.sa import Mode
from saactors.model.verdicts import Verdict

GCM, CBC = SUITES[0], next(suite for suite in SUITES if suite.align_bytes == 16)
V4 = ("192.0.2.1", "198.51.100.2")
V6 = ("2001:db8::1", "2001:db8:ffff::2")
DO_NOT_FRAGMENT = 0x4000


def plainly_sealed_bytes(suite: Suite, mode: Mode, version: int, in_udp: bool, inner: int) -> int:
    """RFC 4303 §2, field by field and padding byte by padding byte."""
    ip = {4: 20, 6: 40}[version]
    payload = inner if mode is Mode.TUNNEL else inner - ip
    padding = 0
    while (payload + padding + 2) % suite.align_bytes:
        padding += 1
    udp = 8 if in_udp else 0
    return ip + udp + 8 + suite.iv_bytes + payload + padding + 2 + suite.icv_bytes


COMBINATIONS = (
    st.sampled_from(SUITES),
    st.sampled_from(Mode),
    st.sampled_from([4, 6]),
    st.booleans(),
)


@given(*COMBINATIONS, st.integers(160, 9000))
def test_it_fits_and_one_byte_more_does_not(
    suite: Suite, mode: Mode, version: int, in_udp: bool, path_mtu: int
) -> None:
    """Exactly the largest, whatever the padding."""
    most = inner_mtu_bytes(suite, mode, version, in_udp, path_mtu)
    assert plainly_sealed_bytes(suite, mode, version, in_udp, most) <= path_mtu
    assert plainly_sealed_bytes(suite, mode, version, in_udp, most + 1) > path_mtu


@given(*COMBINATIONS, st.integers(40, 65_000))
def test_the_size_of_a_sealed_packet_is_the_sum_of_its_fields(
    suite: Suite, mode: Mode, version: int, in_udp: bool, inner: int
) -> None:
    """The formula of the module against that of the test."""
    expected = plainly_sealed_bytes(suite, mode, version, in_udp, inner)
    assert sealed_bytes(suite, mode, version, in_udp, inner) == expected


@given(*COMBINATIONS)
def test_without_a_limit_it_is_what_the_length_field_can_say(
    suite: Suite, mode: Mode, version: int, in_udp: bool
) -> None:
    """Of the sealed packet; IPv6 does not count its header, and the inner one may be IPv4."""
    most = inner_mtu_bytes(suite, mode, version, in_udp, 0)
    fixed = 40 if version == 6 else 0
    assert plainly_sealed_bytes(suite, mode, version, in_udp, most) - fixed <= 65_535
    longer = plainly_sealed_bytes(suite, mode, version, in_udp, most + 1) - fixed
    assert longer > 65_535 or most == 65_535


def test_figures_that_are_known() -> None:
    """1446 on Ethernet with AES-GCM: 1500 less 20, 8, 8 and 16 is 1448, less 2."""
    assert inner_mtu_bytes(GCM, Mode.TUNNEL, 4, in_udp=False, path_mtu_bytes=1500) == 1446
    assert inner_mtu_bytes(GCM, Mode.TUNNEL, 4, in_udp=True, path_mtu_bytes=1500) == 1438
    assert inner_mtu_bytes(CBC, Mode.TUNNEL, 4, in_udp=False, path_mtu_bytes=1500) == 1438
    assert overhead_bytes(GCM, 4, in_udp=False) == 52


def test_a_path_may_be_too_narrow_for_any_packet() -> None:
    """0 then, also where only the trailer would fit."""
    least = overhead_bytes(GCM, 4, in_udp=False) + 4
    assert inner_mtu_bytes(GCM, Mode.TUNNEL, 4, in_udp=False, path_mtu_bytes=least) == 2
    for path_mtu in range(least):
        assert inner_mtu_bytes(GCM, Mode.TUNNEL, 4, False, path_mtu or 1) == 0


@given(st.sampled_from(SUITES), st.booleans(), st.integers(160, 9000))
def test_an_unknown_version_means_that_it_fits_with_either(
    suite: Suite, in_udp: bool, path_mtu: int
) -> None:
    """An SA in transport mode need not say between whom it is."""
    most = inner_mtu_bytes(suite, Mode.TRANSPORT, 0, in_udp, path_mtu)
    for version in (4, 6):
        assert plainly_sealed_bytes(suite, Mode.TRANSPORT, version, in_udp, most) <= path_mtu


@pytest.mark.parametrize("outer", [V4, V6])
@pytest.mark.parametrize("suite", [GCM, CBC], ids=lambda suite: suite.name)
@pytest.mark.parametrize(
    ("mode", "tfc_bytes"), [(Mode.TRANSPORT, 0), (Mode.TUNNEL, 0), (Mode.TUNNEL, 1400)]
)
def test_sealing_agrees(esp: Any, mode: Mode, outer: Any, suite: Suite, tfc_bytes: int) -> None:
    """The largest passes and the next is too big, with and without padding to hide lengths."""
    form = esp.Form(suite.name, mode, outer, tfc_bytes=tfc_bytes, path_mtu_bytes=1400)
    version = 4 if outer is V4 else 6
    most = inner_mtu_bytes(suite, mode, version, in_udp=False, path_mtu_bytes=1400)
    packets = [
        esp.ipv4(bytes(size - 20), flags=DO_NOT_FRAGMENT)
        if version == 4
        else esp.ipv6(bytes(size - 40))
        for size in (most, most + 1)
    ]
    fits, too_big = esp.seal(esp.table(form), packets)
    assert len(fits) <= 1400
    assert too_big is Verdict.PACKET_TOO_BIG
