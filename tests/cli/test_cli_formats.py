"""Every kind of capture that ``saactors replay`` promises to read, and what it says of others."""

from __future__ import annotations

import gzip
import os
import struct
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeAlias

import pytest

Packets: TypeAlias = list[tuple[int, bytes]]
FIRST_US = 1_700_000_000 * 10**6
MACS = bytes.fromhex("02000000000202000000000108")[:12]


def ethertype(packet: bytes) -> bytes:
    """IPv4 or IPv6, as Ethernet says it."""
    return b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"


# Link type → how a packet stands in such a capture. https://www.tcpdump.org/linktypes.html
LINKS: dict[str, tuple[int, Callable[[bytes], bytes]]] = {
    "ethernet": (1, lambda ip: MACS + ethertype(ip) + ip),
    "vlan": (1, lambda ip: MACS + b"\x81\x00\x00\x05" + ethertype(ip) + ip),
    "qinq": (1, lambda ip: MACS + b"\x88\xa8\x00\x07\x81\x00\x00\x05" + ethertype(ip) + ip),
    "raw": (101, lambda ip: ip),
    "cooked": (113, lambda ip: struct.pack(">HHH8s", 0, 1, 6, bytes(8)) + ethertype(ip) + ip),
    "cooked2": (
        276,
        lambda ip: ethertype(ip) + struct.pack(">HIHBB8s", 0, 2, 1, 0, 6, bytes(8)) + ip,
    ),
    "loopback": (0, lambda ip: struct.pack("<I", 2 if ip[0] >> 4 == 4 else 30) + ip),
    "openbsd": (108, lambda ip: struct.pack(">I", 2 if ip[0] >> 4 == 4 else 24) + ip),
}


def pcap(packets: Packets, link: str, order: str = "<", *, nanoseconds: bool = False) -> bytes:
    """A pcap file."""
    number, wrapped = LINKS[link]
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    octets = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 262_144, number)
    for us, packet in packets:
        seconds, rest = divmod(FIRST_US + us, 10**6)
        frame = wrapped(packet)
        rest *= 1000 if nanoseconds else 1
        octets += struct.pack(f"{order}IIII", seconds, rest, len(frame), len(frame)) + frame
    return octets


def pcapng(packets: Packets, link: str, order: str = "<") -> bytes:
    """A pcapng file: a section header, an interface, enhanced packets."""

    def block(kind: int, body: bytes) -> bytes:
        body = body.ljust(-(-len(body) // 4) * 4, b"\0")
        size = struct.pack(f"{order}I", len(body) + 12)
        return struct.pack(f"{order}I", kind) + size + body + size

    number, wrapped = LINKS[link]
    octets = block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))
    octets += block(1, struct.pack(f"{order}HHI", number, 0, 0))
    for us, packet in packets:
        high, low = divmod(FIRST_US + us, 1 << 32)
        frame = wrapped(packet)
        times = struct.pack(f"{order}IIIII", 0, high, low, len(frame), len(frame))
        octets += block(6, times + frame)
    return octets


CAPTURES: dict[str, Callable[[Packets], bytes]] = {
    "pcap, µs, little endian, Ethernet": lambda p: pcap(p, "ethernet"),
    "pcap, µs, big endian, VLAN": lambda p: pcap(p, "vlan", ">"),
    "pcap, ns, little endian, QinQ": lambda p: pcap(p, "qinq", nanoseconds=True),
    "pcap, ns, big endian, Linux cooked v1": lambda p: pcap(p, "cooked", ">", nanoseconds=True),
    "pcap, Linux cooked v2": lambda p: pcap(p, "cooked2"),
    "pcap, BSD loopback": lambda p: pcap(p, "loopback"),
    "pcap, OpenBSD loopback": lambda p: pcap(p, "openbsd"),
    "pcapng, little endian, Ethernet": lambda p: pcapng(p, "ethernet"),
    "pcapng, big endian, raw IP": lambda p: pcapng(p, "raw", ">"),
    "pcap.gz": lambda p: gzip.compress(pcap(p, "ethernet")),
    "pcapng.gz": lambda p: gzip.compress(pcapng(p, "ethernet")),
}


@pytest.fixture(scope="module")
def sealed(
    tmp_path_factory: pytest.TempPathFactory,
    run_process: Callable[..., Any],
    office_capture: Path,
    packets_of: Callable[[Path], list[bytes]],
) -> list[bytes]:
    """The ESP packets of the office's traffic, read as plain raw IP."""
    path: Path = tmp_path_factory.mktemp("sealed") / "esp.pcap"
    run_process("replay", office_capture, "--write-esp", path, "--json")
    packets = packets_of(path)
    assert len(packets) == 100
    return packets


@pytest.mark.parametrize("name", CAPTURES)
def test_every_format_and_link_type_gives_the_same_esp(
    name: str, run: Callable[..., Any], office: Packets, sealed: list[bytes], tmp_path: Path,
    packets_of: Callable[[Path], list[bytes]],
) -> None:  # fmt: skip
    """Byte for byte: same packets, same order, same SAs, whatever they were wrapped in."""
    (tmp_path / "capture").write_bytes(CAPTURES[name](office))
    ran = run("replay", tmp_path / "capture", "--write-esp", tmp_path / "esp.pcap", "--json")
    assert ran.result["packets"]["in"] == 100
    assert ran.result["drops"] == {}
    assert packets_of(tmp_path / "esp.pcap") == sealed


@pytest.mark.parametrize("packed", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_standard_input_is_a_capture_too(
    packed: Callable[[bytes], bytes], run_process: Callable[..., Any], office: Packets,
    sealed: list[bytes], tmp_path: Path, packets_of: Callable[[Path], list[bytes]],
) -> None:  # fmt: skip
    """Plain and in gzip, through a pipe."""
    stdin = packed(pcapng(office, "ethernet"))
    esp = tmp_path / "esp.pcap"
    ran = run_process("replay", "-", "--write-esp", esp, "--json", stdin=stdin)
    assert ran.result["capture"] == "standard input"
    assert packets_of(esp) == sealed


def test_what_is_not_ip_or_broken_is_counted_by_name_and_the_rest_goes_on(
    run: Callable[..., Any], office: Packets, tmp_path: Path
) -> None:
    """ARP, a header that lies, a header that the snap length has cut off."""
    arp = MACS + b"\x08\x06" + bytes(28)
    lies = MACS + b"\x08\x00" + b"\x4f" + office[0][1][1:]
    octets = pcap(office, "ethernet")
    for frame in (arp, arp, lies):
        octets += struct.pack("<IIII", 1_700_000_010, 0, len(frame), len(frame)) + frame
    octets += struct.pack("<IIII", 1_700_000_010, 0, 24, 1000) + octets[40:64]
    (tmp_path / "office.pcap").write_bytes(octets)
    result = run("replay", tmp_path / "office.pcap", "--json").result
    assert result["packets"]["in"] == 104
    assert result["packets"]["out"] == 100
    assert result["drops"] == {"not_ip": 2, "malformed_ip": 1, "cut_by_snap_length": 1}


@pytest.mark.parametrize("made", [pcap, pcapng])
def test_a_capture_cut_off_in_a_record_is_replayed_up_to_there_with_a_warning(
    made: Callable[..., bytes], run: Callable[..., Any], office: Packets, tmp_path: Path
) -> None:
    """A warning in the summary, not on standard error; status 0, for there is a result."""
    (tmp_path / "cut").write_bytes(made(office, "raw")[:-7])
    ran = run("replay", tmp_path / "cut")
    assert (ran.status, ran.err) == (0, "")
    assert "99 in, 99 out, none dropped" in ran.out
    assert "warning: the capture is cut off inside the record at byte" in ran.out


def test_packets_that_were_cut_are_padded_and_the_summary_says_how_many(
    run: Callable[..., Any], office: Packets, tmp_path: Path, packets_of: Callable[..., list[bytes]]
) -> None:
    """As many as the warning says, and none that was bypassed or dropped; or none at all."""
    octets = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 101)
    for us, packet in office:
        head = packet[:100]
        seconds, rest = divmod(FIRST_US + us, 10**6)
        octets += struct.pack("<IIII", seconds, rest, len(head), len(packet)) + head
    (tmp_path / "cut.pcap").write_bytes(octets)
    cut = [packet for _, packet in office if len(packet) > 100]
    ran = run("replay", tmp_path / "cut.pcap", "--write-esp", tmp_path / "esp.pcap", "--verify")
    assert f"warning: {len(cut)} encrypted packets had been cut off" in ran.out
    assert "all 100 packets come back as they were" in ran.out
    longer = [len(made) - len(packet) for made, (_, packet) in zip(
        packets_of(tmp_path / "esp.pcap"), office, strict=True)]  # fmt: skip
    assert min(longer) >= 20 + 8 + 8 + 2 + 16  # outer header, ESP header, IV, trailer, ICV

    result = run("replay", tmp_path / "cut.pcap", "--no-pad-cut", "--json").result
    assert result["drops"] == {"cut_by_snap_length": len(cut)}
    assert result["warnings"] == []

    bypass = tmp_path / "bypass.toml"
    bypass.write_text('[[policies]]\naction = "bypass"\n')
    result = run("replay", tmp_path / "cut.pcap", "--scenario", bypass, "--json").result
    assert (result["packets"]["bypass"], result["warnings"]) == (100, [])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"Hello, this is no capture at all.", "not a capture: begins with 48 65 6c 6c"),
        (b"", "empty; expected a pcap or pcapng file"),
        (b"\xd4\xc3\xb2\xa1\x02\x00", "header"),
        (gzip.compress(b"neither is this"), "not a capture"),
        (struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 147), "link type 147"),
    ],
    ids=["text", "empty", "half a header", "gzip of text", "unknown link type"],
)
def test_a_file_that_is_no_capture_gives_one_clear_line(
    content: bytes, expected: str, run: Callable[..., Any], tmp_path: Path
) -> None:
    """Status 2, the file's name, what was found; and nothing has been written."""
    (tmp_path / "x.pcap").write_bytes(content)
    ran = run("replay", tmp_path / "x.pcap", "--write-esp", tmp_path / "esp.pcap")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"saactors: {tmp_path / 'x.pcap'}: ")
    assert expected in ran.err
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "esp.pcap").exists()


def test_a_file_that_cannot_be_read_gives_one_clear_line(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    """Not there, a directory, not to be read."""
    locked = tmp_path / "locked.pcap"
    locked.write_bytes(b"x")
    locked.chmod(0)
    if os.geteuid() == 0:  # who may read everything meets another kind of unreadable file
        locked = Path("/proc/self/mem")
    for path in (tmp_path / "missing.pcap", tmp_path, locked):
        ran = run("replay", path)
        assert (ran.status, ran.out) == (2, "")
        assert ran.err.startswith(f"saactors: {path}: cannot be ")
        assert ran.err.count("\n") == 1


def test_nothing_on_standard_input_is_said_clearly(run_process: Callable[..., Any]) -> None:
    """An empty pipe is no capture either."""
    ran = run_process("replay", "-")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == "saactors: standard input: empty; expected a pcap or pcapng file\n"


def test_the_addresses_of_the_summary_are_those_of_the_packets(
    run: Callable[..., Any], office_capture: Path
) -> None:
    """Flows of IPv4 and IPv6, each with its ports."""
    hottest = run("replay", office_capture, "--json").result["hottest"]
    assert len(hottest) == 5
    assert "10.1.0.1:50000" in {sa["source"] for sa in hottest}
    assert "[2001:db8:1::3]:40003" in {sa["source"] for sa in hottest}
    assert all(ip_address(sa["destination"].rpartition(":")[0].strip("[]")) for sa in hottest)
