"""``saactors attach``: a running gateway's events in all formats, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as messages

from saactors.observe.event_log import read_event_log
from saactors.observe.events import EVENTS, BurstHandled, Loaded, RuleChanged

Run: TypeAlias = Callable[..., Any]
LOADED = [Loaded(1_000_000 + index, index, 54_000) for index in range(10)]


@contextmanager
def attached(*arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """The command in a process of its own, with signals as a shell gives them."""
    # Whoever runs the tests in the background has SIGINT ignored, and so would the command have.
    command = ["env", "--default-signal=INT", sys.executable, "-m", "saactors", "attach"]
    with subprocess.Popen(
        [*command, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_lines_are_those_of_the_event_log_s_reader(run: Run, gateway: Any) -> None:
    """A line for each event, readable."""
    gateway.told = [(LOADED, 0)]
    ran = run("attach", "--socket", gateway.path, "--count", 2)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "   0.001 000 000 s loaded           sa=0 latency=54.0µs",
        "   0.001 000 001 s loaded           sa=1 latency=54.0µs",
    ]
    assert gateway.opened == [([], [], 1)]


def test_json_is_an_object_a_line(run: Run, gateway: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mappings included; and the socket may be named by the environment."""
    monkeypatch.setenv("SAACTORS_SOCKET", gateway.path)
    gateway.told = [([RuleChanged(5, "metric", {"threshold": 20.0}), LOADED[0]], 0)]
    lines = map(json.loads, run("attach", "--format", "json", "--count", 2).out.splitlines())
    assert list(lines) == [
        {"kind": "rule_changed", "time_ns": 5, "rule": "metric", "parameters": {"threshold": 20.0}},
        {"kind": "loaded", "time_ns": 1_000_000, "sa": 0, "latency_ns": 54_000},
    ]


def test_what_is_wanted_is_asked_of_the_gateway(run: Run, gateway: Any) -> None:
    """Kinds, SAs by SPI (which it knows by index) and by index, and the sample."""
    gateway.told = [(LOADED, 0)]
    ran = run(
        "attach", "--socket", gateway.path, "--kind", "loaded", "--kind", "evicted",
        "--sa", "0x1005", "--sa", "12", "--sample", "1/100", "--count", 1,
    )  # fmt: skip
    assert ran.status == 0
    assert gateway.opened == [(["loaded", "evicted"], [5, 12], 100)]
    ran = run("attach", "--socket", gateway.path, "--sa", "0x77777777")
    assert ran.status == 1
    assert ran.err == "saactors: spi: found 0x77777777, expected an SA's\n"


def test_lost_events_are_told_where_they_are_missing_and_at_the_end(run: Run, gateway: Any) -> None:
    """On standard error in total."""
    gateway.told = [(LOADED, 1234)]
    gateway.ends = True
    ran = run("attach", "--socket", gateway.path)
    assert ran.out.splitlines()[-1] == "… 1,234 events lost here"
    assert "saactors: 10 events shown, 1,234 lost\n" in ran.err
    ran = run("attach", "--socket", gateway.path, "--format", "json")
    assert json.loads(ran.out.splitlines()[-1]) == {"kind": "events_lost", "count": 1234}


def test_a_gateway_that_ends_is_told_of_with_status_1(run: Run, gateway: Any) -> None:
    """In a sentence, below what was shown."""
    gateway.told, gateway.ends = [(LOADED, 0)], True
    ran = run("attach", "--socket", gateway.path)
    assert ran.status == 1
    assert len(ran.out.splitlines()) == 10
    assert ran.err == f"saactors: gateway at {gateway.path}: the gateway has ended\n"


def test_no_gateway_is_told_of_with_what_to_do(run: Run, tmp_path: Path) -> None:
    """And no file is made."""
    ran = run(
        "attach", "--socket", tmp_path / "x", "--format", "msgpack", "--output", tmp_path / "y"
    )
    assert ran.status == 1
    assert "expected a running gateway; start it with 'saactors run'" in ran.err
    assert not (tmp_path / "y").exists()


def test_msgpack_is_an_event_log(run: Run, gateway: Any, tmp_path: Path) -> None:
    """As ``saactors events`` reads it."""
    gateway.told, gateway.ends = [(LOADED, 0)], True
    path = tmp_path / "log"
    ran = run("attach", "--socket", gateway.path, "--format", "msgpack", "--output", path)
    assert f"saactors: 10 events written to {path}, 0 lost\n" in ran.err
    assert list(read_event_log(path)) == LOADED


def test_a_perfetto_trace_has_bursts_and_who_was_on_the_card(
    run: Run, gateway: Any, tmp_path: Path
) -> None:
    """All kinds are asked for, and the residents that no event tells of."""
    gateway.told = [([BurstHandled(2_000, "nic", 7, 5, 1_000), LOADED[5]], 0)]
    path = tmp_path / "trace"
    ran = run(
        "attach", "--socket", gateway.path, "--format", "perfetto", "--output", path, "--count", 2
    )
    assert ran.status == 0
    assert gateway.opened[0][0] == list(EVENTS)
    trace = messages.Trace()
    trace.ParseFromString(path.read_bytes())
    names = {entry.name for packet in trace.packet for entry in packet.interned_data.event_names}
    assert {"burst 7", "0x00001000", "0x00001001", "SA 5"} <= names
    rows = [packet.track_event.type for packet in trace.packet if packet.HasField("track_event")]
    assert rows.count(messages.TrackEvent.TYPE_SLICE_BEGIN) == 5
    assert rows.count(messages.TrackEvent.TYPE_SLICE_END) == 5


def test_it_detaches_after_a_while(run: Run, gateway: Any) -> None:
    """Although nothing comes."""
    began = time.monotonic()
    assert run("attach", "--socket", gateway.path, "--duration", "300ms").status == 0
    assert 0.3 <= time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--kind", "loded"], "found 'loded'; did you mean 'loaded'?"),
        (["--kind", "xyz"], "found 'xyz'; expected one of 'run_started', "),
        (["--sample", "5"], "found '5', expected 1/N such as 1/100"),
        (["--sample", "1/0"], "found '1/0', expected 1/N such as 1/100"),
        (["--sa", "eth0"], "expected an SPI such as 0x"),
        (["--format", "perfetto"], "found no file to write, expected --output FILE"),
        (["--format", "msgpack"], "found no file to write, expected --output FILE"),
    ],
)
def test_an_option_that_cannot_be_is_told_with_what_could(
    run: Run, arguments: list[str], expected: str
) -> None:
    """Before anybody is asked: status 2."""
    ran = run("attach", "--socket", "/nowhere", *arguments)
    assert ran.status == 2
    assert expected in ran.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_detaches_with_whole_files(
    gateway: Any, tmp_path: Path, number: signal.Signals
) -> None:
    """Status 0: it has done what it was there for."""
    gateway.told = [(LOADED, 0)]
    path = tmp_path / "log"
    with attached("--socket", gateway.path, "--format", "msgpack", "--output", path) as process:
        for _ in range(100):
            if gateway.opened:
                break
            time.sleep(0.1)
        time.sleep(0.5)
        process.send_signal(number)
        _, err = process.communicate(timeout=10)
    assert process.returncode == 0
    assert err.decode() == f"saactors: 10 events written to {path}, 0 lost\n"
    assert list(read_event_log(path)) == LOADED


def test_a_reader_who_leaves_ends_it_quietly_although_nothing_more_comes(gateway: Any) -> None:
    """As in ``saactors attach | head -1``."""
    gateway.told = [(LOADED, 0)]
    with attached("--socket", gateway.path) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"   0.001 000 000 s loaded")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(10) == 0


@pytest.mark.parametrize("command", [["attach", "--count", "1"], ["top", "--once"]])
def test_it_starts_without_what_is_slow_to_import(gateway: Any, command: list[str]) -> None:
    """NumPy, Numba, trio and pydantic take seconds on a cold machine."""
    gateway.told = [(LOADED, 0)]
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "saactors", *command, "--socket", gateway.path],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    imported = {
        line.rpartition("|")[2].strip().partition(".")[0] for line in ran.stderr.split("\n")
    }
    assert "msgpack" in imported
    assert imported & {"numba", "numpy", "trio", "pydantic", "cryptography", "perfetto"} == set()
