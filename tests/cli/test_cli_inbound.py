"""``--direction in``: what one replay has sealed another opens, and so it does with real stacks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import dpkt
import pytest

from saactors.esp.suites import SUITES

Packets: TypeAlias = list[tuple[int, bytes]]
Run: TypeAlias = Callable[..., Any]
PacketsOf: TypeAlias = Callable[[Path], list[bytes]]

SUITE_NAMES = [suite.name for suite in SUITES]
ENDPOINTS = 'source = "192.0.2.1"\ndestination = "198.51.100.1"'
ENDPOINTS_V6 = 'source = "2001:db8::a"\ndestination = "2001:db8::b"'
BY_IKE = {suite.ike_proposal: suite for suite in SUITES}


@pytest.fixture
def there_and_back(run: Run, tmp_path: Path) -> Callable[..., Any]:
    """Seal a capture, open what came out with the key table; returns the second result."""

    def there_and_back(capture: Path, *options: object) -> Any:
        esp, keys, plain = tmp_path / "esp.pcap", tmp_path / "esp_sa", tmp_path / "plain.pcap"
        there = run("replay", capture, "--json", "--write-esp", esp, "--write-keys", keys, *options)
        assert there.status == 0, there.err
        return run(
            "replay", esp, "--json", "--direction", "in", "--keys", keys, "--write-plain", plain
        ).result

    return there_and_back


@pytest.mark.parametrize("suite", SUITE_NAMES)
@pytest.mark.parametrize("mode", ["tunnel", "transport"])
def test_what_was_sealed_comes_back_byte_for_byte(
    there_and_back: Callable[..., Any], office_capture: Path, office: Packets, tmp_path: Path,
    packets_of: PacketsOf, suite: str, mode: str,
) -> None:  # fmt: skip
    """IPv4 and IPv6, in order, although a key table does not say which mode its SAs have."""
    result = there_and_back(office_capture, "--suite", suite, "--mode", mode)
    assert result["direction"] == "in"
    assert result["drops"] == {}
    assert packets_of(tmp_path / "plain.pcap") == [packet for _, packet in office]


@pytest.mark.parametrize("outer", [ENDPOINTS, ENDPOINTS_V6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("mode", ["tunnel", "transport"])
def test_esp_in_udp_comes_back_too(
    there_and_back: Callable[..., Any], office_capture: Path, office: Packets, tmp_path: Path,
    packets_of: PacketsOf, outer: str, mode: str,
) -> None:  # fmt: skip
    """Port 4500 (RFC 3948), over IPv4 and IPv6."""
    scenario = tmp_path / "udp.toml"
    scenario.write_text(
        f'[[policies]]\naction = "protect"\nsa_per = "flow"\n[policies.template]\n{outer}\n'
        f'suite = "aes-gcm-256"\nmode = "{mode}"\nudp_encapsulation = true\n'
    )
    result = there_and_back(office_capture, "--scenario", scenario)
    assert result["drops"] == {}
    assert packets_of(tmp_path / "plain.pcap") == [packet for _, packet in office]
    for packet in packets_of(tmp_path / "esp.pcap"):
        ip: Any = dpkt.ip.IP(packet) if packet[0] >> 4 == 4 else dpkt.ip6.IP6(packet)
        assert (ip.data.sport, ip.data.dport) == (4500, 4500)


@pytest.mark.parametrize("first", [1, 2**32 - 50, 2**33 + 5])
def test_extended_sequence_numbers_come_back_wherever_they_begin(
    there_and_back: Callable[..., Any], office_capture: Path, office: Packets, tmp_path: Path,
    packets_of: PacketsOf, first: int,
) -> None:  # fmt: skip
    """At 1, across 2³², and far beyond it: the key table has the first number's high half."""
    (tmp_path / "esn.toml").write_text(
        '[[policies]]\naction = "protect"\nsa = "all"\n[[sas]]\nname = "all"\nspi = 4096\n'
        f'suite = "aes-gcm-128"\nkey_from_seed = true\n{ENDPOINTS}\n'
        f"extended_sequence = true\nfirst_sequence = {first}\n"
    )
    result = there_and_back(office_capture, "--scenario", tmp_path / "esn.toml")
    assert result["drops"] == {}
    assert packets_of(tmp_path / "plain.pcap") == [packet for _, packet in office]


def test_what_is_no_good_esp_is_counted_under_its_name(
    there_and_back: Callable[..., Any], run: Run, office_capture: Path, office: Packets,
    tmp_path: Path, packets_of: PacketsOf, written_pcap: Callable[..., bytes],
) -> None:  # fmt: skip
    """Forged, replayed, unknown, too short, IKE, keep-alive, and plain traffic."""
    there_and_back(office_capture, "--suite", "aes-gcm-256")
    good = packets_of(tmp_path / "esp.pcap")
    forged, unknown = bytearray(good[7]), bytearray(good[8])
    forged[-20] ^= 1
    unknown[20:24] = b"\x00\x00\x10\x00"

    def udp(port: int, payload: bytes) -> bytes:
        segment = dpkt.udp.UDP(sport=port, dport=port, ulen=8 + len(payload), data=payload)
        return bytes(dpkt.ip.IP(src=good[0][12:16], dst=good[0][16:20], p=17, data=segment))

    short = bytes(dpkt.ip.IP(src=good[0][12:16], dst=good[0][16:20], p=50, data=b"\0" * 7))
    mixed = [
        *good[:7], bytes(forged), *good[7:], good[3], good[3], bytes(unknown), short,
        udp(500, bytes(40)), udp(4500, bytes(4) + b"IKE in UDP 4500"), udp(4500, b"\xff"),
        office[0][1],
    ]  # fmt: skip
    (tmp_path / "mixed.pcap").write_bytes(
        written_pcap([(20_000 * n, p) for n, p in enumerate(mixed)])
    )
    found = run(
        "replay", tmp_path / "mixed.pcap", "--json", "--direction", "in",
        "--keys", tmp_path / "esp_sa", "--write-plain", tmp_path / "plain.pcap",
    ).result  # fmt: skip
    assert found["drops"] == {
        "icv_failed": 1, "replayed": 2, "unknown_spi": 1, "malformed_esp": 1,
        "ike": 2, "nat_keepalive": 1, "not_esp": 1,
    }  # fmt: skip
    assert packets_of(tmp_path / "plain.pcap") == [packet for _, packet in office]


def key_table(keys: list[dict[str, Any]]) -> str:
    """The SAs of a real stack as Wireshark would have them."""
    names = {
        "AES_GCM_16": ("AES-GCM with 16 octet ICV [RFC4106]", "NULL"),
        "AES_GCM_12": ("AES-GCM with 12 octet ICV [RFC4106]", "NULL"),
        "AES_GCM_8_": ("AES-GCM with 8 octet ICV [RFC4106]", "NULL"),
        "CHACHA20_P": ("ChaCha20 with Poly1305 [RFC7634]", "NULL"),
    }
    others = ("AES-CBC [RFC3602]", "HMAC-SHA-256-128 [RFC4868]")
    lines = []
    for sa in keys:
        proposal, _, sequence = sa["proposal"].removeprefix("ESP:").rpartition("/")
        encryption, authentication = names.get(proposal[:10], others)
        fields = ["IPv4", sa["src"], sa["dst"], sa["spi"], encryption, f"0x{sa['enc_key']}"]
        fields += [authentication, f"0x{sa['integ_key']}"]
        if sequence == "EXT_SEQ":
            fields += ["64-bit", "0"]
        lines.append(",".join(f'"{field}"' for field in fields))
    return "\n".join(lines) + "\n"


def scenario(keys: list[dict[str, Any]]) -> str:
    """The SAs of our suites as a scenario has them."""
    text = '[replay]\ndirection = "in"\n'
    for sa in keys:
        proposal, _, sequence = sa["proposal"].removeprefix("ESP:").rpartition("/")
        if proposal not in BY_IKE:
            continue
        text += (
            f'[[sas]]\nname = "sa-{sa["spi"]}"\nspi = "{sa["spi"]}"\ndirection = "in"\n'
            f'suite = "{BY_IKE[proposal].name}"\nkey = "0x{sa["enc_key"]}"\n'
            f'source = "{sa["src"]}"\ndestination = "{sa["dst"]}"\n'
            f"extended_sequence = {str(sequence == 'EXT_SEQ').lower()}\n"
            f"first_sequence = {sa.get('first_seq64', 1)}\n"
        )
    return text


# Packets by what becomes of them: ours, of other suites, and what is no ESP. The counts are those
# of our own first runs; what is independent is the comparison with inner.pcap.
REAL = {
    "strongswan": (224, 336, {"ike": 22}),
    "linux-kernel": (387, 387, {"not_esp": 1}),
    "dpdk": (545, 327, {}),
}


@pytest.mark.shared
@pytest.mark.parametrize("stack", REAL)
@pytest.mark.parametrize("given", ["key table", "scenario"])
def test_every_packet_of_a_real_stack_and_our_suites_comes_out(
    run: Run, shared_folder: Path, tmp_path: Path, packets_of: PacketsOf, stack: str, given: str
) -> None:
    """Byte for byte and in order, extended sequence numbers across 2³² and ESP in UDP included."""
    folder, ours, others = shared_folder / "captures" / stack, *REAL[stack][:2]
    keys = json.loads((folder / "keys.json").read_text())
    if given == "key table":
        (tmp_path / "esp_sa").write_text(key_table(keys))
        options: tuple[object, ...] = ("--direction", "in", "--keys", tmp_path / "esp_sa")
    else:
        (tmp_path / "in.toml").write_text(scenario(keys))
        options = ("--scenario", tmp_path / "in.toml")
    plain = tmp_path / "plain.pcap"
    found = run(
        "replay", folder / "capture.pcap", *options, "--write-plain", plain, "--json"
    ).result
    unknown = "unsupported_suite" if given == "key table" else "unknown_spi"
    assert found["drops"] == {unknown: others, **REAL[stack][2]}
    assert found["packets"]["out"] == ours
    assert packets_of(plain) == expected_of(folder, keys)


def expected_of(folder: Path, keys: list[dict[str, Any]]) -> list[bytes]:
    """The inner packets of our suites: inner.pcap has one for each ESP packet of the capture."""
    ours = {
        int(sa["spi"], 16)
        for sa in keys
        if sa["proposal"].removeprefix("ESP:").rpartition("/")[0] in BY_IKE
    }
    spis = [spi for spi in map(spi_of, ip_packets(folder / "capture.pcap")) if spi is not None]
    with (folder / "inner.pcap").open("rb") as file:
        inner = [bytes(packet) for _, packet in dpkt.pcap.Reader(file)]
    return [packet for packet, spi in zip(inner, spis, strict=True) if spi in ours]


def ip_packets(path: Path) -> list[Any]:
    """The IPv4 packets of an Ethernet capture."""
    with path.open("rb") as file:
        frames = [dpkt.ethernet.Ethernet(frame) for _, frame in dpkt.pcap.Reader(file)]
    return [frame.data for frame in frames if isinstance(frame.data, dpkt.ip.IP)]


def spi_of(ip: Any) -> int | None:
    """SPI of an ESP packet, in UDP or not; None for any other."""
    octets = bytes(ip)[4 * ip.hl :]
    if ip.p == dpkt.ip.IP_PROTO_UDP and 4500 in (ip.data.sport, ip.data.dport):
        octets = octets[8:]
    elif ip.p != dpkt.ip.IP_PROTO_ESP:
        return None
    return int.from_bytes(octets[:4]) or None  # 0: IKE's non-ESP marker


def test_a_key_table_that_cannot_be_read_is_told_without_its_keys(
    run: Run, office_capture: Path, tmp_path: Path
) -> None:
    """File and line, and nothing of what may be a key (law 10)."""
    secret = "0123456789abcdef0123456789abcdef"
    table = tmp_path / "esp_sa"
    for text, expected in (
        (f'"IPv4","*","*","0x1","AES-GCM with 16 octet ICV [RFC4106]","0x{secret}","NULL",""',
         f"{table}:1: field 6: found a key of 16 bytes, expected 20 or 28 or 36 with salt"),
        (f'"IPv4","*","*",0x{secret}', f"{table}:1: field 4: expected text in double quotes"),
    ):  # fmt: skip
        table.write_text(text + "\n")
        ran = run("replay", office_capture, "--direction", "in", "--keys", table)
        assert (ran.status, ran.out) == (2, "")
        assert ran.err == f"saactors: {expected}\n"
    ran = run("replay", office_capture, "--direction", "in", "--keys", tmp_path / "none")
    assert ran.status == 2
    assert "cannot be read as a key table: No such file or directory" in ran.err
