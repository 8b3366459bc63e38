"""The outbound classifier: policy, stream, SA, and who may have the next sequence number."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.model.burst import Burst
from saactors.model.packets import NO_SA
from saactors.model.sa import KEY_BYTES_MAX, SA, SALT_BYTES, SaTable
from saactors.model.selector import Action, Selector, Stream, selector_columns
from saactors.model.verdicts import Verdict
from saactors.streams.associations import ASSOCIATION
from saactors.streams.outbound import MEMO_PLACES, SHORT_SPD, OutboundClassifier
from saactors.streams.sa_maker import SaMaker, SaTemplate

LAST_32, LAST_64 = 2**32 - 1, 2**64 - 1


class Build(Protocol):
    """What these tests use of the fixture."""

    def burst(self, *packets: dict[str, object]) -> Burst:
        """A burst of packets."""
        ...


def classifier(
    spd: Sequence[Selector],
    *,
    sas_max: int = 1000,
    given_sas: Sequence[tuple[int, bool]] = (),
    pad_cut: bool = True,
) -> OutboundClassifier:
    """A classifier by ``spd``; given SAs as (first sequence number, ESN)."""
    sas = SaTable()
    records = np.zeros(len(given_sas), SA)
    records["extended_sequence"] = [extended for _, extended in given_sas]
    sas.add(records, np.zeros((len(given_sas), KEY_BYTES_MAX + SALT_BYTES), np.uint8))
    first = np.array([sequence for sequence, _ in given_sas], np.uint64)
    maker = SaMaker([SaTemplate()] * 3, seed=1)
    return OutboundClassifier(
        selector_columns(spd), sas, maker, sas_max=sas_max, first_sequences=first, pad_cut=pad_cut
    )


def to(
    network: str | None, action: Action = Action.PROTECT, source: str | None = None, **more: object
) -> Selector:
    """An entry for packets to a network; SAs are made per flow unless ``more`` says otherwise."""
    fields: dict[str, object] = {"stream": Stream.FLOW, **more}
    ends = [None if end is None else ip_network(end) for end in (source, network)]
    return Selector(*ends, action=action, **fields)  # type: ignore[arg-type]  # fields by name


def sas_of(burst: Burst) -> list[int]:
    """The SA of each packet."""
    sas: list[int] = burst.packets["sa"].tolist()
    return sas


def verdicts_of(burst: Burst) -> list[Verdict]:
    """The verdict on each packet."""
    return [Verdict(number) for number in burst.packets["verdict"]]


def test_the_first_entry_that_matches_decides(build: Build) -> None:
    """Bypass, discard, protect, or nothing that speaks of the packet (RFC 4301 §4.4.1)."""
    spd = [
        to("10.1.0.0/16", Action.BYPASS),
        to("10.1.2.0/24", Action.DISCARD),  # never reached
        to("10.2.0.0/16", Action.DISCARD),
        to("10.0.0.0/8"),
    ]
    burst = build.burst(
        *({"destination": end} for end in ("10.1.2.3", "10.2.0.1", "10.3.0.1", "192.0.2.9"))
    )
    assert classifier(spd).classify(burst) == range(1)
    assert verdicts_of(burst) == [
        Verdict.PASSED,
        Verdict.DISCARDED_BY_POLICY,
        Verdict.PASSED,
        Verdict.NO_POLICY,
    ]
    assert sas_of(burst) == [NO_SA, NO_SA, 0, NO_SA]
    assert burst.packets["order"].tolist() == [-1, -1, 0, -1]
    assert burst.sa_count == 1


def test_order_and_sequence_count_up_within_each_sa_over_all_bursts(build: Build) -> None:
    """Order from 0, sequence numbers from 1 (RFC 4303 §2.2), streams interleaved."""
    outbound = classifier([to(None)])
    web, bulk = {"destination_port": 80}, {"destination_port": 9}
    first, second = build.burst(web, bulk, web), build.burst(bulk, web, bulk)
    assert outbound.classify(first) == range(2)
    assert outbound.classify(second) == range(2, 2)
    columns = ["sa", "order", "sequence"]
    assert first.packets[columns].tolist() == [(0, 0, 1), (1, 0, 1), (0, 1, 2)]
    assert second.packets[columns].tolist() == [(1, 1, 2), (0, 2, 3), (1, 2, 3)]


def test_sas_are_made_for_what_the_entry_asks_for(build: Build) -> None:
    """The same four packets make four, two or one SA."""
    packets = [
        {"source": source, "destination_port": port}
        for source in ("10.0.0.1", "10.0.0.7")
        for port in (80, 443)
    ]
    made = {}
    for stream in (Stream.FLOW, Stream.HOST_PAIR, Stream.SUBNET):
        burst = build.burst(*packets)
        classifier([to(None, stream=stream)]).classify(burst)
        made[stream] = sas_of(burst)
    assert made == {
        Stream.FLOW: [0, 1, 2, 3],
        Stream.HOST_PAIR: [0, 0, 1, 1],
        Stream.SUBNET: [0, 0, 0, 0],
    }


def test_two_entries_never_share_an_sa_made_on_demand(build: Build) -> None:
    """Each has its own template, and a policy's traffic stays with the policy."""
    spd = [
        to(None, protocol=6, stream=Stream.HOST_PAIR),
        to(None, protocol=17, stream=Stream.HOST_PAIR, target=2),
    ]
    burst = build.burst({"protocol": 6}, {"protocol": 17}, {"protocol": 6})
    classifier(spd).classify(burst)
    assert sas_of(burst) == [0, 1, 0]


def test_each_sa_is_made_by_its_entrys_template(build: Build, maker: SaMaker) -> None:
    """Template 1 of the fixture is in transport mode."""
    sas = SaTable()
    spd = [to("10.1.0.0/16", target=1), to(None, target=0)]
    outbound = OutboundClassifier(
        selector_columns(spd), sas, maker, sas_max=9, first_sequences=np.zeros(0, np.uint64)
    )
    ends = ("10.0.0.9", "10.1.0.9", "10.0.0.8")
    outbound.classify(build.burst(*({"destination": end} for end in ends)))
    assert sas.records["mode"].tolist() == [0, 1, 0]


def test_a_given_sa_serves_its_whole_entry_from_its_first_sequence_number(build: Build) -> None:
    """It is nobody's news: only SAs that were made for the burst are announced."""
    spd = [to("10.1.0.0/16", stream=Stream.ENTRY, target=1), to(None)]
    outbound = classifier(spd, given_sas=[(1, False), (500, False)])
    burst = build.burst({"destination": "10.1.0.1"}, {}, {"destination": "10.1.9.9"})
    assert outbound.classify(burst) == range(2, 3)
    columns = ["sa", "order", "sequence"]
    assert burst.packets[columns].tolist() == [(1, 0, 500), (2, 0, 1), (1, 1, 501)]


@pytest.mark.parametrize(
    ("extended", "last"), [(False, LAST_32), (True, LAST_64)], ids=["32 bits", "ESN"]
)
def test_an_sa_stops_when_its_sequence_numbers_are_used_up(
    extended: bool, last: int, build: Build
) -> None:
    """The last number is used, none comes twice (RFC 4303 §3.3.3), and order has no gap."""
    spd = [to(None, stream=Stream.ENTRY)]
    outbound = classifier(spd, given_sas=[(last - 2, extended)])
    first, second = build.burst({}, {}), build.burst({}, {}, {})
    outbound.classify(first)
    outbound.classify(second)
    assert first.packets["sequence"].tolist() == [last - 2, last - 1]
    assert second.packets["sequence"][0] == last
    assert second.packets["order"].tolist() == [2, -1, -1]
    assert verdicts_of(second) == [Verdict.PASSED, *[Verdict.SEQUENCE_EXHAUSTED] * 2]
    assert sas_of(second) == [0, 0, 0]


def test_extended_numbers_go_on_beyond_32_bits(build: Build) -> None:
    """Where an SA without ESN has to stop."""
    outbound = classifier([to(None, stream=Stream.ENTRY)], given_sas=[(LAST_32, True)])
    burst = build.burst({}, {})
    outbound.classify(burst)
    assert burst.packets["sequence"].tolist() == [LAST_32, LAST_32 + 1]


def test_no_more_sas_are_made_than_there_may_be(build: Build) -> None:
    """Streams that have one keep it; the others are counted, again and again, and nothing grows."""
    outbound = classifier([to(None)], sas_max=3)
    streams = [{"destination_port": port} for port in range(1, 6)]
    burst = build.burst(*streams)
    assert outbound.classify(burst) == range(3)
    assert sas_of(burst) == [0, 1, 2, NO_SA, NO_SA]
    assert verdicts_of(burst) == [Verdict.PASSED] * 3 + [Verdict.SA_TABLE_FULL] * 2
    table = len(outbound.associations)
    for round_number in range(40):
        flood = build.burst(*({"source_port": 100 * round_number + port} for port in range(100)))
        outbound.classify(flood)
        assert set(verdicts_of(flood)) == {Verdict.SA_TABLE_FULL}
    again = build.burst(*streams)
    assert outbound.classify(again) == range(3, 3)
    assert sas_of(again) == [0, 1, 2, NO_SA, NO_SA]
    assert len(outbound.associations) == table


def test_more_given_sas_than_may_be_made_leave_no_room(build: Build) -> None:
    """``sas_max`` counts them all."""
    outbound = classifier([to(None)], sas_max=2, given_sas=[(1, False)] * 2)
    burst = build.burst({})
    assert outbound.classify(burst) == range(2, 2)
    assert verdicts_of(burst) == [Verdict.SA_TABLE_FULL]


@pytest.mark.parametrize("pad_cut", [True, False])
def test_a_packet_that_the_snap_length_cut_is_padded_or_dropped(
    pad_cut: bool, build: Build
) -> None:
    """Dropped, it takes no sequence number with it."""
    burst = build.burst({}, {"captured_bytes": 99}, {})
    classifier([to(None)], pad_cut=pad_cut).classify(burst)
    cut = Verdict.PASSED if pad_cut else Verdict.CUT_BY_SNAP_LENGTH
    assert verdicts_of(burst) == [Verdict.PASSED, cut, Verdict.PASSED]
    assert burst.packets["sequence"][2] == (3 if pad_cut else 2)


def test_what_the_reader_has_refused_stays_refused(build: Build) -> None:
    """It has no SA and takes no number."""
    burst = build.burst({"verdict": Verdict.MALFORMED_IP, "sa": 7, "order": 7}, {})
    classifier([to(None)]).classify(burst)
    assert verdicts_of(burst) == [Verdict.MALFORMED_IP, Verdict.PASSED]
    assert burst.packets[["sa", "order"]].tolist() == [(NO_SA, -1), (0, 0)]


def long_spd(extra: int) -> list[Selector]:
    """Entries that tell packets apart by every field, and ``extra`` more that match none of them.

    Which entry it was shows afterwards: each protects with a given SA of its own.
    """
    forms: list[dict[str, object]] = [
        {"network": "10.0.0.0/24", "source": "10.0.0.2/32"},
        {"network": "2001:db8::/64", "source": "2001:db8::2/128"},
        {"network": "10.0.0.3/32", "protocol": 6, "destination_ports": (80, 90)},
        {"network": "10.0.0.3/32", "protocol": 6},
        {"network": "10.0.0.2/31", "source_ports": (1000, 1001)},
        {"network": "10.0.0.0/24", "protocol": 17},
        {"network": "2001:db8::/126", "protocol": 6},
        {"network": "2001:db8::/64"},
    ]
    forms = [{"network": "172.16.0.0/12"}] * extra + forms
    return [
        to(**form, stream=Stream.ENTRY, target=target)  # type: ignore[arg-type]  # fields by name
        for target, form in enumerate(forms)
    ]


VALUES = {
    "protocol": [6, 17, 1],
    "source_port": [0, 1000, 1002],
    "destination_port": [0, 80, 90, 91],
}


@st.composite
def flows(draw: st.DrawFn) -> list[dict[str, object]]:
    """Packets of flows that mostly differ in one field, which ``long_spd`` tells apart."""
    ends = [f"10.0.0.{host}" for host in range(1, 6)]
    ends = draw(st.sampled_from([ends, [f"2001:db8::{host}" for host in range(1, 6)]]))
    values = {"source": ends, "destination": ends, **VALUES}
    first = {field: draw(st.sampled_from(choice)) for field, choice in values.items()}
    packets: list[dict[str, object]] = [first]
    for field in draw(st.lists(st.sampled_from(list(values)), max_size=12)):
        packets.append(packets[-1] | {field: draw(st.sampled_from(values[field]))})
    return packets


@settings(deadline=None, max_examples=150)
@given(traffic=flows())
def test_a_long_spd_that_is_remembered_decides_as_one_that_is_walked(
    traffic: list[dict[str, object]], build: Build
) -> None:
    """With eight entries more in front, which match nothing, answers come from the memo.

    It has one place here, so that every flow meets the one before it.
    """
    extra = SHORT_SPD
    short, long = long_spd(0), long_spd(extra)
    walked = classifier(short, given_sas=[(1, False)] * len(short))
    remembered = classifier(long, given_sas=[(1, False)] * len(long))
    remembered._memo = np.zeros(1, ASSOCIATION)
    expected, found = build.burst(*traffic), build.burst(*traffic)
    walked.classify(expected)
    remembered.classify(found)
    assert sas_of(found) == [sa if sa == NO_SA else sa + extra for sa in sas_of(expected)]
    assert verdicts_of(found) == verdicts_of(expected)
    assert found.packets["order"].tolist() == expected.packets["order"].tolist()


def test_the_memo_forgets_rather_than_grows_or_mixes_up(build: Build) -> None:
    """Twice as many flows as it has places, each asked for twice, all get their own policy."""
    spd = [to("172.16.0.0/12")] * SHORT_SPD
    spd += [to("10.0.0.0/9", Action.BYPASS), to("10.128.0.0/9", Action.DISCARD)]
    outbound = classifier(spd)
    flows = 2 * MEMO_PLACES
    burst = build.burst(*[{}] * 4096)
    addresses = np.arange(flows, dtype=np.uint64) * 97 % np.uint64(1 << 24)
    wanted: npt.NDArray[np.bool_] = addresses >= 1 << 23
    for _ in range(2):
        for start in range(0, flows, 4096):
            stretch = slice(start, start + 4096)
            burst.packets["destination_low"] = addresses[stretch] + np.uint64(0xFFFF_0A00_0000)
            burst.packets["verdict"] = Verdict.PASSED
            outbound.classify(burst)
            discarded = burst.packets["verdict"] == Verdict.DISCARDED_BY_POLICY
            assert (discarded == wanted[stretch]).all()


def test_a_version_6_packet_with_mapped_addresses_has_an_answer_of_its_own(build: Build) -> None:
    """In the memo as in the SPD: only the IP version tells it from the IPv4 packet before it."""
    spd = [to("172.16.0.0/12")] * SHORT_SPD + [to("10.0.0.0/8", Action.BYPASS)]
    burst = build.burst({}, {}, {})
    burst.packets["ip_version"][1] = 6
    classifier(spd).classify(burst)
    assert verdicts_of(burst) == [Verdict.PASSED, Verdict.NO_POLICY, Verdict.PASSED]


@settings(deadline=None, max_examples=30)
@given(sizes=st.lists(st.integers(1, 400), max_size=6))
def test_no_sequence_number_is_ever_given_twice(sizes: list[int], build: Build) -> None:
    """Whatever the bursts, also longer ones than usual: 1, 2, 3 … (law 2)."""
    outbound = classifier([to(None)])
    numbers: list[int] = []
    for size in sizes:
        burst = build.burst(*[{}] * size)
        outbound.classify(burst)
        numbers += burst.packets["sequence"].tolist()
    assert numbers == list(range(1, sum(sizes) + 1))
