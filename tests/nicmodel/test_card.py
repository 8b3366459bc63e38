"""The card, command by command: what it takes, when it is done, what it reports."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from nicmodel.card import Card
from nicmodel.faults import FaultPlan, Stall
from nicmodel.presets import PROFILES
from nicmodel.profile import CardProfile, customised
from nicmodel.reports import NO_HANDLE, CardEvent, Refusal, Report
from nicmodel.residency import Residency


def profile(**changes: object) -> CardProfile:
    """Two slots; a load takes 1000 ns, a packet of 100 bytes 100 ns; one load may wait."""
    figures: dict[str, Any] = {
        "slots_max": 2,
        "load_latency_ns": 1000,
        "load_timeout_ns": 5000,
        "loads_at_once": 1,
        "load_queue_max": 1,
        "engine_packet_ns": 0,
        "engine_byte_ns": 1,
        "engine_queue_packets_max": 4,
        **changes,
    }
    return customised(PROFILES["82599"], **figures)


def resident_card(*handles: int, faults: FaultPlan | None = None, **changes: object) -> Card:
    """A card at 10 000 ns with these handles loaded and reported."""
    card = Card(profile(**changes), faults or FaultPlan(), np.random.default_rng(1))
    for handle in handles:
        card.load(handle, None, 0 if handle == handles[0] else card.load_room_ns(0))
    card.handle_time(10_000)
    assert card.residents().tolist() == sorted(handles)
    reports(card)
    return card


def reports(card: Card) -> list[CardEvent]:
    """Everything the card has to say by now."""
    said = []
    while (event := card.poll_completion()) is not None:
        said.append(event)
    return said


def burst(*handles: int, length: int = 100) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Packets of 100 bytes, one per handle."""
    return np.array(handles, np.int32), np.full(len(handles), length, np.int32)


def test_a_load_makes_its_handle_resident_after_the_latency() -> None:
    """The ticket, the deadline and the report agree on the instant."""
    card = Card(profile())
    ticket = card.load(5, None, 200)
    assert ticket.accepted
    assert ticket == (None, Report.LOADED, 200, 1200)
    assert card.next_deadline_ns() == 1200
    card.handle_time(1199)
    assert card.residency(5) == Residency.LOADING
    assert card.poll_completion() is None
    card.handle_time(1200)
    assert card.residency(5) == Residency.RESIDENT
    assert reports(card) == [CardEvent(Report.LOADED, 5, NO_HANDLE, 1200)]
    assert card.next_deadline_ns() is None


def test_loads_beyond_the_units_wait_their_turn() -> None:
    """One unit: the second load starts when the first is done."""
    card = Card(profile())
    assert card.load(0, None, 0).done_ns == 1000
    assert card.load(1, None, 100)[2:] == (1000, 2000)
    assert card.load_room == 0
    assert card.load_room_ns(100) == 1000
    card.handle_time(1000)
    assert card.load_room == 1
    assert card.load_room_ns(1000) == 1000


def test_loads_run_side_by_side_on_as_many_units_as_there_are() -> None:
    """Two units: both loads start at once."""
    card = Card(profile(loads_at_once=2))
    assert card.load(0, None, 0).done_ns == 1000
    assert card.load(1, None, 100).done_ns == 1100


def test_a_load_is_refused_by_name_and_changes_nothing() -> None:
    """Each reason in turn; a refused load leaves slots, states and the victim alone."""
    card = resident_card(0, 1, load_queue_max=0)
    assert card.load(2, None, 10_000).reason == Refusal.NO_FREE_SLOT
    assert card.load(2, 7, 10_000).reason == Refusal.VICTIM_NOT_RESIDENT
    assert card.load(0, 1, 10_000).reason == Refusal.HANDLE_NOT_ABSENT
    assert card.residents().tolist() == [0, 1]
    assert card.load(2, 0, 10_000).accepted
    refused = card.load(3, 1, 10_000)
    assert refused == (Refusal.LOAD_QUEUE_FULL, None, 10_000, 10_000)
    assert not refused.accepted
    assert card.residency(1) == Residency.RESIDENT
    assert card.residency(3) == Residency.ABSENT
    assert card.statistics().loads_refused == {
        "handle_not_absent": 1,
        "load_queue_full": 1,
        "victim_not_resident": 1,
        "no_free_slot": 1,
        "fault": 0,
    }


def test_a_victim_leaves_when_its_last_packet_has_and_the_fetch_waits_for_it() -> None:
    """Law 4: three packets in flight keep the victim EVICTING for 300 ns."""
    card = resident_card(0, 1)
    card.submit(*burst(0, 0, 0), 10_000)
    ticket = card.load(9, 0, 10_000)
    assert (ticket.started_ns, ticket.done_ns) == (10_300, 11_300)
    assert card.residency(0) == Residency.EVICTING
    assert card.residency(9) == Residency.LOADING
    assert card.submit(*burst(0, 9, 1), 10_100).refused_rows.tolist() == [0, 1]
    card.handle_time(10_300)
    assert card.residency(0) == Residency.ABSENT
    assert card.slots_free == 0
    card.handle_time(11_300)
    assert reports(card) == [
        CardEvent(Report.EVICTED, 0, NO_HANDLE, 10_300),
        CardEvent(Report.LOADED, 9, 0, 11_300),
    ]
    assert card.residents().tolist() == [1, 9]


def test_an_idle_victim_makes_room_at_once() -> None:
    """Packets that left long ago keep nobody."""
    card = resident_card(0, 1)
    card.submit(*burst(0), 10_000)
    assert card.load(9, 0, 20_000).started_ns == 20_000


def test_an_eviction_frees_the_slot_when_it_has_drained() -> None:
    """Of other handles' packets it takes no notice."""
    card = resident_card(0, 1)
    card.submit(*burst(0, 1), 10_000)
    assert card.evict(0, 10_000) == 10_100
    assert card.evict(0, 10_050) is None
    assert card.slots_free == 0
    card.handle_time(10_100)
    assert card.slots_free == 1
    assert card.resident_count == 1
    assert reports(card) == [CardEvent(Report.EVICTED, 0, NO_HANDLE, 10_100)]
    assert card.load(0, None, 10_100).accepted


def test_a_lost_load_holds_its_slot_until_the_driver_gives_up() -> None:
    """The command's fetch ends after the latency, the driver waits the timeout."""
    card = Card(profile(), FaultPlan(load_lost_probability=1.0), generator=np.random.default_rng(0))
    ticket = card.load(0, None, 0)
    assert (ticket.outcome, ticket.done_ns) == (Report.LOST, 5000)
    assert card.load(1, None, 0).started_ns == 1000
    card.handle_time(4999)
    assert card.slots_free == 0
    card.handle_time(5000)
    assert card.residency(0) == Residency.ABSENT
    assert card.slots_free == 1
    assert reports(card) == [CardEvent(Report.LOST, 0, NO_HANDLE, 5000)]
    statistics = card.statistics()
    assert (statistics.loads, statistics.loaded, statistics.lost) == (2, 0, 1)
    assert statistics.loads_outstanding == 1


def test_a_load_slower_than_the_drivers_patience_is_lost() -> None:
    """With a wide distribution some loads outlast the timeout, and their units that long."""
    wide = profile(
        load_timeout_ns=1000, load_latency_distribution="uniform", load_latency_shape=1.0
    )
    card = Card(wide, generator=np.random.default_rng(5))
    outcomes = []
    for handle in range(200):
        now_ns = handle * 10_000
        ticket = card.load(handle, None, now_ns)
        outcomes.append(ticket.outcome)
        assert ticket.done_ns <= now_ns + 1000
        assert (ticket.done_ns == now_ns + 1000) == (ticket.outcome == Report.LOST)
        card.handle_time(now_ns + 5000)
        card.evict(handle, now_ns + 5000)
    assert 60 < outcomes.count(Report.LOST) < 140
    # Half the fetches are cut off at 1000 ns, the others take 500 on average.
    assert card.statistics().loader_busy_ns == pytest.approx(200 * 750, rel=0.1)


def test_a_fault_refuses_a_load_that_the_card_could_take() -> None:
    """The victim stays."""
    card = Card(profile(), FaultPlan(load_refused_probability=1.0), np.random.default_rng(0))
    assert card.load(0, None, 0).reason == Refusal.FAULT
    assert card.residency(0) == Residency.ABSENT
    assert card.slots_free == 2


def test_an_engine_that_stalls_while_loading_serves_before_or_after_the_fetch() -> None:
    """Packets submitted before the command go first, packets submitted after it wait."""
    card = resident_card(0, load_blocks_engine=True)
    assert card.submit(*burst(0, 0), 10_000).finish_ns == 10_200
    assert card.load(1, None, 10_050)[2:] == (10_200, 11_200)
    assert card.submit(*burst(0), 10_100).finish_ns == 11_300


def test_an_engine_that_does_not_stall_serves_during_a_fetch() -> None:
    """The default: loads and packets do not meet."""
    card = resident_card(0)
    card.load(1, None, 10_000)
    assert card.submit(*burst(0), 10_100).finish_ns == 10_200


def test_fetches_on_a_stalling_card_still_run_side_by_side() -> None:
    """A fetch waits for packets, not for another fetch."""
    card = resident_card(0, slots_max=3, loads_at_once=2, load_blocks_engine=True)
    card.load(1, None, 10_000)
    assert card.load(2, None, 10_400)[2:] == (10_400, 11_400)
    assert card.submit(*burst(0), 10_500).finish_ns == 11_500


def test_a_full_engine_says_from_when_on_it_takes_more() -> None:
    """Four places; submitting before one is free is the driver's defect."""
    card = resident_card(0)
    card.submit(*burst(0, 0, 0, 0), 10_000)
    assert card.engine_room_ns(10_000) == 10_100
    assert card.engine_queue_packets(10_000) == 4
    with pytest.raises(AssertionError, match="engine_room_ns"):
        card.submit(*burst(0), 10_099)
    assert card.submit(*burst(0), 10_100).finish_ns == 10_500
    assert card.engine_room_ns(20_000) == 20_000
    assert card.engine_queue_packets(20_000) == 0


def test_an_empty_burst_is_done_at_once() -> None:
    """Nothing to wait for."""
    card = resident_card(0)
    submission = card.submit(*burst(), 10_000)
    assert (submission.finish_ns, submission.accepted) == (10_000, 0)
    assert card.is_done(submission, 10_000)


def test_a_planned_stall_holds_packets_back() -> None:
    """The engine's fault; loads go on."""
    card = resident_card(0, faults=FaultPlan(stalls=(Stall(10_000, 500),)))
    assert card.submit(*burst(0), 10_100).finish_ns == 10_600
    assert card.load(1, None, 10_100).started_ns == 10_100


def test_bits_flip_in_accepted_packets_only() -> None:
    """A refused packet never reaches the card's crypto, so the two others are rows 0 and 1."""
    card = resident_card(0, faults=FaultPlan(bit_flip_probability=1.0))
    handles, lengths = np.array([0, 7, 0], np.int32), np.array([20, 1500, 30], np.int32)
    submission = card.submit(handles, lengths, 10_000)
    assert submission.flipped_rows.tolist() == [0, 1]
    assert (submission.flipped_bits < [160, 240]).all()
    assert card.statistics().packets_flipped == 2


def test_a_reset_forgets_everything_and_reports_every_command() -> None:
    """Loads are lost, evictions are over, residents are gone; the card then works on."""
    card = resident_card(0, 1, 2, slots_max=4, load_queue_max=3)
    card.submit(*burst(0, 1), 10_000)
    card.evict(1, 10_000)
    card.load(8, None, 10_000)
    card.load(9, 0, 10_000)
    card.reset(10_050)
    assert reports(card) == [
        CardEvent(Report.EVICTED, 1, NO_HANDLE, 10_050),
        CardEvent(Report.LOST, 8, NO_HANDLE, 10_050),
        CardEvent(Report.EVICTED, 0, NO_HANDLE, 10_050),
        CardEvent(Report.LOST, 9, 0, 10_050),
        CardEvent(Report.RESET, NO_HANDLE, NO_HANDLE, 10_050),
    ]
    assert card.residents().tolist() == []
    assert card.slots_free == 4
    assert card.next_deadline_ns() is None
    assert card.load(0, None, 10_050).done_ns == 11_050
    card.handle_time(11_050)
    assert card.evict(0, 11_050) == 11_050
    statistics = card.statistics()
    assert (statistics.lost, statistics.resets) == (2, 1)
    assert (statistics.evictions, statistics.evicted) == (3, 2)


def test_packets_in_the_engine_at_a_reset_are_not_done() -> None:
    """Law 5: their driver encrypts them in software; those that had left are done."""
    card = resident_card(0)
    left = card.submit(*burst(0), 10_000)
    caught = card.submit(*burst(0), 10_050)
    assert not card.is_done(left, 10_099)
    assert card.is_done(left, 10_100)
    card.reset(10_150)
    assert card.is_done(left, 20_000)
    assert caught.finish_ns == 10_200
    assert not card.is_done(caught, 20_000)


def test_a_reset_card_starts_with_an_idle_engine() -> None:
    """Nothing of what was in flight delays a packet or an eviction afterwards."""
    card = resident_card(0, load_latency_ns=10)
    card.submit(*burst(0, 0, 0, 0), 10_000)
    card.reset(10_050)
    assert card.engine_queue_packets(10_050) == 0
    assert card.engine_room_ns(10_050) == 10_050
    card.load(0, None, 10_050)
    card.handle_time(10_060)
    assert card.evict(0, 10_060) == 10_060
    card.load(1, None, 10_060)
    assert card.submit(*burst(1), 10_070).finish_ns == 10_170


def test_a_later_reset_does_not_undo_what_an_earlier_one_left_alone() -> None:
    """The first reset after the submission decides, for good or ill."""
    card = resident_card(0)
    left = card.submit(*burst(0), 10_000)
    caught = card.submit(*burst(0), 10_000)
    card.reset(10_100)
    card.reset(10_300)
    assert card.is_done(left, 10_300)
    assert not card.is_done(caught, 10_300)


def test_planned_resets_come_by_themselves_and_before_all_else_at_their_instant() -> None:
    """A load that would be done just then is lost."""
    card = Card(profile(), FaultPlan(resets_ns=(3000, 1000, 3000)))
    card.load(0, None, 0)
    assert card.next_deadline_ns() == 1000
    card.handle_time(5000)
    assert [(event.kind, event.time_ns) for event in reports(card)] == [
        (Report.LOST, 1000),
        (Report.RESET, 1000),
        (Report.RESET, 3000),
    ]


def test_time_never_runs_backwards() -> None:
    """Whoever goes back has mixed up two clocks."""
    card = Card(profile())
    card.handle_time(100)
    with pytest.raises(AssertionError, match="100 to 99 ns"):
        card.handle_time(99)


def test_chance_without_a_generator_is_a_defect() -> None:
    """The caller owns the seed."""
    with pytest.raises(AssertionError, match="generator"):
        Card(profile(load_latency_distribution="exponential"))
    with pytest.raises(AssertionError, match="generator"):
        Card(profile(), FaultPlan(bit_flip_probability=0.5))


def test_a_negative_handle_is_a_defect() -> None:
    """NO_HANDLE is not a handle."""
    with pytest.raises(AssertionError, match="-1"):
        Card(profile()).load(NO_HANDLE, None, 0)


def test_statistics_count_packets_bytes_and_busy_times() -> None:
    """Service times of 3 packets, fetch times of 2 loads, 20 bytes a context."""
    card = resident_card(0, 1)
    card.submit(*burst(0, 5, 1, 0), 10_000)
    statistics = card.statistics()
    assert (statistics.packets, statistics.packets_refused, statistics.bytes) == (3, 1, 300)
    assert (statistics.engine_busy_ns, statistics.loader_busy_ns) == (300, 2000)
    assert (statistics.loaded, statistics.fetched_bytes) == (2, 40)


@pytest.mark.parametrize("preset", PROFILES.values(), ids=lambda preset: preset.name)
def test_every_preset_fills_its_cache_and_no_more(preset: CardProfile) -> None:
    """Slots are slots; one load more finds none free."""
    card, now_ns = Card(preset), 0
    for handle in range(preset.slots_max):
        now_ns = card.load_room_ns(now_ns)
        assert card.load(handle, None, now_ns).accepted
    now_ns += 10 * 60 * 1_000_000_000
    card.handle_time(now_ns)
    assert card.resident_count == preset.slots_max
    assert card.load(preset.slots_max, None, now_ns).reason == Refusal.NO_FREE_SLOT
