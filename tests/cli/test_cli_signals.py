"""Ctrl-C and its like: what was done by then is summed up, and every packet is accounted for."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from saactors.traces.scan import CHUNK_BYTES

MS = 1_000_000


@contextmanager
def replaying(*arguments: object, piped: bytes = b"") -> Iterator[subprocess.Popen[bytes]]:
    """A replay that has begun: it has loaded an SA, and read almost all of what is ``piped``."""
    command = [sys.executable, "-m", "saactors", "replay", *map(str, arguments)]
    command += ["--json", "--log-level", "info"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as running:
        assert running.stdin is not None
        assert running.stderr is not None
        try:
            running.stdin.write(piped)
            running.stdin.flush()
            while b"loaded" not in running.stderr.readline():
                assert running.poll() is None, "it ended before its first load"
            yield running
        finally:
            running.kill()


@pytest.fixture(scope="module")
def minute(tmp_path_factory: pytest.TempPathFactory, write_traffic: Callable[..., Path]) -> Path:
    """A minute of traffic: bursts of 20 packets, of which a ring of 16 drops some."""
    packets = [(turn * 20 * MS, flow, 60) for turn in range(3000) for flow in range(20)]
    return write_traffic(tmp_path_factory.mktemp("minute") / "minute.pcap", packets)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_with_a_summary_in_which_nothing_is_lost(
    minute: Path, number: signal.Signals, tmp_path: Path
) -> None:
    """Status 130; in = out + drops, with what was still inside under its name."""
    esp = tmp_path / "esp.pcap"
    with replaying(
        minute, "--pace", "real", "--rx-ring", 16, "--write-esp", esp,
        "--report", tmp_path / "r.html",
    ) as running:  # fmt: skip
        running.send_signal(number)
        out, err = running.communicate(timeout=20)
    assert running.returncode == 130
    found = json.loads(out)
    assert found["interrupted"] is True
    assert 0 < found["packets"]["in"] < 60_000
    assert found["packets"]["in"] == found["packets"]["out"] + sum(found["drops"].values())
    assert found["drops"].keys() <= {"rx_ring_full", "interrupted"}
    assert "the replay was interrupted; this is what it had done by then" in found["warnings"]
    assert b"run_ended" in err
    assert b"Traceback" not in err
    assert esp.stat().st_size > 24
    assert (tmp_path / "r.html").exists()


def test_a_signal_ends_a_run_that_waits_for_a_pipe(minute: Path) -> None:
    """Nothing more comes and the pipe stays open: a read that never ends must not keep it."""
    capture = minute.read_bytes()
    header, records = capture[:24], capture[24:]
    piped = header + records * (CHUNK_BYTES // len(records) + 2)
    with replaying("-", piped=piped) as running:
        running.send_signal(signal.SIGINT)
        assert running.wait(20) == 130
        assert running.stdout is not None
        found = json.loads(running.stdout.read())
    assert found["packets"]["in"] >= CHUNK_BYTES // 76
    assert found["packets"]["in"] == found["packets"]["out"] + sum(found["drops"].values())


def wait_until_idle(pid: int) -> None:
    """Until a process has used no CPU time for a second: it has started and waits for input."""
    used = [-1]
    for _ in range(60):
        time.sleep(1)
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        used.append(int(stat[11]) + int(stat[12]))  # utime and stime, proc(5)
        if used[-1] == used[-2] > 0:
            return
    pytest.fail("the process never came to rest")


def test_a_signal_before_the_run_begins_is_one_line() -> None:
    """While it waits for the capture's header, say."""
    # Whoever runs the tests in the background has SIGINT ignored, and so would the command have.
    command = ["env", "--default-signal=INT", sys.executable, "-m", "saactors", "replay", "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        wait_until_idle(running.pid)
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 130
        assert running.stderr is not None
        told = running.stderr.read().decode()
    assert told.strip() == "saactors: interrupted before there was anything to show"
