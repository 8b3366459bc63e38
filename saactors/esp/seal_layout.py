"""What sealing writes besides ciphertext: outer headers, padding, nonces, associated data.

Compiled, a whole burst at a time. A sealed packet is

    outer headers [UDP] | SPI, sequence | IV | ciphertext and ICV

and is laid out as two stretches: the **head**, all before the ciphertext, and the **plain**, all
that becomes ciphertext (payload, TFC padding, padding 1, 2, 3 …, pad length, next header; RFC 4303
§2.4 to §2.7).

The IV is the 64-bit sequence number itself: unique per key, which is all that counter modes ask of
it (RFC 4106 §3.1, RFC 7634 §2). CBC wants one that nobody can foresee, and makes it from that
(``native_primitives.encipher``).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.esp.inner_headers import hop_limit_of, lower_hop_limit
from saactors.esp.outer_headers import finish_head, write_outer_header
from saactors.esp.scratch import EXTENDED, HEAD, PLAIN, SA
from saactors.esp.verdict_numbers import (
    CUT_BY_SNAP_LENGTH,
    HOP_LIMIT_EXCEEDED,
    MALFORMED_IP,
    PACKET_TOO_BIG,
    PACKET_TOO_LONG,
    PASSED,
    SEQUENCE_EXHAUSTED,
    SEQUENCE_ZERO,
)
from saactors.esp.wire import (
    ESP_HEADER_BYTES,
    ESP_TRAILER_BYTES,
    IPV4_HEADER_BYTES,
    IPV6_HEADER_BYTES,
    LENGTH_MAX,
    NO_NEXT_HEADER,
    UDP_HEADER_BYTES,
    Bytes,
    Records,
    copy_bytes,
    header_chain,
    ip_length,
    read_u16,
    signed,
)
from saactors.esp.words import write_words
from saactors.model.compiled import compiled
from saactors.model.sa import Mode

NO_ROOM: Final = -1

_TUNNEL: Final = int(Mode.TUNNEL)
_DO_NOT_FRAGMENT: Final = 0x4000
_IPV6_MTU_MIN_BYTES: Final = 1280  # RFC 8200 §5
_PADDING_MAX_BYTES: Final = 15  # what the largest block needs; more is TFC padding
_ALIGN_BYTES: Final = 4
_HALF: Final = np.uint64(32)  # bits of a sequence number's low half
_LOW_MASK: Final = np.uint64(0xFFFF_FFFF)


@compiled
def lay_out(
    data: Bytes,
    packets: Records,
    rows: npt.NDArray[np.int32],
    suite_sizes: Records,
    sas: Records,
    keys: Bytes,
    strips: Bytes,
    edges: npt.NDArray[np.int64],
    heads: Bytes,
    plains: Bytes,
    starts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int32],
    verdicts: Bytes,
    dummies: bool,
) -> tuple[int, int, int, int, int]:
    """Lay out a burst: everything but the encryption.

    ``rows`` (n,) names records of ``packets`` over ``data``; ``strips``, ``edges``, ``heads`` and
    ``plains`` are of a ``SealScratch`` with room for n packets. Row i of the result goes to
    ``starts``, ``lengths`` and ``verdicts`` (n,): where the sealed packet will lie once heads and
    ciphertexts are joined; a refused one has length 0.

    Returns the fields of ``Laid``. The first is NO_ROOM if heads or plains are too short: enlarge
    the scratch and try again.

    With ``dummies`` the packets become payloads of dummy packets (RFC 4303 §2.6), tunnelled in
    either mode.
    """
    live = extended = checksums = same_head = 0
    head_at = plain_at = start = 0
    edges[HEAD, 0] = edges[PLAIN, 0] = 0
    for i in range(len(rows)):
        packet = packets[rows[i]]
        sa = signed(packet["sa"])
        record = sas[sa]
        sizes = suite_sizes[record["suite"]]
        tunnels = dummies or record["mode"] == _TUNNEL
        verdict, place, field, head_bytes, plain_bytes = plan(data, packet, record, sizes, tunnels)
        starts[i] = start
        lengths[i] = 0
        verdicts[i] = verdict
        if verdict != PASSED:
            continue
        if head_at + head_bytes > len(heads) or plain_at + plain_bytes > len(plains):
            return NO_ROOM, 0, 0, 0, 0
        head = heads[head_at : head_at + head_bytes]
        plain = plains[plain_at : plain_at + plain_bytes]
        length = head_bytes + plain_bytes + signed(sizes["icv_bytes"])
        _write_packet(data, packet, place, field, record, length, head, plain, tunnels)
        if dummies:
            plain[len(plain) - 1] = NO_NEXT_HEADER
        esp = head_bytes - ESP_HEADER_BYTES - signed(sizes["iv_bytes"])
        write_words(strips[live], head, esp, sizes, keys[sa], signed(packet["sequence"] >> _HALF))

        extended += signed(record["extended_sequence"])
        checksums += record["source_port"] != 0 and head[0] >> 4 == 6
        same_head = head_bytes if live == 0 or head_bytes == same_head else 0
        head_at += head_bytes
        plain_at += plain_bytes
        edges[HEAD, live + 1], edges[PLAIN, live + 1] = head_at, plain_at
        edges[SA, live], edges[EXTENDED, live] = sa, record["extended_sequence"]
        live += 1
        lengths[i] = length
        start += length
    return live, extended, checksums, same_head, start


@compiled
def plan(
    data: Bytes, packet: np.void, record: np.void, sizes: np.void, tunnels: bool
) -> tuple[int, int, int, int, int]:
    """Whether and how a packet can be sealed, from its headers alone.

    Returns the verdict; in transport mode where the ESP header goes and where the protocol number
    before it stands, both from the packet's start (0 in tunnel mode); and the bytes of the head and
    of the plain.
    """
    start, length = packet["offset"], signed(packet["length_bytes"])
    captured = min(signed(packet["captured_bytes"]), length)
    assert start >= 0, "a packet begins before its data"
    assert start + captured <= len(data), "a packet ends behind its data"
    cut = CUT_BY_SNAP_LENGTH if captured < length else MALFORMED_IP
    if captured < IPV4_HEADER_BYTES:
        return cut, 0, 0, 0, 0
    if data[start] >> 4 == 6 and captured < IPV6_HEADER_BYTES:
        return cut, 0, 0, 0, 0
    if ip_length(data, start, start + length) != length:
        return MALFORMED_IP, 0, 0, 0, 0
    if packet["sequence"] == np.uint64(0):
        return SEQUENCE_ZERO, 0, 0, 0, 0
    if packet["sequence"] > _LOW_MASK and not record["extended_sequence"]:
        return SEQUENCE_EXHAUSTED, 0, 0, 0, 0

    place = field = 0
    version = data[start] >> 4
    if tunnels:
        if record["forwards"] and hop_limit_of(data, start) <= 1:
            return HOP_LIMIT_EXCEEDED, 0, 0, 0, 0
        version = record["outer_version"]
        headers = IPV4_HEADER_BYTES if version == 4 else IPV6_HEADER_BYTES
    else:
        verdict, place, field, _, _ = header_chain(data, start, start + captured)
        if verdict != PASSED:
            return cut if verdict == MALFORMED_IP else verdict, 0, 0, 0, 0
        headers = place
    if record["source_port"]:
        headers += UDP_HEADER_BYTES
    head_bytes = headers + ESP_HEADER_BYTES + signed(sizes["iv_bytes"])
    payload_bytes = length - place
    unencrypted = head_bytes + signed(sizes["icv_bytes"])
    path_mtu = signed(record["path_mtu_bytes"])
    plain_bytes = _plain_bytes(payload_bytes, unencrypted, sizes, record, path_mtu)
    total = unencrypted + plain_bytes
    if total - (IPV6_HEADER_BYTES if version == 6 else 0) > LENGTH_MAX:
        return PACKET_TOO_LONG, 0, 0, 0, 0
    if path_mtu and total > path_mtu and not _may_be_fragmented(data, start, length):
        return PACKET_TOO_BIG, 0, 0, 0, 0
    return PASSED, place, field, head_bytes, plain_bytes


@compiled
def _plain_bytes(
    payload_bytes: int, unencrypted_bytes: int, sizes: np.void, record: np.void, path_mtu: int
) -> int:
    """Bytes of payload, TFC padding, padding and trailer.

    TFC padding fills up what the SA asks for, as far as the path takes it.
    """
    align = signed(sizes["align_bytes"])
    if record["tfc_bytes"]:
        most = path_mtu or LENGTH_MAX - IPV6_HEADER_BYTES
        room = (most - unencrypted_bytes) // align * align - ESP_TRAILER_BYTES
        payload_bytes = max(payload_bytes, min(signed(record["tfc_bytes"]), room))
    return (payload_bytes + ESP_TRAILER_BYTES + align - 1) // align * align


@compiled
def _may_be_fragmented(data: Bytes, start: int, length: int) -> bool:
    """Whether a packet too big for the path may go in pieces (RFC 4301 §8.2).

    IPv6 packets may not, except those up to the least MTU, whose sender need not know a lesser one
    (RFC 2473 §7.1): of these the sealed packet is to be fragmented.
    """
    if data[start] >> 4 == 4:
        return read_u16(data, start + 6) & _DO_NOT_FRAGMENT == 0
    return length <= _IPV6_MTU_MIN_BYTES


@compiled
def plan_lengths(
    data: Bytes,
    packets: Records,
    rows: npt.NDArray[np.int32],
    suite_sizes: Records,
    sas: Records,
    starts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int32],
    verdicts: Bytes,
) -> None:
    """``starts``, ``lengths`` and ``verdicts`` as ``lay_out`` would give them, and nothing else."""
    start = 0
    for i in range(len(rows)):
        packet = packets[rows[i]]
        record = sas[packet["sa"]]
        sizes = suite_sizes[record["suite"]]
        tunnels = record["mode"] == _TUNNEL
        verdict, _, _, head_bytes, plain_bytes = plan(data, packet, record, sizes, tunnels)
        starts[i], lengths[i], verdicts[i] = start, 0, verdict
        if verdict == PASSED:
            lengths[i] = head_bytes + plain_bytes + sizes["icv_bytes"]
            start += lengths[i]


@compiled
def _write_packet(
    data: Bytes,
    packet: np.void,
    place: int,
    field: int,
    record: np.void,
    length: int,
    head: Bytes,
    plain: Bytes,
    tunnels: bool,
) -> None:
    """Fill in head and plain of a packet that will be ``length`` bytes long when sealed."""
    high, low = signed(packet["sequence"] >> _HALF), signed(packet["sequence"] & _LOW_MASK)
    next_header = _write_plain(data, packet, place, field, plain)
    if tunnels:
        if record["forwards"]:
            lower_hop_limit(plain)
        place, field, next_header = write_outer_header(plain, record, low, head)
    else:
        offset = packet["offset"]
        copy_bytes(head[:place], data[offset : offset + place])
    plain[len(plain) - 1] = next_header
    finish_head(head, place, field, length, record, high, low)


@compiled
def _write_plain(data: Bytes, packet: np.void, place: int, field: int, plain: Bytes) -> int:
    """Fill in payload, padding and pad length; returns the protocol number that ESP replaces.

    What a snap length has cut off the packet is filled up with zeroes.
    """
    start = packet["offset"]
    length = signed(packet["length_bytes"]) - place
    captured = min(signed(packet["captured_bytes"]) - place, length)
    copy_bytes(plain[:captured], data[start + place : start + place + captured])
    plain[captured:length] = 0
    padding = len(plain) - ESP_TRAILER_BYTES - length
    if padding > _PADDING_MAX_BYTES:
        least = padding % _ALIGN_BYTES
        plain[length : length + padding - least] = 0  # TFC padding
        length += padding - least
        padding = least
    for i in range(padding):
        plain[length + i] = i + 1
    plain[length + padding] = padding
    return signed(data[start + field])
