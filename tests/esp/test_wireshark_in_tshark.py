"""Wireshark itself: tshark decrypts what we sealed with the key table that we wrote."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from saactors.esp.association import association_at
from saactors.esp.sa_formats.wireshark import format_key_table
from saactors.esp.suites import SUITES
from saactors.model.sa import Mode

V4 = ("192.0.2.1", "198.51.100.2")
V6 = ("2001:db8::1", "2001:db8:ffff::2")
NOT_IN_TSHARK = {suite.name for suite in SUITES if not suite.wireshark_encryption} | {
    "chacha20-poly1305"  # known since Wireshark 4.2
}
RAW_IP = 101  # LINKTYPE_RAW


def pcap(packets: list[bytes]) -> bytes:
    """A capture of raw IP packets, a second apart."""
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, RAW_IP)
    return header + b"".join(
        struct.pack("<IIII", second, 0, len(packet), len(packet)) + packet
        for second, packet in enumerate(packets)
    )


def decrypted(capture: Path, profile: Path) -> list[list[str]]:
    """SPI, whether the ICV is good, and what was inside, as tshark sees each packet."""
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("TSHARK MISSING: install it (apt-get install tshark) to check our key tables")
    command = [
        tshark,
        "-r", str(capture),
        "-o", "esp.enable_encryption_decode:TRUE",
        "-o", "esp.enable_authentication_check:TRUE",
        "-T", "fields", "-e", "esp.spi", "-e", "esp.icv_good", "-e", "esp.decrypted_data",
    ]  # fmt: skip
    environment = os.environ | {"XDG_CONFIG_HOME": str(profile), "HOME": str(profile)}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return [line.split("\t") for line in run.stdout.splitlines()]


@pytest.mark.parametrize("mode", Mode)
def test_tshark_decrypts_our_packets_with_our_key_table(
    esp: Any, tmp_path: Path, mode: int
) -> None:
    """Every suite that tshark 4.0 knows, IPv4, IPv6 and UDP outside.

    The lines that it does not know, and the fields it has no use for, do no harm to the others.
    """
    rows = [
        (suite.name, outer, ports, extended)
        for suite in SUITES
        for outer in (V4, V6)
        for ports in ((0, 0), (4500, 4500))
        for extended in (False, True)
    ]
    forms = [
        esp.Form(suite, mode, outer, ports, extended, 0x1000 + number)
        for number, (suite, outer, ports, extended) in enumerate(rows)
    ]
    sas = esp.table(*forms)
    packets = [
        (esp.ipv4 if outer is V4 else esp.ipv6)(bytes([number % 256]) * 8, protocol=253, ends=outer)
        for number, (_, outer, _, _) in enumerate(rows)
    ]
    sealed = esp.seal(sas, packets, numbers=list(range(len(rows))))
    (tmp_path / "capture.pcap").write_bytes(pcap(sealed))
    (tmp_path / "wireshark").mkdir()
    table = format_key_table(association_at(sas, number) for number in range(len(sas)))
    (tmp_path / "wireshark" / "esp_sa").write_text(table)
    seen = decrypted(tmp_path / "capture.pcap", tmp_path)
    assert [int(spi, 16) for spi, *_ in seen] == [form.spi for form in forms]
    for (suite, _, _, extended), packet, (_, good, data) in zip(rows, packets, seen, strict=True):
        if suite in NOT_IN_TSHARK:
            continue
        inside = packet if mode == Mode.TUNNEL else packet[20 if packet[0] >> 4 == 4 else 40 :]
        assert data.replace(":", "").startswith(inside.hex())
        if not extended:  # checked since Wireshark 4.2
            assert good in {"1", "True"}
