"""What one processor seals the other opens: whole packets, all suites, windows and forgeries.

``test_esp_round_trip``, ``test_esp_forgery`` and ``test_replay_window`` have the parts by
themselves, with both ciphers; here they are together, as a caller has them.
"""

from __future__ import annotations

import random
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.esp.association import Association
from saactors.esp.inbound import InboundProcessor
from saactors.esp.outbound import OutboundProcessor
from saactors.esp.suites import SUITES, Suite
from saactors.model.sa import Mode
from saactors.model.verdicts import Verdict

V4 = ("192.0.2.1", "198.51.100.2")
V6 = ("2001:db8::1", "2001:db8:ffff::2")
IN_UDP = (4500, 4500)
EPOCH = 2**32
EMPTY = bytes.fromhex("4500001400000000401100000a0000010a000002")  # an IPv4 packet of 20 bytes


def association(
    suite: Suite,
    *,
    spi: int = 0x1001,
    mode: Mode = Mode.TUNNEL,
    outer: tuple[str, str] = V4,
    ports: tuple[int, int] = (0, 0),
    extended: bool = False,
    first: int = 1,
) -> Association:
    """An SA whose keys say which bytes they are."""
    return Association(
        spi=spi,
        suite=suite.name,
        key=bytes(range(suite.key_bytes + suite.salt_bytes)),
        integrity_key=bytes(range(100, 100 + suite.integrity_key_bytes)),
        mode=mode,
        source=ip_address(outer[0]),
        destination=ip_address(outer[1]),
        source_port=ports[0],
        destination_port=ports[1],
        extended_sequence=extended,
        first_sequence=first,
    )


def inner_packet(builders: Any, form: Association, version: int, payload: bytes) -> bytes:
    """In transport mode between the SA's ends, and so of their version."""
    if form.mode is Mode.TUNNEL:
        return (builders.ipv4 if version == 4 else builders.ipv6)(payload)
    assert form.source is not None
    build = builders.ipv4 if form.source.version == 4 else builders.ipv6
    return build(payload, ends=(str(form.source), str(form.destination)))


def test_all_suites_in_all_modes_open_to_what_was_sealed(builders: Any) -> None:
    """Every suite, mode, version outside and in UDP or not, in one call of each processor."""
    forms = []
    for suite in SUITES:
        for mode in Mode:
            for outer in (V4, V6):
                for ports in ((0, 0), IN_UDP):
                    spi = 0x1000 + len(forms)
                    extended = spi % 3 == 0
                    forms.append(
                        association(
                            suite, spi=spi, mode=mode, outer=outer, ports=ports, extended=extended
                        )
                    )
    packets, sas = [], []
    for number, form in enumerate(forms):
        for version, size in ((4, number % 64), (6, 1400 - number % 64)):
            packets.append(inner_packet(builders, form, version, bytes([size % 256]) * size))
            sas.append(number)
    sealed = OutboundProcessor(forms).process(packets, sas)
    opened = InboundProcessor(forms).process([each.packets[0] for each in sealed])
    assert len(forms) == 8 * len(SUITES) == 400
    assert [each.packets for each in opened] == [(packet,) for packet in packets]
    assert [each.sa for each in opened] == sas
    assert [each.sequence for each in opened] == [each.sequence for each in sealed]


forms = st.builds(
    association,
    st.sampled_from(SUITES),
    spi=st.integers(256, EPOCH - 1),
    mode=st.sampled_from(Mode),
    outer=st.sampled_from([V4, V6]),
    ports=st.sampled_from([(0, 0), IN_UDP, (4500, 65_535)]),
    extended=st.booleans(),
    first=st.integers(1, EPOCH - 1000),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(forms, min_size=1, max_size=4, unique_by=lambda form: form.spi),
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from([4, 6]), st.integers(0, 9000)),
        min_size=1,
        max_size=12,
    ),
)
def test_any_packets_open_to_what_was_sealed(
    builders: Any, given_forms: list[Association], contents: list[tuple[int, int, int]]
) -> None:
    """Sizes 0 to 9000, SAs of any kind mixed; each has its numbers in order."""
    sas = [number % len(given_forms) for number, _, _ in contents]
    packets = [
        inner_packet(builders, given_forms[sa], version, bytes(size))
        for sa, (_, version, size) in zip(sas, contents, strict=True)
    ]
    sender, receiver = OutboundProcessor(given_forms), InboundProcessor(given_forms)
    sealed = sender.process(packets, sas)
    opened = receiver.process([each.packets[0] for each in sealed])
    assert [each.packets for each in opened] == [(packet,) for packet in packets]
    for sa, form in enumerate(given_forms):
        numbers = [each.sequence for each in opened if each.sa == sa]
        assert numbers == list(range(form.first_sequence, form.first_sequence + len(numbers)))


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_forgeries_are_refused_and_leave_no_trace(builders: Any, suite: Suite) -> None:
    """Every bit of header, IV, ciphertext and ICV, then the genuine one: it is no replay.

    A changed number that looks far ahead must not have moved the window either.
    """
    form = association(suite, extended=True, first=1000)
    packet = builders.ipv4(b"genuine")
    sealed = OutboundProcessor([form]).process([packet], [0])[0].packets[0]
    receiver = InboundProcessor([form])
    forged = []
    for bit in range(8 * 20, 8 * len(sealed)):
        copy = bytearray(sealed)
        copy[bit // 8] ^= 1 << bit % 8
        forged.append(bytes(copy))
    verdicts = [each.verdict for each in receiver.process(forged)]
    assert verdicts == [Verdict.UNKNOWN_SPI] * 32 + [Verdict.ICV_FAILED] * (len(forged) - 32)
    first, again = receiver.process([sealed, sealed])
    assert (first.verdict, first.packets) == (Verdict.PASSED, (packet,))
    assert (again.verdict, again.packets) == (Verdict.REPLAYED, ())
    assert receiver.statistics() == {
        "passed": 1,
        "unknown_spi": 32,
        "icv_failed": len(forged) - 32,
        "replayed": 1,
    }


class Taken:
    """A replay window as RFC 4303 §3.4.3 words it: a set, and where it ends."""

    def __init__(self, size: int, first: int, *, extended: bool) -> None:
        self.size, self.first, self.extended = size, first, extended
        self.highest, self.numbers = first - 1, set[int]()

    def take_all(self, sequences: list[int]) -> list[Verdict]:
        """Verdicts on genuine packets that come together.

        The high half of an extended number is inferred (appendix A2.2): one that was below the
        window when the packets came is taken for one of the next 2³², for which its ICV is wrong.
        """
        bottom = self.highest - self.size + 1
        return [
            Verdict.ICV_FAILED if self.extended and each < bottom else self._take(each)
            for each in sequences
        ]

    def _take(self, sequence: int) -> Verdict:
        if sequence <= self.highest - self.size:
            return Verdict.TOO_OLD
        if sequence in self.numbers or sequence < self.first:
            return Verdict.REPLAYED
        self.numbers.add(sequence)
        self.highest = max(self.highest, sequence)
        return Verdict.PASSED


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(st.sampled_from([1, 2, 63, 64, 65, 128, 4096]), st.integers(1, 4096)),
    st.sampled_from([(1, False), (EPOCH - 80, False)]
                    + [(first, True) for first in (1, EPOCH - 40, EPOCH, 3 * EPOCH - 20)]),
    st.sampled_from([1, 5, 40]),
    st.integers(0, 2**32),
)  # fmt: skip
def test_packets_in_any_order_are_taken_as_a_plain_set_would(
    window: int, start: tuple[int, bool], calls: int, seed: int
) -> None:
    """Some of them twice, in one call or many, and also where the low half begins anew."""
    first, extended = start
    form = association(SUITES[0], extended=extended, first=first)
    sealed = OutboundProcessor([form]).process([EMPTY] * 80, [0] * 80)
    shuffler = random.Random(seed)
    order = [shuffler.randrange(80) for _ in range(40)] + list(range(80))
    # Rising on the whole, so that small windows have something left to take.
    order.sort(key=lambda n: n + shuffler.uniform(0, 1.5 * window))
    receiver = InboundProcessor([form], window_packets=window)
    model = Taken(window, first, extended=extended)
    for at in range(0, 120, 120 // calls):
        part = order[at : at + 120 // calls]
        found = [each.verdict for each in receiver.process([sealed[n].packets[0] for n in part])]
        assert found == model.take_all([first + n for n in part])


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([1, 2, 63, 64, 65, 127, 128, 1000, 4096]),
    st.sampled_from([1, EPOCH - 500, EPOCH + 1]),
    st.integers(0, 2**32),
)
def test_any_permutation_within_the_window_passes_once_each(
    window: int, first: int, seed: int
) -> None:
    """As many as the window has, or four hundred; then each once more, and none passes."""
    count = min(window, 400)
    form = association(SUITES[0], extended=True, first=first)
    sealed = OutboundProcessor([form]).process([EMPTY] * count, [0] * count)
    wire = [outcome.packets[0] for outcome in sealed]
    receiver, shuffler = InboundProcessor([form], window_packets=window), random.Random(seed)
    for expected in (Verdict.PASSED, Verdict.REPLAYED):
        shuffler.shuffle(wire)
        assert {outcome.verdict for outcome in receiver.process(wire)} == {expected}


def test_after_the_last_number_nothing_is_sent() -> None:
    """32 bits, or 64 with extended numbers: the next would be one that was used (§3.3.3)."""
    for extended, last in ((False, EPOCH - 1), (True, EPOCH**2 - 1)):
        form = association(SUITES[0], extended=extended, first=last)
        sender, receiver = OutboundProcessor([form]), InboundProcessor([form])
        sent, *refused = sender.process([EMPTY] * 3, [0] * 3)
        assert (sent.verdict, sent.sequence) == (Verdict.PASSED, last)
        assert {each.verdict for each in refused} == {Verdict.SEQUENCE_EXHAUSTED}
        assert {each.packets for each in refused} == {()}
        assert receiver.process(sent.packets)[0].sequence == last
