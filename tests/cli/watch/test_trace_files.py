"""A run's event log as another file: a trace for Perfetto, a shorter log, lines in a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as messages

from saactors.observe.event_log import read_event_log

Run: TypeAlias = Callable[..., Any]


def test_a_replay_s_verbose_log_becomes_a_trace_with_its_bursts(
    run: Run, office_capture: Path, tmp_path: Path
) -> None:
    """Every burst of the log is a slice, on the track of its actor."""
    log, trace_file = tmp_path / "log", tmp_path / "trace"
    ran = run("replay", office_capture, "--events", log, "--events-verbose", "--crypto", "none")
    assert ran.status == 0
    ran = run("events", log, "--format", "perfetto", "--output", trace_file)
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    trace = messages.Trace()
    trace.ParseFromString(trace_file.read_bytes())
    kinds = Counter(event.kind for event in read_event_log(log))
    happened = Counter(
        packet.track_event.type for packet in trace.packet if packet.HasField("track_event")
    )
    assert kinds["burst_handled"] > 0
    assert kinds["metric_sampled"] > 0
    assert happened[messages.TrackEvent.TYPE_SLICE_BEGIN] >= kinds["burst_handled"]
    names = {packet.track_descriptor.name for packet in trace.packet}
    assert {"source", "keeper", "arbiter", "egress", "slot 0", "residents"} <= names


def test_a_usual_log_has_no_bursts(run: Run, office_capture: Path, tmp_path: Path) -> None:
    """They would be most of it; and to ask for them without a log is a misunderstanding."""
    log = tmp_path / "log"
    run("replay", office_capture, "--events", log, "--crypto", "none")
    assert not any(event.kind == "burst_handled" for event in read_event_log(log))
    ran = run("replay", office_capture, "--events-verbose")
    assert ran.status == 2
    assert "--events-verbose: found True, expected a log to be written with --events" in ran.err


def test_a_part_of_a_log_is_a_log(run: Run, office_capture: Path, tmp_path: Path) -> None:
    """Filtered as it is on the screen; lines go to a file as well."""
    log, part, lines = tmp_path / "log", tmp_path / "part", tmp_path / "lines"
    run("replay", office_capture, "--events", log, "--crypto", "none")
    ran = run("events", log, "--kind", "sa_added", "--format", "msgpack", "--output", part)
    assert ran.status == 0
    added = [event for event in read_event_log(log) if event.kind == "sa_added"]
    assert list(read_event_log(part)) == added
    assert run("events", part, "--output", lines).out == ""
    assert lines.read_text() == run("events", part).out


def test_a_log_is_not_written_over_while_it_is_read(
    run: Run, office_capture: Path, tmp_path: Path
) -> None:
    """Nor is a format for files shown on the screen."""
    log = tmp_path / "log"
    run("replay", office_capture, "--events", log, "--crypto", "none")
    before = log.read_bytes()
    ran = run("events", log, "--format", "msgpack", "--output", log)
    assert (ran.status, log.read_bytes()) == (2, before)
    assert "which is the log to be read; expected another file" in ran.err
    assert "expected --output FILE" in run("events", log, "--format", "perfetto").err


def test_a_file_that_cannot_be_written_is_one_line(
    run: Run, office_capture: Path, tmp_path: Path
) -> None:
    """Status 1, for each format."""
    log = tmp_path / "log"
    run("replay", office_capture, "--events", log, "--crypto", "none")
    for event_format in ("console", "json", "msgpack", "perfetto"):
        for output, why in ((tmp_path / "no" / "x", "No such file"), ("/dev/full", "No space")):
            ran = run("events", log, "--format", event_format, "--output", output)
            assert ran.status == 1
            assert ran.err.startswith(f"saactors: {output}: cannot be written: {why}")
            assert ran.err.count("\n") == 1
