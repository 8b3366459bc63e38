"""SAs that come and go while packets flow: found while they are there, and never mixed up."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from saactors.errors import ParameterError
from saactors.esp.association import Association
from saactors.esp.lifetime import Lifetime
from saactors.gateway.live_sa import LiveSa
from saactors.gateway.live_sas import LiveSas
from saactors.gateway.reserved_sequences import BLOCK, ReservedSequences
from saactors.model.burst import Burst, Component, Finished, Share
from saactors.model.packets import PACKET
from saactors.model.verdicts import Verdict
from saactors.scenario.tables import Policy
from saactors.streams.exit import Exit
from saactors.traces.decode import fill_packet
from saactors.traces.links import RAW

OURS, THEIRS = ip_address("192.0.2.1"), ip_address("198.51.100.1")
INSIDE, OTHER_SIDE = "10.1.0.1", "10.2.0.1"


class Kept:
    """A sink that keeps what leaves."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []

    def take(self, finished: Finished, positions: np.ndarray, _now_ns: int) -> None:
        """Keep these packets."""
        data = np.frombuffer(finished.data, np.uint8)
        for place in positions.tolist():
            start = int(finished.starts[place])
            self.packets.append(data[start : start + int(finished.lengths[place])].tobytes())


def association(spi: int, key: int, *, inbound: bool = False) -> Association:
    """An SA between us and them."""
    source, destination = (THEIRS, OURS) if inbound else (OURS, THEIRS)
    return Association(
        spi, "aes-gcm-128", key.to_bytes(20, "big"), source=source, destination=destination
    )


def inner_packet(number: int) -> bytes:
    """An IPv4 packet from the inside to the other side."""
    ends = ip_address(INSIDE).packed + ip_address(OTHER_SIDE).packed
    return bytes([0x45, 0, 0, 28, 0, number & 255, 0, 0, 64, 253, 0, 0]) + ends + bytes(8)


class Stage:
    """The SAs with an exit behind them; packets go through software at once."""

    def __init__(self, folder: str, sas_max: int = 64) -> None:
        self.numbers = ReservedSequences(folder)
        self.sas = LiveSas(self.numbers, sas_max)
        self.kept = Kept()
        self.leave = Exit(self.sas.windows, [self.kept], self.sas.lifetimes)
        self.crypto = self.sas.crypto()

    def add(self, name: str, spi: int, key: int, *, inbound: bool = False) -> LiveSa:
        """Add an SA while packets flow."""
        given = association(spi, key, inbound=inbound)
        [known] = self.sas.add([(name, "in" if inbound else "out", given)], 0, self.leave)
        return known

    def delete(self, known: LiveSa) -> None:
        """Delete one of which nothing is under way."""
        self.sas.begin_delete(known)
        self.sas.lead()
        assert self.sas.is_quiet(known, self.leave)
        self.crypto.forget(known.sa)
        self.leave.forget(known.sa)
        self.sas.end_delete([known])

    def through(self, packet: bytes, *, inbound: bool = False) -> tuple[Verdict, int, bytes]:
        """What becomes of a packet, whose SA it is, and what leaves."""
        packets, data = np.zeros(1, PACKET), np.frombuffer(packet, np.uint8)
        fill_packet(packets[0], data, 0, len(data), len(data), RAW, 0)
        burst = Burst(data, packets, 0, inbound=inbound)
        self.sas.classifier.classify(burst, 0)
        left, share = len(self.kept.packets), Share(burst, np.zeros(1, np.int32))
        if packets["verdict"][0] == Verdict.PASSED and packets["sa"][0] >= 0:
            self.leave.accept(self.crypto.process(share, Component.SOFTWARE), 0)
        else:
            self.leave.accept_unprocessed(share, 0)
        came = self.kept.packets[left:]
        return Verdict(int(packets["verdict"][0])), int(packets["sa"][0]), b"".join(came)


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """No SA yet, and one policy for what goes to the other side."""
    made = Stage(str(tmp_path_factory.mktemp("state")))
    network = ip_network("10.2.0.0/16")
    made.sas.policies.add(Policy.model_construct(action="protect", destination=network, sa="a"))
    made.sas.lead()
    yield made
    made.numbers.close()


def test_a_policy_without_its_sa_drops_until_there_is_one(stage: Stage) -> None:
    """IKE would be asked for one (RFC 4301 §4.4.1); who gives us ours is late."""
    assert stage.through(inner_packet(1))[0] is Verdict.NO_SA_YET
    known = stage.add("a", 0x1000, 1)
    assert stage.through(inner_packet(2))[:2] == (Verdict.PASSED, known.sa)
    stage.delete(known)
    assert stage.through(inner_packet(3))[0] is Verdict.NO_SA_YET


def test_the_newest_of_a_name_does_the_work_and_the_one_before_when_it_goes(stage: Stage) -> None:
    """Rekeying is adding; nothing else has to be told."""
    old, new = stage.add("a", 0x1000, 1), stage.add("a", 0x1001, 2)
    assert stage.through(inner_packet(1))[1] == new.sa
    stage.delete(new)
    assert stage.through(inner_packet(2))[1] == old.sa


def test_an_index_that_is_used_again_begins_anew(stage: Stage) -> None:
    """Keys, numbers, window and lifetime are the new SA's, whatever direction the old one had."""
    first = stage.add("a", 0x1000, 1)
    sealed = [stage.through(inner_packet(number))[2] for number in range(5)]
    stage.delete(first)
    second = stage.add("b", 0x1000, 1, inbound=True)
    assert second.sa == first.sa
    # The other end's gateway would have sealed these for us: same keys, other addresses.
    turned = [packet[:12] + packet[16:20] + packet[12:16] + packet[20:] for packet in sealed]
    opened = [stage.through(packet, inbound=True) for packet in turned]
    assert [(verdict, sa) for verdict, sa, _ in opened] == [(Verdict.PASSED, second.sa)] * 5
    assert [packet for _, _, packet in opened] == [inner_packet(number) for number in range(5)]
    assert stage.through(turned[0], inbound=True)[2] == b""
    assert stage.leave.drops == {"replayed": 1}
    stage.delete(second)
    third = stage.add("a", 0x2000, 3)
    assert third.sa == first.sa
    assert int.from_bytes(stage.through(inner_packet(9))[2][24:28], "big") == 1


def test_an_unknown_spi_is_known_as_soon_as_its_sa_is_there(stage: Stage) -> None:
    """That nobody knew it is not remembered beyond that."""
    out = stage.add("a", 0x1000, 1)
    sealed = stage.through(inner_packet(1))[2]
    turned = sealed[:12] + sealed[16:20] + sealed[12:16] + sealed[20:]
    stage.delete(out)
    assert stage.through(turned, inbound=True)[0] is Verdict.UNKNOWN_SPI
    stage.add("in", 0x1000, 1, inbound=True)
    assert stage.through(turned, inbound=True)[2] == inner_packet(1)


def test_two_outbound_sas_never_share_a_key(stage: Stage) -> None:
    """They would use IVs twice (RFC 4106 §2); all of a batch are refused, or none."""
    stage.add("a", 0x1000, 1)
    with pytest.raises(ParameterError, match="a key that no other outbound SA has"):
        stage.add("b", 0x1001, 1)
    batch = [("c", "out", association(0x1002, 2)), ("d", "out", association(0x1003, 2))]
    with pytest.raises(ParameterError, match="that of another SA for d"):
        stage.sas.add(batch, 0, stage.leave)  # type: ignore[arg-type]  # "out" is a Direction
    assert len(stage.sas) == 1
    with pytest.raises(ParameterError, match="an SA that is not there yet"):
        stage.add("e", 0x1000, 5)


def test_a_key_that_comes_back_goes_on_counting(stage: Stage) -> None:
    """Law 2: deleted and added again, it sends the next number and no other."""
    known = stage.add("a", 0x1000, 1)
    for number in range(3):
        stage.through(inner_packet(number))
    stage.delete(known)
    stage.add("a", 0x1001, 1)
    assert int.from_bytes(stage.through(inner_packet(9))[2][24:28], "big") == 4


def test_numbers_are_reserved_before_they_run_out(stage: Stage) -> None:
    """Half a block before its end the next one is on disk."""
    known = stage.add("a", 0x1000, 1)
    assert known.last == BLOCK
    stage.sas.classifier.outbound.open_sa(known.sa, BLOCK // 2 + 2, BLOCK, 0)
    stage.sas.top_up()
    assert known.last == 2 * BLOCK
    assert stage.sas.classifier.outbound.running_low(BLOCK // 2) == []


def test_a_limit_of_one_sa_is_not_the_next_one_s(stage: Stage) -> None:
    """Lifetimes go with the SA and not with the index."""
    limited = Association(
        0x1000, "aes-gcm-128", bytes(19) + b"\1", source=OURS, destination=THEIRS,
        lifetime=Lifetime(hard_packets=1),
    )  # fmt: skip
    [known] = stage.sas.add([("a", "out", limited)], 0, stage.leave)
    verdicts = [stage.through(inner_packet(number))[0] for number in range(2)]
    assert verdicts == [Verdict.PASSED, Verdict.LIFETIME_EXPIRED]
    stage.delete(known)
    assert stage.add("a", 0x1001, 2).sa == known.sa
    assert [stage.through(inner_packet(number))[0] for number in range(3)] == [Verdict.PASSED] * 3


def test_a_path_s_mtu_is_believed_down_to_what_every_path_takes(stage: Stage) -> None:
    """And only for the SAs that go there."""
    known = stage.add("a", 0x1000, 1)
    for told, believed in ((1300, 1300), (1400, 1300), (100, 576)):
        stage.sas.learn_path_mtu(THEIRS, told)
        assert stage.sas.table.records["path_mtu_bytes"][known.sa] == believed
    other = Association(
        0x1001, "aes-gcm-128", bytes(20), source=OURS, destination=ip_address("198.51.100.9")
    )
    [elsewhere] = stage.sas.add([("b", "out", other)], 0, stage.leave)
    assert stage.sas.table.records["path_mtu_bytes"][elsewhere.sa] == 0


class ComingAndGoing(RuleBasedStateMachine):
    """SAs are added and deleted in any order, beside a list of those that should be there."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.stage = Stage(self.folder.name)
        self.there: dict[int, LiveSa] = {}
        self.keys = self.most = 0

    @rule(inbound=st.booleans(), name=st.sampled_from("abc"))
    def add(self, inbound: bool, name: str) -> None:
        """One more, in a row that nobody has."""
        self.keys += 1
        known = self.stage.add(name, 0x1000 + self.keys, self.keys, inbound=inbound)
        assert known.sa not in self.there
        self.there[known.sa] = known
        self.most = max(self.most, len(self.there))

    @precondition(lambda self: self.there)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        """One of those that are there."""
        self.stage.delete(self.there.pop(data.draw(st.sampled_from(sorted(self.there)))))

    @invariant()
    def what_is_there_is_found_and_nothing_else(self) -> None:
        """No more rows than were ever needed at once, and no key in a free one."""
        sas = self.stage.sas
        assert {known.sa: known for known in sas} == self.there
        assert len(sas) == len(self.there)
        assert sas.rows == self.most
        assert all(sas.find(known.spi) is known for known in self.there.values())
        gone = [row for row in range(sas.rows) if row not in self.there]
        assert not sas.table.keys[gone].any()

    def teardown(self) -> None:
        """Close what the run has opened."""
        self.stage.numbers.close()
        self.folder.cleanup()


TestComingAndGoing = ComingAndGoing.TestCase
TestComingAndGoing.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
