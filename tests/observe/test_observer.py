"""Who hears of events, in which order, and what a broken listener can do."""

from __future__ import annotations

from pathlib import Path

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.errors import OutputError
from saactors.observe import observer
from saactors.observe.event_log import EventLogWriter, read_event_log
from saactors.observe.events import EVENTS, Event, Loaded, LoadLost, Ticked
from saactors.observe.observer import Observers


class Clock:
    """A clock set by hand."""

    def __init__(self) -> None:
        self.time_ns = 0

    def now_ns(self) -> int:
        """What ``Observers`` asks."""
        return self.time_ns


def loaded(time_ns: int, sa: int = 0) -> Loaded:
    return Loaded(time_ns, sa, 100)


def test_without_a_listener_an_emitter_is_false_and_wants_nothing() -> None:
    """No listener, no cost: an actor does not even build the event."""
    emit = Observers(Clock().now_ns).emitter(0)
    assert not emit
    assert not any(emit.wants(event_type) for event_type in EVENTS.values())


def test_a_listener_that_comes_later_is_seen_by_emitters_made_before() -> None:
    """A running system can be attached to."""
    observers = Observers(Clock().now_ns)
    emit = observers.emitter(0)
    heard: list[Event] = []
    observers.subscribe(heard.append)
    assert emit
    assert emit.wants(Loaded)
    emit(loaded(0))
    observers.flush()
    assert heard == [loaded(0)]


def test_each_listener_hears_the_kinds_that_it_asked_for() -> None:
    """Several listeners do not get in each other's way; verbose kinds come only if asked for."""
    observers = Observers(Clock().now_ns)
    usual: list[Event] = []
    ticks: list[Event] = []
    observers.subscribe(usual.append)
    assert not observers.wants(Ticked)
    observers.subscribe(ticks.append, {Ticked})
    assert observers.wants(Ticked)
    emit = observers.emitter(0)
    emit(loaded(1))
    emit(Ticked(2, 1, 0))
    observers.flush()
    assert usual == [loaded(1)]
    assert ticks == [Ticked(2, 1, 0)]


def test_events_of_one_instant_are_told_by_time_then_rank_then_number() -> None:
    """Whichever actor ran first, the listeners hear the same."""
    clock = Clock()
    observers = Observers(clock.now_ns)
    heard: list[Event] = []
    observers.subscribe(heard.append)
    first, second = observers.emitter(0), observers.emitter(1)
    clock.time_ns = 10
    second(loaded(10, sa=3))
    second(loaded(10, sa=4))
    first(loaded(10, sa=2))
    second(loaded(9, sa=1))  # an actor tells of a load that ended while it was busy
    assert heard == []
    clock.time_ns = 11
    first(loaded(11, sa=5))
    assert [event.sa for event in heard if isinstance(event, Loaded)] == [1, 2, 3, 4]
    observers.flush()
    assert len(heard) == 5


@settings(deadline=None)
@given(data=st.data())
def test_the_log_of_a_run_does_not_depend_on_who_ran_first_within_an_instant(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Law 7: same events at the same times, any order of the actors, same log byte for byte."""
    instants = data.draw(
        st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=6), max_size=5)
    )
    folder = tmp_path_factory.mktemp("logs")
    logs = []
    for run in range(2):
        clock = Clock()
        observers = Observers(clock.now_ns)
        emitters = [observers.emitter(rank) for rank in range(4)]
        path = folder / f"{run}.msgpack"
        with EventLogWriter(path) as log:
            observers.subscribe(log.write)
            for number, told in enumerate(instants):
                clock.time_ns = number * 100
                shuffled = data.draw(st.permutations(told)) if run else told
                # Each actor's own order is its own; only who runs first is open.
                by_rank = {rank: [lag for r, lag in told if r == rank] for rank in range(4)}
                for rank, _ in shuffled:
                    emitters[rank](loaded(clock.time_ns - by_rank[rank].pop(0), sa=rank))
            observers.flush()
        logs.append(path.read_bytes())
    assert logs[0] == logs[1]


def test_a_listener_that_raises_is_taken_off_reported_once_and_the_others_go_on() -> None:
    """A run does not end because somebody's view of it did."""
    observers = Observers(Clock().now_ns)
    heard: list[Event] = []

    def broken(_event: Event) -> None:
        raise RuntimeError("the pipe is gone")

    observers.subscribe(broken)
    observers.subscribe(heard.append)
    emit = observers.emitter(0)
    with structlog.testing.capture_logs() as warnings:
        for sa in range(3):
            emit(loaded(0, sa))
        observers.flush()
    assert len(heard) == 3
    assert [(entry["event"], entry["problem"]) for entry in warnings] == [
        ("listener_detached", "the pipe is gone")
    ]
    assert observers.broken == [f"{broken.__qualname__} stopped listening: the pipe is gone"]


def test_a_cancellation_passes_through_a_listener() -> None:
    """Only errors detach: Ctrl-C and trio's Cancelled belong to the run."""
    observers = Observers(Clock().now_ns)

    def interrupted(_event: Event) -> None:
        raise KeyboardInterrupt

    observers.subscribe(interrupted)
    observers.emitter(0)(loaded(0))
    with pytest.raises(KeyboardInterrupt):
        observers.flush()


def test_a_full_disk_ends_the_log_and_not_the_run() -> None:
    """The run goes on; the log's own context tells of it at the end."""
    observers = Observers(Clock().now_ns)
    emit = observers.emitter(0)

    def run() -> None:
        with EventLogWriter("/dev/full") as log:
            observers.subscribe(log.write)
            for sa in range(20_000):
                emit(loaded(0, sa))
            observers.flush()
            assert not emit

    with (
        structlog.testing.capture_logs() as warnings,
        pytest.raises(OutputError, match="/dev/full: cannot be written: No space left"),
    ):
        run()
    assert len(warnings) == 1


def test_what_is_held_back_of_one_instant_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Law 9: an instant in which everything happens does not take all memory."""
    monkeypatch.setattr(observer, "HELD_BACK_MAX", 10)
    observers = Observers(Clock().now_ns)
    heard: list[Event] = []
    observers.subscribe(heard.append)
    emit = observers.emitter(0)
    for sa in range(25):
        emit(loaded(0, sa))
    assert len(heard) == 20
    observers.flush()
    assert heard == [loaded(0, sa) for sa in range(25)]


def test_two_emitters_of_one_rank_are_a_mistake() -> None:
    """Their order within an instant would be open."""
    observers = Observers(Clock().now_ns)
    observers.emitter(3)
    with pytest.raises(AssertionError, match="rank 3"):
        observers.emitter(3)


def test_a_listener_that_leaves_hears_nothing_more(tmp_path: Path) -> None:
    """Unsubscribing is effective at once, for what is held back too."""
    observers = Observers(Clock().now_ns)
    emit = observers.emitter(0)
    with EventLogWriter(tmp_path / "log") as log:
        observers.subscribe(log.write)
        emit(LoadLost(0, 1, 5))
        observers.unsubscribe(log.write)
        observers.flush()
    assert not observers
    assert list(read_event_log(tmp_path / "log")) == []
