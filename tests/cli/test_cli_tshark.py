"""Wireshark opens what ``--write-esp`` wrote and decrypts it with what ``--write-keys`` wrote."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

UDP = '[[policies]]\naction = "protect"\nsa_per = "flow"\n[policies.template]\n'
UDP += 'suite = "aes-gcm-128"\nsource = "192.0.2.1"\ndestination = "198.51.100.1"\n'
UDP += "udp_encapsulation = true\n"


def dissected(capture: Path, keys: Path, profile: Path) -> list[list[str]]:
    """Of each packet as tshark sees it: whether the ICV is good, and the port inside."""
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("TSHARK MISSING: install it (apt-get install tshark) to check what we write")
    (profile / "wireshark").mkdir()
    shutil.copy(keys, profile / "wireshark" / "esp_sa")
    command = [
        tshark, "-r", str(capture), "-T", "fields",
        "-o", "esp.enable_encryption_decode:TRUE",
        "-o", "esp.enable_authentication_check:TRUE",
        "-e", "esp.icv_good", "-e", "tcp.dstport", "-e", "udp.dstport",
    ]  # fmt: skip
    environment = os.environ | {"XDG_CONFIG_HOME": str(profile), "HOME": str(profile)}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return [line.split("\t") for line in ran.stdout.splitlines()]


@pytest.mark.parametrize("options", [
    ("--suite", "aes-gcm-128"),
    ("--suite", "aes-gcm-256", "--mode", "transport"),
    ("--suite", "aes-gcm-192", "--sa-per", "host-pair", "--profile", "netdevsim"),
    ("--scenario", UDP),
], ids=["tunnel", "transport", "host pairs", "in UDP"])  # fmt: skip
def test_tshark_decrypts_every_packet_with_its_icv_good(
    run: Callable[..., Any], office_capture: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """AES-GCM, which every Wireshark knows (ChaCha20-Poly1305 came with 4.2); software or card."""
    esp, keys = tmp_path / "esp.pcap", tmp_path / "esp_sa"
    if options[0] == "--scenario":
        (tmp_path / "udp.toml").write_text(options[1])
        options = ("--scenario", str(tmp_path / "udp.toml"))
    found = run(
        "replay", office_capture, "--write-esp", esp, "--write-keys", keys, "--json", *options
    ).result
    assert min(found["packets"]["nic"], found["packets"]["software"]) > 0
    seen = dissected(esp, keys, tmp_path)
    assert len(seen) == 100
    for number, (icv_good, tcp_port, udp_port) in enumerate(seen):
        assert icv_good == "1"
        inside = tcp_port if number % 5 % 2 else udp_port.rpartition(",")[2]
        assert inside == ("443" if number % 5 % 2 else "5999")


def test_the_key_table_is_readable_by_its_owner_alone(
    run: Callable[..., Any], office_capture: Path, tmp_path: Path
) -> None:
    """Mode 0600, also where the file was there before (law 10)."""
    keys = tmp_path / "esp_sa"
    keys.write_text("")
    keys.chmod(0o644)
    run("replay", office_capture, "--write-keys", keys)
    assert keys.stat().st_mode & 0o777 == 0o600
    assert len(keys.read_text().splitlines()) == 5
