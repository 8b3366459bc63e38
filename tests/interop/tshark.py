"""Wireshark: tshark decrypts our captures with our key tables.

    .venv/bin/python tests/interop/tshark.py --rows OUT.json

A capture and an ``esp_sa`` table are written as a user of ``saactors replay`` would have them. What
is inside is compared with its padding and next header. What Wireshark 4.0 does not know is in both
all the same: it must not disturb the rest, and must not be opened, or this list is out of date.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from forms import Form, forms_of
from peer_script import main
from rows import Row, added

from saactors.esp.outbound import OutboundProcessor
from saactors.esp.sa_formats.wireshark import format_key_table
from saactors.esp.suites import SUITES
from saactors.model.sa import Mode
from saactors.traces.writer import CaptureWriter

_VERSION: Final = "4.0"  # of which the following is true
_PEER: Final = f"tshark {_VERSION}"
# No CCM and GMAC at all; ChaCha20-Poly1305 and extended numbers since 4.2.
_UNKNOWN: Final = frozenset(s.name for s in SUITES if not s.wireshark_encryption) | {
    "chacha20-poly1305"
}
_IP_HEADER_BYTES: Final = {4: 20, 6: 40}
_IP_IN_IP: Final = {4: 4, 6: 41}
_ICMP: Final = {4: 1, 6: 58}
_SPIS_A_SUITE: Final = 100
_YES: Final = {"1", "True"}


@dataclass(frozen=True)
class Sent:
    """A packet of ours, what tshark has to find in it, and whether its ICV was broken."""

    form: Form
    packet: bytes
    inside: bytes
    is_forged: bool = False


@dataclass(frozen=True)
class Seen:
    """What tshark says of a packet's ICV, and what it found inside."""

    is_good: bool
    is_bad: bool
    data: bytes


def why_not() -> str:
    """What is missing for this to run; "" if nothing is."""
    if shutil.which("tshark") is None:
        return "tshark not found; apt-get install tshark"
    done = subprocess.run(["tshark", "--version"], capture_output=True, text=True, check=True)
    found = done.stdout.partition("\n")[0]
    return "" if f" {_VERSION}." in found else f"found {found}, expected {_VERSION}"


def run(folder: Path) -> list[Row]:
    """A row for each suite and mode."""
    sent = list(_sent())
    with CaptureWriter(folder / "capture.pcap") as writer:
        lengths = np.array([len(each.packet) for each in sent], np.int32)
        octets = b"".join(each.packet for each in sent)
        starts = np.cumsum(lengths, dtype=np.int64) - lengths
        writer.write(octets, starts, lengths, np.arange(len(sent), dtype=np.int64))
    (folder / "wireshark").mkdir(mode=0o700)
    forms = {each.form.association.spi: each.form for each in sent}.values()
    table = format_key_table(form.association for form in forms)
    (folder / "wireshark" / "esp_sa").write_text(table)
    seen = _decrypted(folder)
    assert len(seen) == len(sent), f"tshark shows {len(seen)} of {len(sent)} packets"
    for each, fields in zip(sent, seen, strict=True):
        name = each.form.association.suite
        assert name not in _UNKNOWN or not fields.data, f"tshark knows {name} after all"
    return added(
        _row(each, fields)
        for each, fields in zip(sent, seen, strict=True)
        if each.form.association.suite not in _UNKNOWN
    )


def _sent() -> Iterator[Sent]:
    """Good packets, and one forged for each form."""
    for number, suite in enumerate(SUITES):
        for form in forms_of(suite, _SPIS_A_SUITE * (number + 10)):
            if form.association.extended_sequence:
                continue
            sealed = [
                outcome.packets[0]
                for outcome in OutboundProcessor([form.association]).process(
                    form.packets, [0] * len(form.packets)
                )
            ]
            for packet, plain in zip(sealed, form.packets, strict=True):
                yield Sent(form, packet, _inside(form, plain))
            last = sealed[-1]
            yield Sent(form, last[:-1] + bytes([last[-1] ^ 1]), b"", is_forged=True)


def _inside(form: Form, plain: bytes) -> bytes:
    """What of a packet is encrypted: payload, padding, its length and next header."""
    version, is_tunnel = plain[0] >> 4, form.association.mode is Mode.TUNNEL
    payload = plain if is_tunnel else plain[_IP_HEADER_BYTES[version] :]
    padding = -(len(payload) + 2) % form.association.parameters.align_bytes
    next_header = (_IP_IN_IP if is_tunnel else _ICMP)[version]
    return payload + bytes([*range(1, padding + 1), padding, next_header])


def _decrypted(folder: Path) -> list[Seen]:
    """What tshark makes of each packet."""
    words = ["tshark", "-r", f"{folder}/capture.pcap", "-T", "fields"]
    for name in ("encryption_decode", "authentication_check"):
        words += ["-o", f"esp.enable_{name}:TRUE"]
    for field in ("icv_good", "icv_bad", "decrypted_data"):
        words += ["-e", f"esp.{field}"]
    environment = {**os.environ, "XDG_CONFIG_HOME": str(folder), "HOME": str(folder)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    lines = (line.split("\t") for line in done.stdout.splitlines())
    return [
        Seen(good in _YES, bad in _YES, bytes.fromhex(data.replace(":", "")))
        for good, bad, data in lines
    ]


def _row(sent: Sent, seen: Seen) -> Row:
    name = (_PEER, sent.form.association.suite, sent.form.mode, "→ peer")
    if sent.is_forged:
        return Row(*name, 0, 0, 1, seen.is_bad and not seen.is_good)
    return Row(*name, 1, seen.is_good and seen.data == sent.inside)


if __name__ == "__main__":
    sys.exit(main(__doc__, _PEER, why_not, run))
