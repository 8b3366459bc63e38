"""``--direction in``: what one replay has sealed another opens, and so it does with real stacks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import dpkt
import pytest

from saactors.esp.fragments import fragment
from saactors.esp.suites import SUITES, Suite

Packets: TypeAlias = list[tuple[int, bytes]]
Run: TypeAlias = Callable[..., Any]
PacketsOf: TypeAlias = Callable[[Path], list[bytes]]

# One of each kind; tests/esp goes through them all.
SUITE_NAMES = (
    "aes-gcm-128", "aes-gcm-256-icv8", "chacha20-poly1305", "aes-ccm-192", "aes-gmac-256",
    "aes-cbc-128-hmac-sha1-96", "aes-ctr-256-hmac-sha2-512-256", "null-hmac-sha2-384-192",
)  # fmt: skip
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


@pytest.mark.parametrize("udp", [False, True])
@pytest.mark.parametrize("outer", [ENDPOINTS, ENDPOINTS_V6], ids=["IPv4", "IPv6"])
def test_fragments_of_esp_packets_are_put_together(
    there_and_back: Callable[..., Any], run: Run, office_capture: Path, office: Packets,
    tmp_path: Path, packets_of: PacketsOf, written_pcap: Callable[..., bytes], outer: str,
    udp: bool,
) -> None:  # fmt: skip
    """Later ones first; what stays incomplete is counted, and so is every other fragment."""
    scenario = tmp_path / "cut.toml"
    scenario.write_text(
        f'[[policies]]\naction = "protect"\nsa_per = "flow"\n[policies.template]\n{outer}\n'
        f'suite = "aes-gcm-256"\nudp_encapsulation = {str(udp).lower()}\n'
    )
    there_and_back(office_capture, "--scenario", scenario)
    cut = [
        list(reversed(fragment(packet, 256, number)))
        for number, packet in enumerate(packets_of(tmp_path / "esp.pcap"))
    ]
    lost = next(number for number, pieces in enumerate(cut) if len(pieces) > 2)
    cut[lost].pop()
    pieces = [piece for packet in cut for piece in packet]
    (tmp_path / "cut.pcap").write_bytes(
        written_pcap([(20_000 * n, piece) for n, piece in enumerate(pieces)])
    )
    found = run(
        "replay", tmp_path / "cut.pcap", "--json", "--direction", "in",
        "--keys", tmp_path / "esp_sa", "--write-plain", tmp_path / "plain.pcap",
    ).result  # fmt: skip
    whole = [packet for number, (_, packet) in enumerate(office) if number != lost]
    assert found["drops"] == {"fragment_held": len(pieces) - len(whole)}
    assert packets_of(tmp_path / "plain.pcap") == whole


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
    lines = []
    for sa in keys:
        suite, sequence = suite_of(sa)
        encryption = suite.wireshark_encryption or suite.ike_proposal
        fields = ["IPv4", sa["src"], sa["dst"], sa["spi"], encryption, f"0x{sa['enc_key']}"]
        fields += [suite.wireshark_integrity or "NULL", f"0x{sa['integ_key']}"]
        if sequence == "EXT_SEQ":
            fields += ["64-bit", "0"]
        lines.append(",".join(f'"{field}"' for field in fields))
    return "\n".join(lines) + "\n"


def suite_of(sa: dict[str, Any]) -> tuple[Suite, str]:
    """The suite of a captured proposal, and what it says of sequence numbers."""
    proposal, _, sequence = sa["proposal"].removeprefix("ESP:").rpartition("/")
    return BY_IKE[proposal], sequence


def scenario(keys: list[dict[str, Any]]) -> str:
    """The SAs of a real stack as a scenario has them."""
    text = '[replay]\ndirection = "in"\n'
    for sa in keys:
        suite, sequence = suite_of(sa)
        text += (
            f'[[sas]]\nname = "sa-{sa["spi"]}"\nspi = "{sa["spi"]}"\ndirection = "in"\n'
            f'suite = "{suite.name}"\n'
            f'source = "{sa["src"]}"\ndestination = "{sa["dst"]}"\n'
            f"extended_sequence = {str(sequence == 'EXT_SEQ').lower()}\n"
            f"first_sequence = {sa.get('first_seq64', 1)}\n"
        )
        for name in ("key", "integrity_key"):
            octets = sa["enc_key" if name == "key" else "integ_key"]
            text += f'{name} = "0x{octets}"\n' if octets else ""
    return text


# Packets of real stacks, and what is no ESP among them. The counts are those of our own first
# runs; what is independent is the comparison with inner.pcap.
REAL: dict[str, tuple[int, dict[str, int]]] = {
    "strongswan": (560, {"ike": 22}),
    "linux-kernel": (774, {"not_esp": 1}),
    "dpdk": (872, {}),
}


@pytest.mark.shared
@pytest.mark.parametrize("stack", REAL)
@pytest.mark.parametrize("given", ["key table", "scenario"])
def test_every_packet_of_a_real_stack_comes_out(
    run: Run, shared_folder: Path, tmp_path: Path, packets_of: PacketsOf, stack: str, given: str
) -> None:
    """Byte for byte and in order, extended sequence numbers across 2³² and ESP in UDP included."""
    folder, (esp, others) = shared_folder / "captures" / stack, REAL[stack]
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
    assert found["drops"] == others
    assert found["packets"]["out"] == esp
    with (folder / "inner.pcap").open("rb") as file:
        assert packets_of(plain) == [bytes(packet) for _, packet in dpkt.pcap.Reader(file)]


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
