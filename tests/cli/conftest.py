"""The command as its users meet it: in this process where that is enough, in one of its own else.

A process of its own costs a second; what it alone can show is signals, pipes and terminals.
"""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import dpkt
import pytest
import structlog

from saactors.cli.main import main

FIRST_S = 1_700_000_000
RAW_IP = 101  # LINKTYPE_RAW


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    status: int
    out: str
    err: str

    @property
    def result(self) -> Any:
        """What ``--json`` printed, which is all of standard output."""
        assert self.status == 0, self.err
        return json.loads(self.out)


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run a command line here: ``run("replay", path, "--json")``."""

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["saactors", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capfd.readouterr()
        return Ran(int(ended.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture(autouse=True)
def _structlog_as_found() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def run_process() -> Callable[..., Ran]:
    """Run a command line in a process of its own, ``stdin`` piped into it."""

    def run(*arguments: object, stdin: bytes = b"", **options: Any) -> Ran:
        ended = subprocess.run(
            [sys.executable, "-m", "saactors", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            check=False,
            timeout=60,
            **options,
        )
        return Ran(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    return run


@pytest.fixture(scope="session")
def office() -> list[tuple[int, bytes]]:
    """Packets of a small office: (µs, IP packet), TCP and UDP, IPv4 and IPv6, 1 to 1400 bytes."""
    sizes = (1, 40, 555, 1400)
    return [
        (20_000 * number, bytes(_packet(number % 5, sizes[number % 4] + number // 20)))
        for number in range(100)
    ]


def _packet(flow: int, size: int) -> Any:
    payload = bytes((165 + index) % 251 for index in range(size))
    transport: Any = (
        dpkt.tcp.TCP(sport=40_000 + flow, dport=443, flags=dpkt.tcp.TH_ACK, data=payload)
        if flow % 2
        else dpkt.udp.UDP(sport=50_000 + flow, dport=5999, ulen=8 + size, data=payload)
    )
    number = 6 if flow % 2 else 17
    if flow < 3:
        source, destination = _packed(f"10.1.0.{flow + 1}"), _packed("10.2.0.1")
        return dpkt.ip.IP(src=source, dst=destination, p=number, ttl=64, data=transport)
    source, destination = _packed(f"2001:db8:1::{flow}"), _packed("2001:db8:2::1")
    packet = dpkt.ip6.IP6(src=source, dst=destination, nxt=number, hlim=64, data=transport)
    packet.plen = len(transport)
    return packet


def _packed(address: str) -> bytes:
    return ip_address(address).packed


@pytest.fixture(scope="session")
def office_capture(tmp_path_factory: pytest.TempPathFactory, office: Any) -> Path:
    """Those packets as a capture of raw IP."""
    path: Path = tmp_path_factory.mktemp("office") / "office.pcap"
    path.write_bytes(pcap(office))
    return path


@pytest.fixture(scope="session")
def written_pcap() -> Callable[..., bytes]:
    """A pcap file from (µs, packet)."""
    return pcap


def pcap(packets: Sequence[tuple[int, bytes]], link: int = RAW_IP) -> bytes:
    """A pcap file with times in µs, least significant byte first."""
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, link)
    return header + b"".join(
        struct.pack("<IIII", FIRST_S + us // 10**6, us % 10**6, len(packet), len(packet)) + packet
        for us, packet in packets
    )


@pytest.fixture(scope="session")
def packets_of() -> Callable[[Path], list[bytes]]:
    """The packets of a pcap file, as dpkt reads them."""

    def packets_of(path: Path) -> list[bytes]:
        with path.open("rb") as file:
            return [bytes(packet) for _, packet in dpkt.pcap.Reader(file)]

    return packets_of
