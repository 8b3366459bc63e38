"""ESP by the burst: ``Sealer`` and ``Opener`` against the bare primitive, and against scapy.

The primitive encrypts or decrypts the same bytes in a loop over one keyed object (see ``bare``), so
a ratio of 0.8 says that a packet through ESP takes a quarter longer than its cryptography as Python
calls it. Tunnel mode over IPv4, ten SAs by turns. Every suite at one size, one of each kind at all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from scapy.layers.inet import IP
from scapy.layers.ipsec import ESP, SecurityAssociation

from benchmarks.bare import contexts, decrypt_all, encrypt_all, ip_packets, nonce_bytes
from benchmarks.figures import Aim, Cell, Column, Section
from benchmarks.rounds import Effort, contend_work
from benchmarks.traffic import IP_BYTES, uniform_flows, write_capture
from saactors.esp.open import Opener
from saactors.esp.seal import Sealer
from saactors.esp.suites import SUITE_NUMBERS, SUITES, Encryption, Integrity
from saactors.model.sa import SaTable
from saactors.streams.sa_maker import SaMaker, SaTemplate
from saactors.traces.reader import open_capture

SIZES: Final = (64, 576, 1400)
SIZE_OF_ALL: Final = 576
SUITES_AT_ALL_SIZES: Final = (
    "aes-gcm-128", "aes-gcm-256", "chacha20-poly1305", "aes-ccm-128", "aes-gmac-128",
    "aes-cbc-128-hmac-sha2-256-128", "aes-ctr-128-hmac-sha2-256-128", "null-hmac-sha2-256-128",
)  # fmt: skip
BURST: Final = 256
BURSTS: Final = 100
SAS: Final = 10
SCAPY_PACKETS: Final = 100
PROTOCOL_ESP: Final = 50
SCAPY_TIMES: Final = 300  # so much faster than scapy we want to be
SCAPY_ENCRYPTIONS: Final = {
    Encryption.GCM: "AES-GCM",
    Encryption.CHACHA20_POLY1305: "CHACHA20-POLY1305",
    Encryption.CCM: "AES-CCM",
    Encryption.GMAC: "AES-NULL-GMAC",
    Encryption.CBC: "AES-CBC",
    Encryption.CTR: "AES-CTR",
    Encryption.NULL: "NULL",
}
SCAPY_INTEGRITIES: Final = {
    Integrity.SHA1: "HMAC-SHA1-96",
    Integrity.SHA2_256: "SHA2-256-128",
    Integrity.SHA2_384: "SHA2-384-192",
    Integrity.SHA2_512: "SHA2-512-256",
}

Burst: TypeAlias = tuple[npt.NDArray[np.uint8], npt.NDArray[np.void]]  # data, PACKET records

COLUMNS: Final = (
    Column("suite", "\n\nsuite"),
    Column("ip_bytes", "\nIP\nbytes", "d"),
    Column("bare_encrypt_ns", "bare\nencrypt\nns", ",.0f"),
    Column("seal_ratio", "bare/\nseal\nby 256", ".2f"),
    Column("seal_one_ratio", "bare/\nseal\nby 1", ".2f"),
    Column("bare_decrypt_ns", "bare\ndecrypt\nns", ",.0f"),
    Column("open_ratio", "bare/\nopen\nby 256", ".2f"),
    Column("open_one_ratio", "bare/\nopen\nby 1", ".2f"),
    Column("scapy_seal_times", "scapy/\nseal\nby 256", ",.0f"),
    Column("scapy_open_times", "scapy/\nopen\nby 256", ",.0f"),
)


def measure(effort: Effort, folder: Path) -> Section:
    """Every suite at every size."""
    logging.getLogger("scapy").setLevel(logging.ERROR)
    rows = []
    for size in SIZES:
        path = write_capture(
            folder / f"{size}.pcap",
            np.full(BURST * effort.packets(BURSTS), size),
            uniform_flows(BURST * effort.packets(BURSTS), SAS),
            spacing_ns=1000,
        )
        rows += [
            compare(suite.name, size, path, effort)
            for suite in SUITES
            if size == SIZE_OF_ALL or suite.name in SUITES_AT_ALL_SIZES
        ]
    return Section(
        "ESP",
        f"Tunnel mode over IPv4, {SAS} SAs; ratios of speed to the bare primitive, in bursts of "
        f"{BURST} and of 1; scapy: how many times our time it takes, from bytes to bytes.",
        COLUMNS,
        tuple(sorted(rows, key=lambda row: SUITE_NUMBERS[str(row[0])])),
        tuple(
            Aim(
                f"{SIZE_OF_ALL} bytes, {word} by {BURST}: times scapy's speed, median of suites",
                median(_numbers(row[column] for row in rows if row[1] == SIZE_OF_ALL)),
                SCAPY_TIMES,
                spec=",.0f",
            )
            for word, column in (("sealing", -2), ("opening", -1))
        ),
    )


def _numbers(cells: Iterable[Cell]) -> list[float]:
    return [cell for cell in cells if isinstance(cell, float)]


def compare(suite: str, size: int, path: Path, effort: Effort) -> tuple[Cell, ...]:
    """A row."""
    traffic = Traffic.of(path, suite)
    timings = contend_work(traffic.works(), effort.rounds)

    def ratio(ours: str, other: str) -> float | None:
        return 1 / timings[ours].times(timings[other]) if other in timings else None

    return (
        suite,
        size,
        timings["encrypt"].cpu_ns,
        ratio("seal", "encrypt"),
        ratio("seal by 1", "encrypt"),
        timings["decrypt"].cpu_ns,
        ratio("open", "decrypt"),
        ratio("open by 1", "decrypt"),
        ratio("seal", "scapy seal"),
        ratio("open", "scapy open"),
    )


@dataclass(frozen=True)
class Traffic:
    """A capture's packets, plain and sealed, for everybody who takes part."""

    suite: str
    sas: SaTable
    plain: Sequence[Burst]
    sealed: Sequence[Burst]
    octets: Sequence[bytes]  # the plain packets

    @classmethod
    def of(cls, path: Path, suite: str) -> Traffic:
        """Read the capture, spread it over SAs of ``suite`` and seal it."""
        sas = SaTable()
        SaMaker([SaTemplate(SUITE_NUMBERS[suite])], seed=0).make(sas, np.zeros(SAS, np.int32))
        plain: list[Burst] = []
        with open_capture(path) as capture:
            for chunk in capture:
                number = capture.packets_read - len(chunk.packets) + np.arange(len(chunk.packets))
                chunk.packets["sa"] = number % SAS
                chunk.packets["sequence"] = 1 + number // SAS
                plain += [
                    (chunk.data, chunk.packets[start : start + BURST])
                    for start in range(0, len(chunk.packets), BURST)
                ]
        sealer = Sealer(sas)
        return cls(suite, sas, plain, [seal(sealer, burst) for burst in plain], ip_packets(path))

    def works(self) -> dict[str, Callable[[], int]]:
        """Everything that is timed, by name."""
        keyed, align = contexts(self.suite, 1)[0], SUITES[SUITE_NUMBERS[self.suite]].align_bytes
        first = [0] * len(self.octets)
        size = nonce_bytes(self.suite)
        nonces = [counter.to_bytes(size, "big") for counter in range(len(self.octets))]
        aligned = [packet.ljust(-(-len(packet) // align) * align, b"\0") for packet in self.octets]
        jobs = [
            (nonce, keyed.encrypt(nonce, packet, None))
            for nonce, packet in zip(nonces, aligned, strict=True)
        ]
        some = len(self.plain) // 10 + 1
        return {
            "encrypt": lambda: encrypt_all([keyed], first, aligned, size),
            "decrypt": lambda: decrypt_all(keyed, jobs),
            "seal": lambda: seal_all(self.sas, self.plain, BURST),
            "seal by 1": lambda: seal_all(self.sas, self.plain[:some], 1),
            "open": lambda: open_all(self.sas, self.sealed, BURST),
            "open by 1": lambda: open_all(self.sas, self.sealed[:some], 1),
            **scapy_works(self.suite, self.octets[:SCAPY_PACKETS]),
        }


def seal(sealer: Sealer, burst: Burst) -> Burst:
    """The burst sealed, with records as the inbound classifier would leave them."""
    data, plain = burst
    sealed = sealer.seal_packets(data, plain, np.arange(len(plain), dtype=np.int32))
    packets = plain.copy()
    packets["offset"] = sealed.starts
    packets["length_bytes"] = packets["captured_bytes"] = sealed.lengths
    packets["protocol"] = PROTOCOL_ESP
    packets["esp_offset"] = packets["transport_offset"] = IP_BYTES
    return sealed.data.copy(), packets


def seal_all(sas: SaTable, bursts: Sequence[Burst], size: int) -> int:
    """Seal everything, ``size`` packets at a time."""
    sealer, rows, count = Sealer(sas), np.arange(size, dtype=np.int32), 0
    for data, packets in bursts:
        for start in range(0, len(packets), size):
            part = packets[start : start + size]
            sealer.seal_packets(data, part, rows[: len(part)])
        count += len(packets)
    return count


def open_all(sas: SaTable, bursts: Sequence[Burst], size: int) -> int:
    """Open everything, ``size`` packets at a time."""
    opener, rows, count = Opener(sas), np.arange(size, dtype=np.int32), 0
    highest = np.zeros(size, np.uint64)
    for data, packets in bursts:
        for start in range(0, len(packets), size):
            part = packets[start : start + size]
            opener.open_packets(data, part, rows[: len(part)], highest[: len(part)])
        count += len(packets)
    return count


def scapy_works(suite: str, octets: Sequence[bytes]) -> dict[str, Callable[[], int]]:
    """Scapy, which like ours gets bytes and has to hand back bytes.

    Nothing for suites that it does not have, which are those with shorter ICVs.
    """
    parameters = SUITES[SUITE_NUMBERS[suite]]
    if parameters.is_combined and parameters.icv_bytes != 16:
        return {}
    peer: Any = SecurityAssociation(  # type: ignore[no-untyped-call]  # scapy is half typed
        ESP,
        spi=0x1001,
        crypt_algo=SCAPY_ENCRYPTIONS[parameters.encryption],
        crypt_key=bytes(parameters.key_bytes + parameters.salt_bytes),
        auth_algo=SCAPY_INTEGRITIES.get(parameters.integrity),
        auth_key=bytes(parameters.integrity_key_bytes) or None,
        tunnel_header=IP(src="192.0.2.1", dst="198.51.100.1"),
    )
    sealed = [bytes(peer.encrypt(IP(packet))) for packet in octets]
    return {
        "scapy seal": lambda: len([bytes(peer.encrypt(IP(packet))) for packet in octets]),
        "scapy open": lambda: len([bytes(peer.decrypt(IP(packet))) for packet in sealed]),
    }
