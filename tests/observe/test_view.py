"""What people and programs see of events and logs."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator

import pytest
import structlog

from saactors.observe.events import EVENTS, FIELDS, Event, LoadIssued, RuleChanged, RunStarted
from saactors.observe.view import EventView, configure_logging


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It does."""
        return True


@pytest.fixture(autouse=True)
def _structlog_as_found() -> Iterator[None]:
    yield
    structlog.reset_defaults()


LOAD = LoadIssued(
    1_234_567, 3, 0x1F2E, 5, 0x99, 812.0, 310.0, 500.0, 1200.0, 14_400.0, "metric 812 ≥ lowest 310"
)


def shown(event: Event, log_format: str, stream: io.StringIO) -> str:
    EventView(log_format, stream).show(event)
    return stream.getvalue()


def test_the_console_shows_one_line_with_units() -> None:
    """Times and durations for people, SPIs as they are written, no colour off a terminal."""
    assert shown(LOAD, "console", io.StringIO()) == (
        "   0.001 234 567 s load_issued      sa=3 spi=0x00001f2e victim=5 victim_spi=0x00000099"
        " metric=812 victim_metric=310 threshold=500 saving=1.20µs load_host=14.4µs"
        " reason='metric 812 ≥ lowest 310'\n"
    )


def test_a_mapping_is_spread_out_and_what_is_absent_left_out() -> None:
    """Parameters read like any other field."""
    event = RunStarted(
        0, "0.1.0", 7, "metric", {"period_ns": 1_000_000, "bonus": 0.5}, "nfp", "a.pcap"
    )
    line = shown(event, "console", io.StringIO())
    assert "rule=metric period=1.00ms bonus=0.5 profile=nfp capture=a.pcap" in line


def test_only_a_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not even that where NO_COLOR asks for none."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in shown(LOAD, "console", Terminal())
    assert "\x1b[" not in shown(LOAD, "json", Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in shown(LOAD, "console", Terminal())


def test_json_has_every_field_of_every_kind(one_of_each: list[Event]) -> None:
    """One object a line, its kind first, each number as it is."""
    stream = io.StringIO()
    view = EventView("json", stream)
    for event in one_of_each:
        view.show(event)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert {line["kind"] for line in lines} == set(EVENTS)
    for line, event in zip(lines, one_of_each, strict=True):
        assert list(line) == ["kind", *FIELDS[event.kind]]
        assert line["time_ns"] == event.time_ns


def test_json_says_null_for_an_infinite_threshold() -> None:
    """Infinity is no JSON; a strict parser must get through."""
    line = shown(RuleChanged(0, "metric", {"threshold": math.inf}), "json", io.StringIO())
    assert json.loads(line)["parameters"] == {"threshold": None}


def test_log_lines_below_the_level_are_not_written() -> None:
    """--log-level does what it says."""
    stream = io.StringIO()
    configure_logging("warning", "console", stream)
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud", path="x")
    assert "quiet" not in stream.getvalue()
    assert "loud path=x" in stream.getvalue()


def test_log_lines_can_be_json() -> None:
    """For whoever collects them."""
    stream = io.StringIO()
    configure_logging("info", "json", stream)
    structlog.get_logger().info("capture_cut_off", packets=3)
    line = json.loads(stream.getvalue())
    assert (line["event"], line["packets"], line["level"]) == ("capture_cut_off", 3, "info")


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_traceback_never_shows_local_variables(log_format: str) -> None:
    """Law 10: a local of a crypto function is a key, and structlog's default would print it."""
    stream = Terminal()
    configure_logging("info", log_format, stream)

    def seal() -> None:
        key = "5ec2e7" * 4
        raise RuntimeError(len(key))

    try:
        seal()
    except RuntimeError:
        structlog.get_logger().exception("sealing_failed")
    assert "RuntimeError: 24" in stream.getvalue()
    assert "5ec2e75ec2e7" not in stream.getvalue()
