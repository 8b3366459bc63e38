"""Seal, then open: the identity, over all suites, modes, versions, sizes and numbers."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.esp.suites import SUITES
from saactors.model.packets import PACKET
from saactors.model.sa import Mode
from saactors.model.verdicts import Verdict

V4 = ("192.0.2.1", "198.51.100.2")
V6 = ("2001:db8::1", "2001:db8:ffff::2")
IN_UDP = (4500, 4500)
NAMES = [suite.name for suite in SUITES]


@pytest.mark.parametrize(
    ("mode", "outer", "inner", "ports"), list(product(Mode, (V4, V6), (4, 6), ((0, 0), IN_UDP)))
)
def test_every_mix_opens_to_what_was_sealed(
    esp: Any, mode: int, outer: tuple[str, str], inner: int, ports: tuple[int, int]
) -> None:
    """All suites in all modes: payloads of every size modulo 4 and 16, in one burst."""
    sas = esp.table(
        *(
            esp.Form(suite, mode, outer, ports, extended)
            for suite, extended in product(NAMES, (False, True))
        )
    )
    build = esp.ipv4 if inner == 4 else esp.ipv6
    packets = [build(bytes(range(size))) for size in range(17) for _ in range(len(sas))]
    numbers = list(range(len(sas))) * 17
    assert esp.open(sas, esp.seal(sas, packets, None, numbers), None, numbers) == packets


form = st.fixed_dictionaries(
    {
        "suite": st.sampled_from(NAMES),
        "mode": st.sampled_from(Mode),
        "outer": st.sampled_from([V4, V6]),
        "ports": st.sampled_from([(0, 0), (4500, 4500), (1, 65535)]),
        "extended": st.booleans(),
        "spi": st.integers(256, 2**32 - 1),
    }
)
packet = st.tuples(st.sampled_from([4, 6]), st.integers(0, 9000), st.integers(1, 2**32 - 1))


@settings(max_examples=60, deadline=None)
@given(st.lists(form, min_size=1, max_size=4), st.lists(packet, min_size=1, max_size=12), st.data())
def test_a_burst_of_many_sas_opens_to_what_was_sealed(
    esp: Any,
    forms: list[dict[str, Any]],
    contents: list[tuple[int, int, int]],
    data: st.DataObject,
) -> None:
    """SAs of any kind mixed in one burst, sizes 0 to 9000."""
    sas = esp.table(*(esp.Form(**each) for each in forms))
    numbers = [data.draw(st.integers(0, len(forms) - 1)) for _ in contents]
    packets = [
        (esp.ipv4 if version == 4 else esp.ipv6)(bytes([low & 255]) * size)
        for version, size, low in contents
    ]
    sequences = [
        low | (5 << 32 if forms[number]["extended"] else 0)
        for number, (_, _, low) in zip(numbers, contents, strict=True)
    ]
    sealed = esp.seal(sas, packets, sequences, numbers)
    assert esp.open(sas, sealed, sequences, numbers) == packets


def test_a_packet_cut_by_the_snap_length_is_filled_up_with_zeroes(esp: Any) -> None:
    """What is sealed has the length on the wire, captured bytes first."""
    sas = esp.table(esp.Form())
    whole = esp.ipv4(bytes(range(200)))
    sealed = esp.sealer(sas).seal_burst(
        np.frombuffer(whole[:60], np.uint8),
        np.array([0]),
        np.array([60], np.int32),
        np.array([220], np.int32),
        np.array([0], np.int32),
        np.array([1], np.uint64),
    )
    assert esp.open(sas, [sealed.data.tobytes()]) == [whole[:60] + bytes(160)]


def test_records_and_columns_give_the_same_bytes(esp: Any) -> None:
    """``seal_packets`` takes rows of PACKET in any order and leaves the others alone."""
    sas = esp.table(esp.Form(), esp.Form("chacha20-poly1305", spi=2))
    packets = [esp.ipv4(bytes(size)) for size in (10, 20, 30)]
    records = np.zeros(3, PACKET)
    records["length_bytes"] = records["captured_bytes"] = [len(each) for each in packets]
    records["offset"] = np.cumsum(records["length_bytes"]) - records["length_bytes"]
    records["sa"], records["sequence"] = [0, 1, 0], [1, 1, 2]
    rows = np.array([2, 1], np.int32)
    data = np.frombuffer(b"".join(packets), np.uint8)
    sealed = esp.sealer(sas).seal_packets(data, records, rows)
    expected = esp.seal(sas, [packets[2], packets[1]], [2, 1], [0, 1])
    assert sealed.data.tobytes() == b"".join(expected)


def test_lengths_without_crypto_are_those_with_crypto(esp: Any) -> None:
    """A run with ``--crypto none`` sees the same lengths, places and verdicts."""
    forms = [
        esp.Form(mode=mode, outer=outer, ports=ports)
        for mode, outer, ports in product(Mode, (V4, V6), ((0, 0), (4500, 4500)))
    ]
    sas = esp.table(*forms)
    packets = [build(bytes(size)) for build in (esp.ipv4, esp.ipv6) for size in (0, 1, 999, 65_500)]
    records = np.zeros(len(forms) * len(packets), PACKET)
    records["length_bytes"] = [len(each) for each in packets] * len(forms)
    records["captured_bytes"] = records["length_bytes"]
    records["offset"] = np.cumsum(records["length_bytes"]) - records["length_bytes"]
    records["sa"] = np.repeat(np.arange(len(forms)), len(packets))
    records["sequence"] = 1
    rows = np.arange(len(records), dtype=np.int32)
    data = np.frombuffer(b"".join(packets) * len(forms), np.uint8)
    sealed = esp.sealer(sas).seal_packets(data, records, rows)
    starts, lengths, verdicts = esp.sealer(sas).sealed_lengths(data, records, rows)
    assert Verdict.PACKET_TOO_LONG in verdicts
    assert starts.tolist() == sealed.starts.tolist()
    assert lengths.tolist() == sealed.lengths.tolist()
    assert verdicts.tolist() == sealed.verdicts.tolist()


def test_one_sealer_and_opener_serve_bursts_of_every_size(esp: Any) -> None:
    """Scratch grows with the burst; an empty burst is a burst too."""
    sas = esp.table(esp.Form(outer=V6))
    sealer, opener = esp.sealer(sas), esp.opener(sas)
    for count in (0, 1, 300, 2, 700):
        packets = [esp.ipv6(bytes(1400))] * count
        sealed = esp.seal(sas, packets, sealer=sealer)
        assert esp.open(sas, sealed, opener=opener) == packets


def test_rows_of_a_large_record_array_need_no_splitting(esp: Any) -> None:
    """More rows than a burst of the actors ever has."""
    sas, packet = esp.table(esp.Form()), esp.ipv4(b"payload")
    records = np.zeros(300, PACKET)
    records["length_bytes"] = records["captured_bytes"] = len(packet)
    records["sequence"] = 1
    rows = np.arange(300, dtype=np.int32)
    sealed = esp.sealer(sas).seal_packets(np.frombuffer(packet, np.uint8), records, rows)
    records["offset"], records["length_bytes"] = sealed.starts, sealed.lengths
    records["captured_bytes"] = sealed.lengths
    opened = esp.opener(sas).open_packets(sealed.data, records, rows, np.zeros(300, np.uint64))
    assert opened.verdicts.tolist() == [Verdict.PASSED] * 300
    assert opened.lengths.tolist() == [len(packet)] * 300


def test_sas_may_be_added_while_a_sealer_runs(esp: Any) -> None:
    """The table grows; sealer and opener follow."""
    sas, more = esp.table(esp.Form()), esp.table(*[esp.Form(spi=spi) for spi in range(300, 500)])
    sealer, opener = esp.sealer(sas), esp.opener(sas)
    packet = esp.ipv4(b"payload")
    assert esp.open(sas, esp.seal(sas, [packet], sealer=sealer), opener=opener) == [packet]
    sas.add(more.records, more.keys)
    sealed = esp.seal(sas, [packet], numbers=[200], sealer=sealer)
    assert esp.open(sas, sealed, numbers=[200], opener=opener) == [packet]
