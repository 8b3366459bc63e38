"""Traces for the Perfetto viewer: what they show, and that they keep its rules.

The viewer's own importer is no Python package, so the rules that it warns about are held here
against the file as Protocol Buffers read it: see ``Trace``.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as messages

from saactors.observe import events
from saactors.observe.events import Event
from saactors.observe.perfetto import PerfettoWriter
from saactors.observe.perfetto_tracks import INTERNED_MAX, LANES_MAX

DECISION = (9.0, 1.0, 5.0, 1200.0, 14_400.0, "metric 9 ≥ lowest 1 + threshold 5")
_Kind = messages.TrackEvent


class Trace:
    """A trace, read again; reading fails where it breaks one of the viewer's rules.

    Tracks are declared before they are used, once, and under a declared parent. A sequence clears
    its state first, and its times never go back. Names by number have been told in that sequence.
    What ends has begun, and everything ends. Counters alone have values, and slices never.
    """

    def __init__(self, octets: bytes) -> None:
        self.slices: defaultdict[str, list[tuple[int, int, str]]] = defaultdict(list)
        self.instants: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
        self.counts: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
        self.details: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        self.flows: defaultdict[int, list[str]] = defaultdict(list)
        self.rows: defaultdict[str, set[int]] = defaultdict(set)
        self.parents: dict[int, int] = {}
        self._paths: dict[int, str] = {}
        self._counters: set[int] = set()
        self._last_ns: dict[int, int] = {}
        self._known: defaultdict[int, dict[tuple[str, int], str]] = defaultdict(dict)
        self._open: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
        trace = messages.Trace()
        trace.ParseFromString(octets)
        for packet in trace.packet:
            self._read(packet)
        assert not any(self._open.values())

    def _read(self, packet: Any) -> None:
        sequence = packet.trusted_packet_sequence_id
        assert sequence > 0
        if packet.sequence_flags & packet.SEQ_INCREMENTAL_STATE_CLEARED:
            self._last_ns[sequence] = 0
            self._known[sequence].clear()
        else:
            assert sequence in self._last_ns
        for table in ("event_names", "debug_annotation_names"):
            for entry in getattr(packet.interned_data, table):
                assert 0 < entry.iid <= INTERNED_MAX
                assert (table, entry.iid) not in self._known[sequence]
                self._known[sequence][table, entry.iid] = entry.name
        if packet.HasField("track_descriptor"):
            self._declare(packet.track_descriptor)
        if packet.HasField("track_event"):
            assert packet.timestamp >= self._last_ns[sequence]
            self._last_ns[sequence] = packet.timestamp
            self._happen(packet.track_event, packet.timestamp, self._known[sequence])

    def _declare(self, track: Any) -> None:
        assert track.uuid not in self._paths
        assert track.uuid > 0
        path = track.name
        if track.HasField("parent_uuid"):
            assert track.parent_uuid not in self._counters
            path = f"{self._paths[track.parent_uuid]}/{track.name}"
            self.parents[track.uuid] = track.parent_uuid
        self._paths[track.uuid] = path
        self.rows[path].add(track.uuid)
        if track.HasField("counter"):
            self._counters.add(track.uuid)

    def _happen(self, event: Any, time_ns: int, known: dict[tuple[str, int], str]) -> None:
        track = event.track_uuid
        path = self._paths[track].removeprefix("saactors/")
        name = known["event_names", event.name_iid] if event.name_iid else event.name
        assert (track in self._counters) == (event.type == _Kind.TYPE_COUNTER)
        if event.type == _Kind.TYPE_COUNTER:
            integral = event.HasField("counter_value")
            value = event.counter_value if integral else event.double_counter_value
            self.counts[path].append((time_ns, value))
        elif event.type == _Kind.TYPE_INSTANT:
            self.instants[path].append((time_ns, name))
        elif event.type == _Kind.TYPE_SLICE_BEGIN:
            assert name
            self._open[track].append((time_ns, name))
            for flow in event.flow_ids:
                self.flows[flow].append(f"{path}: {name}")
        else:
            assert event.type == _Kind.TYPE_SLICE_END
            began_ns, name = self._open[track].pop()
            self.slices[path].append((began_ns, time_ns, name))
        for entry in event.debug_annotations:
            key = known["debug_annotation_names", entry.name_iid]
            self.details[name][key] = getattr(entry, str(entry.WhichOneof("value")))


def traced(told: Iterable[Event], held: Iterable[tuple[int, int, int]] = ()) -> Trace:
    """The trace of these events, checked."""
    file = io.BytesIO()
    writer = PerfettoWriter(file)
    for sa, spi, time_ns in held:
        writer.hold(sa, spi, time_ns)
    for event in told:
        writer.write(event)
    writer.close()
    return Trace(file.getvalue())


def issued(time_ns: int, sa: int, victim: int | None = None) -> events.LoadIssued:
    victim_spi = None if victim is None else 0x1000 + victim
    return events.LoadIssued(time_ns, sa, 0x1000 + sa, victim, victim_spi, *DECISION)


def test_every_kind_of_event_has_its_place(one_of_each: list[Event]) -> None:
    """And nothing lands among what is not known."""
    trace = traced(one_of_each)
    assert "run/other" not in trace.instants
    assert trace.instants["run/run"] == [
        (0, "run started"),
        (19, "rule changed"),
        (19, "logged"),
        (20, "run ended"),
    ]
    assert trace.instants["run/drops"] == [(7, "unknown_spi")]
    assert trace.instants["run/SAs"] == [
        (5, "sa added"), (6, "soft lifetime reached"), (19, "sa deleted"), (19, "sa pinned"),
    ]  # fmt: skip
    assert trace.instants["card/events"] == [
        (14, "load refused"), (15, "load lost"), (16, "card reset"), (19, "card resized"),
    ]  # fmt: skip
    assert trace.slices["actors/keeper"] == [(18, 19, "burst 1")]
    assert trace.counts["edges/arbiter_nic"] == [(19, 3)]
    assert trace.counts["metrics/0x00000099 (SA 1)"] == [(19, 12.5)]
    assert trace.slices["packets/packet 1"] == [(19, 19, "arbiter: nic")]
    assert trace.counts["run/packets software"] == [(10, 4)]
    assert trace.details["run started"]["parameters.threshold"] == 500.0


def test_a_load_is_a_loading_slice_and_then_a_resident_one() -> None:
    """In the lowest free slot, or in that of the SA that it replaces."""
    trace = traced([
        issued(10, 0), issued(11, 1), events.Loaded(20, 0, 10), events.Loaded(21, 1, 10),
        issued(30, 2, victim=0), events.Evicted(30, 0, 2, *DECISION), events.Loaded(40, 2, 10),
        events.RunEnded(50, *[0] * 10),
    ])  # fmt: skip
    assert trace.slices["card/slots/slot 0"] == [
        (10, 20, "loading 0x00001000"), (20, 30, "0x00001000"),
        (30, 40, "loading 0x00001002"), (40, 50, "0x00001002"),
    ]  # fmt: skip
    assert trace.slices["card/slots/slot 1"] == [
        (11, 21, "loading 0x00001001"), (21, 50, "0x00001001"),
    ]  # fmt: skip
    assert trace.counts["card/residents"] == [(20, 1), (21, 2), (30, 1), (40, 2)]
    assert trace.counts["card/loading"] == [(10, 1), (11, 2), (20, 1), (21, 0), (30, 1), (40, 0)]
    assert trace.details["0x00001000"]["reason"] == DECISION[-1]


@pytest.mark.parametrize(
    "end",
    [events.LoadLost(25, 0, 15), events.CardReset(25, 1), events.SaDeleted(25, 0, 0x1000, "asked"),
     events.Evicted(25, 0, None, *DECISION)],
)  # fmt: skip
def test_a_slot_is_free_again_however_its_sa_left(end: Event) -> None:
    """Loads that came to nothing included."""
    trace = traced([issued(10, 0), end, issued(30, 1), events.Loaded(40, 1, 10)])
    assert "saactors/card/slots/slot 1" not in trace.rows
    assert trace.slices["card/slots/slot 0"][0] == (10, 25, "loading 0x00001000")
    assert trace.counts["card/residents"] == [(40, 1)]


def test_a_trace_that_begins_later_knows_who_was_there() -> None:
    """Told, or learnt when a load ends of which it had not heard."""
    trace = traced(
        [events.Loaded(30, 4, 20), events.Evicted(40, 7, 4, *DECISION)], held=[(7, 0x77, 25)]
    )
    assert trace.slices["card/slots/slot 0"] == [(25, 40, "0x00000077")]
    assert trace.slices["card/slots/slot 1"] == [(10, 30, "loading SA 4"), (30, 40, "SA 4")]


def test_bursts_that_overlap_lie_in_rows_of_one_name() -> None:
    """And a burst's slices are connected over the actors."""
    trace = traced([
        events.BurstHandled(10, "nic", 0, 5, 2), events.BurstHandled(12, "nic", 1, 5, 5),
        events.BurstHandled(14, "nic", 2, 5, 10), events.BurstHandled(15, "egress", 0, 5, 15),
    ])  # fmt: skip
    assert len(trace.rows["saactors/actors/nic"]) == 2
    assert sorted(trace.slices["actors/nic"]) == [
        (2, 10, "burst 0"), (5, 12, "burst 1"), (10, 14, "burst 2"),
    ]  # fmt: skip
    assert trace.flows[1] == ["actors/nic: burst 0", "actors/egress: burst 0"]


def test_a_packet_s_steps_follow_each_other() -> None:
    """From what was decided last to what is decided now."""
    trace = traced([
        events.PacketTraced(10, 3, "source", None, None, "60 bytes"),
        events.PacketTraced(14, 3, "keeper", 1, 0x99, "metric 4"),
    ])  # fmt: skip
    assert trace.slices["packets/packet 3"] == [
        (10, 10, "source: 60 bytes"), (10, 14, "keeper: metric 4"),
    ]  # fmt: skip
    assert trace.details["keeper: metric 4"] == {"sa": 1, "spi": "0x00000099"}


def test_lost_events_are_told_where_they_are_missing() -> None:
    """At the time of the event before."""
    file = io.BytesIO()
    writer = PerfettoWriter(file)
    writer.write(events.Loaded(30, 4, 20))
    writer.lose(17)
    writer.close()
    trace = Trace(file.getvalue())
    assert trace.instants["run/lost"] == [(30, "events lost")]
    assert trace.details["events lost"] == {"count": 17}


def test_rows_are_bounded_and_what_has_none_is_counted() -> None:
    """A million sampled SAs are no million tracks (law 9)."""
    samples = [events.MetricSampled(sa, sa, 256 + sa, 1.0) for sa in range(1500)]
    bursts = [events.BurstHandled(10_000, "nic", number, 1, number) for number in range(200)]
    trace = traced([*samples, *bursts])
    assert len(trace.counts) == 1024
    assert trace.details["events without a track"] == {"count": 476}
    assert len(trace.rows["saactors/actors/nic"]) == LANES_MAX
    assert len(trace.slices["actors/nic"]) == 200


def test_names_are_numbered_up_to_a_bound_and_written_out_beyond() -> None:
    """Every burst has a name of its own, and runs go on for weeks (law 9)."""
    count = INTERNED_MAX + 100
    trace = traced(events.BurstHandled(n, "nic", n, 1, n) for n in range(count))
    assert [name for _, _, name in trace.slices["actors/nic"]] == [
        f"burst {n}" for n in range(count)
    ]


times = st.integers(0, 60)
sas = st.integers(0, 5)
some_event = st.one_of(
    st.builds(issued, times, sas, st.none() | sas),
    st.builds(events.Loaded, times, sas, times),
    st.builds(events.LoadLost, times, sas, times),
    st.builds(events.CardReset, times, sas),
    st.builds(lambda time_ns, sa: events.Evicted(time_ns, sa, None, *DECISION), times, sas),
    st.builds(events.SaDeleted, times, sas, st.just(256), st.just("asked")),
    st.builds(events.BurstHandled, times, st.sampled_from(["nic", "software_1"]), sas, sas, times),
    st.builds(events.EdgeWaited, times, st.just("arbiter_nic"), times),
    st.builds(events.PacketTraced, times, sas, st.just("nic"), sas, sas, st.just("done")),
)


@given(st.lists(some_event, max_size=60))
def test_whatever_happens_in_whatever_order_the_trace_keeps_the_viewer_s_rules(
    told: list[Event],
) -> None:
    """Times that go back, loads that end twice, evictions of SAs that were never there."""
    trace = traced(told)
    for path in ("card/residents", "card/loading"):
        assert all(0 <= value <= 6 for _, value in trace.counts[path])
