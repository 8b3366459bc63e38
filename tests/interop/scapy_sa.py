"""scapy's idea of an SA of ours: an independent implementation of ESP, in this process.

scapy is GPL and serves as a yardstick only; nothing in the package imports it.
"""

from __future__ import annotations

import logging
from typing import Any, Final

logging.getLogger("scapy").setLevel(logging.ERROR)

from scapy.layers.inet import IP, UDP  # noqa: E402  scapy first has to be quiet
from scapy.layers.inet6 import IPv6  # noqa: E402  ditto
from scapy.layers.ipsec import ESP, SecurityAssociation  # noqa: E402  ditto

from saactors.esp.association import Association  # noqa: E402  ditto
from saactors.esp.suites import Encryption, Integrity, Suite  # noqa: E402  ditto
from saactors.model.sa import Mode  # noqa: E402  ditto

_ENCRYPTIONS: Final = {
    Encryption.GCM: "AES-GCM",
    Encryption.CHACHA20_POLY1305: "CHACHA20-POLY1305",
    Encryption.CCM: "AES-CCM",
    Encryption.GMAC: "AES-NULL-GMAC",
    Encryption.CBC: "AES-CBC",
    Encryption.CTR: "AES-CTR",
    Encryption.NULL: "NULL",
}
_INTEGRITIES: Final = {
    Integrity.SHA1: "HMAC-SHA1-96",
    Integrity.SHA2_256: "SHA2-256-128",
    Integrity.SHA2_384: "SHA2-384-192",
    Integrity.SHA2_512: "SHA2-512-256",
}


def has(suite: Suite) -> bool:
    """Whether scapy has a suite: all but those with shorter ICVs of combined modes."""
    return not suite.is_combined or suite.icv_bytes == 16


def scapy_sa(sa: Association) -> Any:
    """The same SA in scapy."""
    header = None
    if sa.mode is Mode.TUNNEL:
        layer = IP if sa.source.version == 4 else IPv6
        header = layer(src=str(sa.source), dst=str(sa.destination))
    return SecurityAssociation(
        ESP,
        spi=sa.spi,
        crypt_algo=_ENCRYPTIONS[sa.parameters.encryption],
        crypt_key=sa.key,
        auth_algo=_INTEGRITIES.get(sa.parameters.integrity),
        auth_key=sa.integrity_key or None,
        tunnel_header=header,
        nat_t_header=UDP(sport=sa.source_port, dport=sa.destination_port)
        if sa.source_port
        else None,
        esn_en=sa.extended_sequence,
        esn=sa.first_sequence >> 32,
    )


def plaintext(peer: Any, packet: bytes) -> tuple[bytes, bytes, int]:
    """Payload, padding and next header, which scapy itself does not look at in tunnel mode."""
    esp = parsed(packet)[ESP]
    icv_bytes = peer.crypt_algo.icv_size or peer.auth_algo.icv_size
    opened = peer.crypt_algo.decrypt(
        peer, esp, peer.crypt_key, icv_bytes, esn_en=peer.esn_en, esn=peer.esn
    )
    return bytes(opened.data), bytes(opened.padding), int(opened.nh)


def parsed(packet: bytes) -> Any:
    """An IP packet as scapy sees it."""
    return (IP if packet[0] >> 4 == 4 else IPv6)(packet)
