"""``saactors events FILE``: what it shows, and what it says of files and options it cannot use."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result

from saactors.cli.events import events
from saactors.errors import EventLogError
from saactors.observe.event_log import EventLogWriter
from saactors.observe.events import Evicted, Loaded, PacketsDropped, SaAdded, Ticked

SPI = 0x1F2E3D4C


@pytest.fixture(autouse=True)
def _structlog_as_found() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A log in which SA 1 drives SA 0 out."""
    path = tmp_path / "events.msgpack"
    decision = (1.0, 9.0, 5.0, 1200.0, 14_400.0, "metric 9 ≥ lowest 1 + threshold 5")
    with EventLogWriter(path) as log:
        log.write(SaAdded(0, 0, SPI, "aes-gcm-128", "tunnel", "out", "10.0.0.1", "10.0.0.2"))
        log.write(SaAdded(0, 1, 0x22, "aes-gcm-256", "tunnel", "out", "10.0.0.1", "10.0.0.3"))
        log.write(Loaded(1_000_000, 0, 54_000))
        log.write(Ticked(2_000_000, 1, 1))
        log.write(Evicted(3_000_000, 0, 1, *decision))
        log.write(Loaded(3_054_000, 1, 54_000))
        log.write(PacketsDropped(4_000_000, "ike", 2))
    return str(path)


def shown(*arguments: str) -> list[tuple[str, int]]:
    """Kind and time of what the command shows."""
    result = run(*arguments, "--format", "json")
    assert result.exit_code == 0, result.output
    return [(line["kind"], line["time_ns"]) for line in map(json.loads, result.output.splitlines())]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(events, list(arguments))


def test_all_events_are_shown_in_the_log_s_order(path: str) -> None:
    """Seven events, seven lines."""
    result = run(path)
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert len(lines) == 7
    assert "loaded           sa=0 latency=54.0µs" in lines[2]
    assert "\x1b[" not in result.output


def test_events_are_chosen_by_kind(path: str) -> None:
    """Several kinds are one choice."""
    assert shown(path, "--kind", "loaded", "--kind", "tick") == [
        ("loaded", 1_000_000),
        ("tick", 2_000_000),
        ("loaded", 3_054_000),
    ]


@pytest.mark.parametrize("name", [f"{SPI:#x}", f"0X{SPI:X}", "0"])
def test_events_are_chosen_by_sa_whatever_its_part_in_them(path: str, name: str) -> None:
    """By SPI or by index, although most events carry only the index."""
    expected = [("sa_added", 0), ("loaded", 1_000_000), ("evicted", 3_000_000)]
    assert shown(path, "--sa", name) == expected


def test_an_sa_is_found_as_another_s_successor(path: str) -> None:
    """Why was SA 0 evicted? Because of SA 1."""
    assert ("evicted", 3_000_000) in shown(path, "--sa", "1")


def test_an_spi_is_known_even_if_its_first_event_is_not_shown(path: str) -> None:
    """Filters do not hide from each other what they need."""
    assert shown(path, "--sa", f"{SPI:#x}", "--kind", "loaded") == [("loaded", 1_000_000)]


def test_events_are_chosen_by_time(path: str) -> None:
    """From the first instant on, up to the last and without it."""
    assert shown(path, "--from", "1ms", "--until", "3ms") == [
        ("loaded", 1_000_000),
        ("tick", 2_000_000),
    ]
    assert shown(path, "--from", "0.003054s", "--until", "4000001ns")[0] == ("loaded", 3_054_000)


def test_the_number_of_events_is_limited(path: str) -> None:
    """After filtering."""
    assert shown(path, "--kind", "loaded", "--limit", "1") == [("loaded", 1_000_000)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--kind", "exploded"], "'load_issued'"),
        (["--sa", "0xyz"], "expected an SPI such as 0x"),
        (["--sa", "eth0"], "or an SA's index such as 12"),
        (["--from", "5"], "expected a duration such as 1.5s"),
        (["--limit", "0"], "0 is not in the range"),
    ],
)
def test_an_option_that_makes_no_sense_is_told_with_what_would(
    path: str, arguments: list[str], expected: str
) -> None:
    """Exit status 2, and the way out in the message."""
    result = run(path, *arguments)
    assert result.exit_code == 2
    assert expected in result.output


def test_a_foreign_file_is_a_user_error(tmp_path: Path) -> None:
    """The main command turns it into one line and exit status 2."""
    (tmp_path / "x.pcap").write_bytes(b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00")
    result = run(str(tmp_path / "x.pcap"))
    assert isinstance(result.exception, EventLogError)
    assert result.exception.exit_status == 2
    assert result.stdout == ""


def test_a_cut_off_log_is_shown_with_a_warning_apart_from_it(path: str) -> None:
    """Standard output stays clean JSON."""
    whole = Path(path).read_bytes()
    Path(path).write_bytes(whole[:-3])
    result = run(path, "--format", "json")
    assert result.exit_code == 0
    assert len([json.loads(line) for line in result.stdout.splitlines()]) == 6
    assert "event_log_cut_off" in result.stderr


def test_a_reader_that_has_seen_enough_ends_the_command_quietly(tmp_path: Path) -> None:
    """As in ``saactors events FILE | head -1``."""
    path = tmp_path / "long.msgpack"
    with EventLogWriter(path) as log:
        for sa in range(50_000):
            log.write(Loaded(sa, sa, 1))
    command = [sys.executable, "-c", "from saactors.cli.events import events; events()", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"   0.000 000 000 s loaded")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) == 0
