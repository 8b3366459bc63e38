"""The summary on terminals wide, narrow and not there."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable

import pytest

from saactors.report.result import HostTime, RunResult, Verification
from saactors.report.summary import print_summary

Summary = Callable[..., str]


@pytest.fixture
def summary(monkeypatch: pytest.MonkeyPatch) -> Summary:
    """Print a result as into a pipe, at a width."""

    def printed(result: RunResult, width: int = 80) -> str:
        monkeypatch.setenv("COLUMNS", str(width))
        stream = io.StringIO()
        print_summary(result, stream)
        return stream.getvalue()

    return printed


def test_the_summary_says_what_the_issue_asks_for(result: RunResult, summary: Summary) -> None:
    """Item 7, line by line."""
    text = summary(result)
    for expected in (
        "office<1>.pcap: 20.1 k packets, 18.0 MB in 30.0 s",
        "74.3 % of packets, 74.3 % of bytes",  # offload ratio
        "17.6 ms saved (43.9 %)",  # host time
        "18, 10 in another SA's place, 4 refused",  # loads, evictions, refused
        "threshold: 14,400 ns ÷ 1,200 ns per packet = 12 packets",  # the cost calculation
        "arbiter→nic",  # waiting per edge
        "720 ms",
        "2.76 µs",  # latency percentiles
        "p99.9",
        "rx_ring_full",  # drops by reason
        "0x17315d7d",  # the hottest SAs, and where each ended
        "resident",
        "demo/esp.pcap",
        "warning: the capture is cut off",
        "all 20.0 k packets come back as they were",
    ):
        assert expected in text
    assert text.count("203.0.113.200") == 10


@pytest.mark.parametrize("width", [20, 44, 60, 80, 200])
def test_no_line_is_wider_than_its_terminal(
    result: RunResult, summary: Summary, width: int
) -> None:
    """Tables give up columns before they break."""
    lines = summary(result, width).splitlines()
    assert max(len(line.rstrip()) for line in lines) <= width


def test_a_narrow_terminal_keeps_what_matters(result: RunResult, summary: Summary) -> None:
    """Who is hot and how much; not how often it was loaded."""
    (heading,) = (line for line in summary(result, 50).splitlines() if line.startswith("SPI"))
    assert "packets" in heading
    assert "loads" not in heading
    assert "loads" in next(
        line for line in summary(result, 120).splitlines() if line.startswith("SPI")
    )


def test_long_ipv6_addresses_wrap_and_are_not_cut(result: RunResult, summary: Summary) -> None:
    """Two full addresses do not fit in 80 columns beside anything else."""
    source = "2001:db8:1111:2222:3333:4444:5555:6666"
    hot = tuple(dataclasses.replace(sa, source=source) for sa in result.hottest)
    text = summary(dataclasses.replace(result, hottest=hot))
    assert text.count(source) == len(hot)


def test_there_is_no_colour_in_a_pipe_and_some_on_a_terminal(
    result: RunResult,
    summary: Summary,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Escape codes in a file help nobody."""
    assert "\x1b" not in summary(result)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    print_summary(result, stream)
    assert "\x1b[" in stream.getvalue()


def test_sections_with_nothing_in_them_are_left_out(result: RunResult, summary: Summary) -> None:
    """A clean run is a short summary."""
    clean = dataclasses.replace(
        result, drops={}, warnings=(), outputs={}, hottest=(), verification=Verification()
    )
    text = summary(clean)
    assert "none dropped" in text
    for heading in ("Dropped", "warning", "Written", "Hottest", "verified"):
        assert heading not in text


def test_failures_are_told_in_so_many_words(result: RunResult, summary: Summary) -> None:
    """Neither a wrong packet nor a loss of host time hides behind a nice figure."""
    bad = dataclasses.replace(
        result,
        verification=Verification(checked=100, failed=2),
        host_time=HostTime(total_ns=3e6, all_software_ns=2e6),
    )
    text = summary(bad)
    assert "2 of 100 packets did NOT come back as they were" in text
    assert "1.00 ms LOST" in text
