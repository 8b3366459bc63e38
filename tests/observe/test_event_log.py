"""The event log: what is written is read, and what is no log is told apart."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saactors.errors import EventLogError, OutputError, UserError
from saactors.observe.event_log import (
    BUFFER_BYTES,
    FORMAT_VERSION,
    MAGIC,
    EventLogWriter,
    read_event_log,
)
from saactors.observe.events import EVENTS, FIELDS, Event, Loaded, PacketsDropped, RuleChanged

LOADED = list(EVENTS).index("loaded")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.msgpack"


@pytest.fixture
def log(path: Path, one_of_each: list[Event]) -> bytes:
    """The bytes of a log with one event of each kind."""
    with EventLogWriter(path) as writer:
        for event in one_of_each:
            writer.write(event)
    return path.read_bytes()


def frames(log: bytes) -> list[Any]:
    unpacker = msgpack.Unpacker()
    unpacker.feed(log)
    return list(unpacker)


@pytest.mark.usefixtures("log")
def test_every_kind_of_event_comes_back_as_it_was(path: Path, one_of_each: list[Event]) -> None:
    """Nothing is lost between writer and reader."""
    assert list(read_event_log(path)) == one_of_each


def test_the_header_names_the_format_the_version_and_every_field(log: bytes) -> None:
    """Frame 0 is what a reader without our source needs."""
    magic, version, _by, kinds = frames(log)[0]
    assert (magic, version) == (MAGIC, FORMAT_VERSION)
    assert {kind: tuple(names) for kind, names in kinds} == dict(FIELDS)


def test_equal_mappings_give_equal_bytes(tmp_path: Path) -> None:
    """Law 7: how a dict was built does not show."""
    written = []
    for parameters in ({"a": 1.0, "b": 2.0}, {"b": 2.0, "a": 1.0}):
        path = tmp_path / str(len(written))
        with EventLogWriter(path) as writer:
            writer.write(RuleChanged(0, "metric", parameters))
        written.append(path.read_bytes())
    assert written[0] == written[1]


def test_numpy_numbers_are_written_as_numbers(path: Path) -> None:
    """Actors compute in arrays; forgetting an int() must not break the log."""
    with EventLogWriter(path) as writer:
        writer.write(Loaded(np.int64(5), np.int32(3), np.int64(70)))
        writer.write(RuleChanged(6, "metric", {"bonus": np.float32(0.5), "on": np.True_}))
    assert list(read_event_log(path)) == [
        Loaded(5, 3, 70),
        RuleChanged(6, "metric", {"bonus": 0.5, "on": True}),
    ]


def test_an_infinite_threshold_comes_back_infinite(path: Path) -> None:
    """msgpack, unlike JSON, has a number for it."""
    with EventLogWriter(path) as writer:
        writer.write(RuleChanged(0, "metric", {"threshold": math.inf}))
    (event,) = read_event_log(path)
    assert event == RuleChanged(0, "metric", {"threshold": math.inf})


def test_what_is_no_number_or_text_is_refused(path: Path) -> None:
    """An object that strays into an event is a mistake, named by its type and never shown."""
    with EventLogWriter(path) as writer, pytest.raises(TypeError, match="holds a object"):
        writer.write(RuleChanged(0, "metric", {"threshold": object()}))


def test_a_log_reads_up_to_where_it_was_cut_off_and_says_so(
    path: Path, log: bytes, one_of_each: list[Event]
) -> None:
    """A killed run leaves a log that is worth reading; every possible cut is tried."""
    sizes = np.cumsum([len(msgpack.packb(frame)) for frame in frames(log)]).tolist()
    header_bytes = sizes[0]
    for cut in range(header_bytes, len(log)):
        path.write_bytes(log[:cut])
        with structlog.testing.capture_logs() as warnings:
            events = list(read_event_log(path))
        whole = sum(size <= cut for size in sizes) - 1
        assert events == one_of_each[:whole]
        if cut in sizes:
            assert warnings == []
        else:
            assert [entry["event"] for entry in warnings] == ["event_log_cut_off"]
            assert warnings[0]["events_read"] == whole


def test_a_log_cut_off_within_its_header_is_an_error(path: Path, log: bytes) -> None:
    """Without the header not one event can be read."""
    path.write_bytes(log[:60])
    with pytest.raises(EventLogError, match="cut off within its header"):
        list(read_event_log(path))


@pytest.mark.parametrize(
    "foreign",
    [
        b"",
        b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00",  # a pcap's first bytes
        b"just text\n",
        msgpack.packb(["something else", 1, "0.1.0", []]),
        b"\xc1",  # no msgpack at all
    ],
    ids=["empty", "pcap", "text", "other msgpack", "invalid msgpack"],
)
def test_a_foreign_file_is_named_in_one_line(path: Path, foreign: bytes) -> None:
    """A user error, with what was expected, before a single event."""
    path.write_bytes(foreign)
    with pytest.raises(EventLogError, match="no saactors event log") as raised:
        next(read_event_log(path))
    assert isinstance(raised.value, UserError)
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith(str(path))


def test_a_missing_file_is_named(path: Path) -> None:
    """The operating system's own word for it."""
    with pytest.raises(EventLogError, match="No such file"):
        next(read_event_log(path))


def test_an_unknown_format_version_is_told(path: Path) -> None:
    """Even if nothing after the version is as we know it."""
    path.write_bytes(msgpack.packb([MAGIC, FORMAT_VERSION + 1, "9.0.0", {}]))
    with pytest.raises(EventLogError, match=r"format 2, written by saactors 9\.0\.0"):
        next(read_event_log(path))


def test_a_later_saactors_may_add_kinds_and_fields(path: Path) -> None:
    """Old readers skip what they do not know, by the names in the header."""
    kinds = [["teleported", ["time_ns", "to"]], ["loaded", ["time_ns", "mood", "sa", "latency_ns"]]]
    log = [[MAGIC, FORMAT_VERSION, "9.0.0", kinds], [0, 5, "mars"], [1, 6, "good", 3, 700]]
    path.write_bytes(b"".join(map(msgpack.packb, log)))
    assert list(read_event_log(path)) == [Loaded(6, 3, 700)]


def test_a_field_that_the_file_lacks_takes_its_default(path: Path) -> None:
    """Logs of an earlier saactors stay readable."""
    kinds = [["packets_dropped", ["time_ns", "reason", "count"]]]
    log = [[MAGIC, FORMAT_VERSION, "0.0.1", kinds], [0, 5, "ike", 2]]
    path.write_bytes(b"".join(map(msgpack.packb, log)))
    assert list(read_event_log(path)) == [PacketsDropped(5, "ike", 2, sa=None)]


@pytest.mark.parametrize(
    "frame",
    [
        [LOADED, "5", 3, 70],
        [LOADED, 5, 3],
        [99, 5],
        [],
        7,
        ["loaded", 5, 3, 70],
        [LOADED, 5, [3], 70],
    ],
    ids=["text for a time", "too short", "no such kind", "empty", "no array", "name", "nested"],
)
def test_a_frame_that_is_no_event_is_damage(path: Path, log: bytes, frame: object) -> None:
    """The events before it are read; the error says where reading stopped."""
    path.write_bytes(log + msgpack.packb(frame))
    events = read_event_log(path)
    for _ in EVENTS:
        next(events)
    with pytest.raises(EventLogError, match="damaged before byte"):
        next(events)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_damaged_log_gives_events_or_one_clear_error(
    path: Path, log: bytes, data: st.DataObject
) -> None:
    """Whatever bytes are where: never another exception, never a value of the wrong type."""
    damaged = bytearray(log)
    for place in data.draw(st.lists(st.integers(18, len(log) - 1), min_size=1, max_size=4)):
        damaged[place] = data.draw(st.integers(0, 255))
    path.write_bytes(damaged)
    with structlog.testing.capture_logs():
        try:
            events = list(read_event_log(path))
        except EventLogError:
            return
    assert all(isinstance(event, tuple(EVENTS.values())) for event in events)
    assert all(isinstance(event.time_ns, int) for event in events)


def test_the_writer_holds_no_more_than_its_buffer(path: Path) -> None:
    """Law 9: a long run's log grows on disk, not in memory."""
    with EventLogWriter(path) as writer:
        for sa in range(50_000):
            writer.write(Loaded(sa, sa, 1))
        behind_bytes = 50_000 * 8 - path.stat().st_size
    assert behind_bytes < BUFFER_BYTES + 64
    assert sum(1 for _ in read_event_log(path)) == 50_000


def test_a_log_that_cannot_be_made_is_an_output_error(tmp_path: Path) -> None:
    """It fails before the run starts."""
    with pytest.raises(OutputError, match="No such file"):
        EventLogWriter(tmp_path / "nowhere" / "events.msgpack")


def write_to_a_full_disk(count: int) -> None:
    with EventLogWriter("/dev/full") as writer:
        for sa in range(count):
            writer.write(Loaded(sa, sa, 1))


@pytest.mark.parametrize("count", [1, 50_000], ids=["when closed", "on the way"])
def test_a_full_disk_is_an_output_error(count: int) -> None:
    """Whether it shows when the buffer is full or only at the end."""
    with pytest.raises(OutputError, match="/dev/full: cannot be written: No space left"):
        write_to_a_full_disk(count)


def test_a_failed_write_shows_again_when_the_log_is_closed() -> None:
    """Whoever swallowed the first one still gets the exit status."""
    writer = EventLogWriter("/dev/full")
    with pytest.raises(OutputError):
        writer.write(RuleChanged(0, "x" * BUFFER_BYTES, {}))
    with pytest.raises(OutputError):
        writer.write(Loaded(0, 0, 1))
    with pytest.raises(OutputError):
        writer.close()


def test_the_body_s_own_error_is_not_hidden_by_the_log_s() -> None:
    """What went wrong first is what the user hears of."""

    def run() -> None:
        with EventLogWriter("/dev/full"):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run()
