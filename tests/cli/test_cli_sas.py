"""``saactors sas``: SAs shown without keys, and turned from one format into another."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

Run: TypeAlias = Callable[..., Any]

KEY = bytes(range(20)).hex()
XFRM = (
    "src 192.0.2.1 dst 198.51.100.7\n\tproto esp spi 0x00001001 reqid 1 mode tunnel\n"
    f"\treplay-window 0 flag af-unspec esn\n\taead rfc4106(gcm(aes)) 0x{KEY} 128\n"
    "\tanti-replay esn context:\n\t seq-hi 0x0, seq 0x0, oseq-hi 0x0, oseq 0x14\n"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """What ``ip xfrm state`` prints."""
    (tmp_path / "state").write_text(XFRM)
    return tmp_path / "state"


def test_sas_are_shown_without_their_keys(run: Run, file: Path) -> None:
    """A line each, or JSON."""
    ran = run("sas", file)
    assert ran.out == (
        "0x00001001  out  tunnel     aes-gcm-128                    192.0.2.1 → 198.51.100.7  "
        "ESN from 21\n"
    )
    (described,) = run("sas", file, "--json", "--direction", "in").result
    assert described == {
        "spi": "0x00001001", "direction": "in", "mode": "tunnel", "suite": "aes-gcm-128",
        "source": "192.0.2.1", "destination": "198.51.100.7", "udp": None,
        "extended_sequence": True, "first_sequence": 21,
    }  # fmt: skip


@pytest.mark.parametrize("target", ["esp-sa", "ip-xfrm", "dpdk", "toml"])
def test_keys_go_to_the_output_alone(run: Run, file: Path, tmp_path: Path, target: str) -> None:
    """A file that its owner alone reads; and from it the same SA is read again."""
    written = tmp_path / "written"
    ran = run("sas", file, "--to", target, "--output", written)
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert KEY in written.read_text().replace(":", "")
    assert "0x00001001  out  tunnel     aes-gcm-128 " in run("sas", written).out
    assert run("sas", file, "--to", target, "--output", "-").out == written.read_text()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--to", "dpdk"), "--to and --output go together"),
        (("--output", "x"), "--to and --output go together"),
        (("--to", "toml", "--output", "-", "--json"), "--json shows SAs without keys"),
        (("--to", "wireshark", "--output", "-"), "'wireshark' is not one of 'esp-sa', 'ip-xfrm'"),
        (("--from", "esp-sa"), "state:1: field 1: expected text in double quotes"),
    ],
)
def test_what_does_not_go_together_is_told(
    run: Run, file: Path, options: tuple[str, ...], expected: str
) -> None:
    """Status 2, nothing printed, and no key."""
    ran = run("sas", file, *options)
    assert (ran.status, ran.out) == (2, "")
    assert expected in ran.err
    assert KEY[2:-2] not in ran.err


def test_a_file_that_is_none_is_told(run: Run, tmp_path: Path) -> None:
    """Missing, or of no format."""
    assert "cannot be read as a key table: No such file" in run("sas", tmp_path / "none").err
    (tmp_path / "other").write_text("hello\n")
    ran = run("sas", tmp_path / "other")
    assert ran.status == 2
    assert "expected SAs in one of the formats esp-sa, ip-xfrm, dpdk, toml" in ran.err


def test_a_reader_may_leave_early(tmp_path: Path) -> None:
    """As ``head`` does: no traceback."""
    (tmp_path / "state").write_text(
        "".join(XFRM.replace("1001", f"{spi:04x}") for spi in range(0x1000, 0x2000))
    )
    command = f"{sys.executable} -m saactors sas {tmp_path / 'state'} | head -1"
    ran = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("0x00001000")
    assert ran.stderr == ""
