"""Lifetimes in replays: soft limits are told of, hard ones stop the SA, and all is counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import dpkt
import pytest

from saactors.observe.event_log import read_event_log

Run: TypeAlias = Callable[..., Any]

ENDS = 'source = "192.0.2.1"\ndestination = "198.51.100.1"\nsuite = "aes-gcm-128"\n'
LIMITS = {
    "packets": ("soft_packets = 3, hard_packets = 5", [("soft", 3), ("hard", 6)]),
    "bytes": ("soft_bytes = 150, hard_bytes = 320", [("soft", 3), ("hard", 6)]),
    "time": ("soft_s = 3, hard_s = 5", [("soft", 4), ("hard", 6)]),
}
"""A packet of 60 bytes a second: after which of them, from 1, a limit is told of."""


@pytest.fixture
def capture(write_traffic: Callable[..., Path], tmp_path: Path) -> Path:
    """Ten packets of one flow."""
    return write_traffic(tmp_path / "ten.pcap", [(n * 10**9, 0, 60) for n in range(10)])


def told(path: Path) -> list[tuple[str, str, int]]:
    """Level, limit and the second at which they were told."""
    return [
        (event.level, event.limit, round(event.time_ns / 1e9))
        for event in read_event_log(path)
        if event.kind == "lifetime_reached"
    ]


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("given", [True, False], ids=["given", "made on demand"])
def test_an_outbound_sa_ends_at_its_hard_limit(
    run: Run, capture: Path, tmp_path: Path, limit: str, given: bool,
    packets_of: Callable[[Path], list[bytes]],
) -> None:  # fmt: skip
    """Five packets leave, numbered 1 to 5; five are dropped for that reason and no other."""
    limits, expected = LIMITS[limit]
    lifetime = f"lifetime = {{ {limits} }}\n"
    scenario = tmp_path / "limits.toml"
    if given:
        scenario.write_text(
            '[[policies]]\naction = "protect"\nsa = "one"\n'
            f'[[sas]]\nname = "one"\nspi = 4096\nkey_from_seed = true\n{ENDS}{lifetime}'
        )
    else:
        scenario.write_text(
            '[[policies]]\naction = "protect"\nsa_per = "flow"\n'
            f"[policies.template]\n{ENDS}{lifetime}"
        )
    esp, events = tmp_path / "esp.pcap", tmp_path / "events"
    options = ("--scenario", scenario, "--write-esp", esp, "--events", events, "--json")
    result = run("replay", capture, *options).result
    assert result["drops"] == {"lifetime_expired": 5}
    assert [dpkt.ip.IP(packet).data.seq for packet in packets_of(esp)] == [1, 2, 3, 4, 5]
    assert told(events) == [(level, limit, number - 1) for level, number in expected]


def test_an_inbound_sa_ends_at_its_hard_limit(
    run: Run, capture: Path, tmp_path: Path, packets_of: Callable[[Path], list[bytes]]
) -> None:
    """What was opened counts, replays do not; a packet beyond the limit does not come out."""
    key = f'key = "0x{bytes(range(20)).hex()}"\n'
    sa = f'[[sas]]\nname = "one"\nspi = 4096\n{key}{ENDS}'
    (tmp_path / "out.toml").write_text(f'[[policies]]\naction = "protect"\nsa = "one"\n{sa}')
    (tmp_path / "in.toml").write_text(
        f'{sa}direction = "in"\nlifetime = {{ soft_packets = 3, hard_packets = 4 }}\n'
    )
    esp, plain, events = (tmp_path / name for name in ("esp.pcap", "plain.pcap", "events"))
    assert (
        run("replay", capture, "--scenario", tmp_path / "out.toml", "--write-esp", esp).status == 0
    )
    result = run(
        "replay", esp, "--direction", "in", "--scenario", tmp_path / "in.toml",
        "--write-plain", plain, "--events", events, "--json",
    ).result  # fmt: skip
    assert result["drops"] == {"lifetime_expired": 6}
    assert len(packets_of(plain)) == 4
    assert told(events) == [("soft", "packets", 2), ("hard", "packets", 4)]
