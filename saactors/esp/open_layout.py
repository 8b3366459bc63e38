"""What opening reads before and after the decryption; compiled, a whole burst at a time.

Before: where the ESP header lies behind IP headers and UDP, which 64-bit sequence number it has,
and from that nonce and associated data. After: what the plaintext holds, by its trailer

    payload | TFC padding | padding | pad length | next header        (RFC 4303 §2.4 to §2.7)

The bytes of the padding are not looked at, only its length. RFC 4303 §2.4 has the receiver check
them (SHOULD) because that helps a little where there is no integrity check; every suite here has
one that covers the padding, so a check could only refuse packets that the peer did send so. Linux
does not look either.

The inner packet is taken as it is, but for what its headers learn from the outer ones
(``inner_headers``). IP and UDP checksums outside are not verified: the ICV covers
what matters, and captures from cards that compute checksums themselves hold wrong ones.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.esp.inner_headers import ecn_of, leave_tunnel
from saactors.esp.scratch import (
    CIPHER,
    CIPHER_END,
    INNER,
    INNER_END,
    OUTER,
    OUTER_END,
    ROW,
    SPAN_ECN,
    SPAN_EXTENDED,
    SPAN_SA,
)
from saactors.esp.verdict_numbers import (
    BAD_PADDING,
    CUT_BY_SNAP_LENGTH,
    DUMMY,
    MALFORMED_ESP,
    MALFORMED_IP,
    NO_INNER_PACKET,
    NOT_ESP,
    PASSED,
    UNKNOWN_SPI,
)
from saactors.esp.wire import (
    ESP,
    ESP_HEADER_BYTES,
    ESP_TRAILER_BYTES,
    IPV4,
    IPV6,
    NO_NEXT_HEADER,
    UDP,
    UDP_HEADER_BYTES,
    Bytes,
    Records,
    header_chain,
    ip_length,
    read_u16,
    read_u32,
    set_ip_length,
    signed,
)
from saactors.esp.words import write_words
from saactors.model.compiled import compiled
from saactors.model.sa import Mode

MODE_NOT_STATED: Final = 2
"""A mode besides those of ``Mode``, for SAs read from a key table, which does not say which.

Packets decide: one with an IP packet inside (next header 4 or 41) is opened as in tunnel mode.
"""

_TUNNEL: Final = int(Mode.TUNNEL)
_LOW_MASK: Final = np.uint64(0xFFFF_FFFF)
_ALIGN_BYTES: Final = 4  # senders pad to it (RFC 4303 §2.4); nothing depends on it here
_EPOCH: Final = 1 << 32  # sequence numbers that share one high half


@compiled
def locate(
    data: Bytes,
    packets: Records,
    rows: npt.NDArray[np.int32],
    suite_sizes: Records,
    sas: Records,
    keys: Bytes,
    highest: npt.NDArray[np.uint64],
    window_packets: int,
    strips: Bytes,
    spans: npt.NDArray[np.int64],
    sequences: npt.NDArray[np.uint64],
    verdicts: Bytes,
) -> tuple[int, int, int, int]:
    """Find ciphertext, nonce and associated data of each packet of a burst.

    ``rows`` (n,) names records of ``packets`` over ``data``, ``highest`` (n,) has the SA's highest
    sequence number for each; ``strips`` and ``spans`` are of an ``OpenScratch`` with room for n
    packets. Row i of the result goes to ``sequences`` and ``verdicts`` (n,). Returns the fields of
    ``Located``.
    """
    live = extended = transport = joined = 0
    for i in range(len(rows)):
        packet = packets[rows[i]]
        sa = signed(packet["sa"])
        record = sas[sa]
        sizes = suite_sizes[record["suite"]]
        start = signed(packet["offset"])
        end = start + signed(packet["captured_bytes"])
        assert start >= 0, "a packet begins before its data"
        assert end <= len(data), "a packet ends behind its data"
        sequences[i] = 0
        verdict, outer, esp, end = _find_esp(data, start, end, record)
        if packet["captured_bytes"] < packet["length_bytes"]:
            verdict = CUT_BY_SNAP_LENGTH
        cipher = esp + ESP_HEADER_BYTES + signed(sizes["iv_bytes"])
        plain_bytes = end - cipher - signed(sizes["icv_bytes"])
        if verdict == PASSED and not _can_be_plain(plain_bytes, signed(sizes["align_bytes"])):
            verdict = MALFORMED_ESP
        verdicts[i] = verdict
        if verdict != PASSED:
            continue
        low = read_u32(data, esp + 4)
        high = 0
        if record["extended_sequence"]:
            high = infer_high(highest[i], low, window_packets)
            extended += 1
        sequences[i] = (np.uint64(high) << np.uint64(32)) | np.uint64(low)
        write_words(strips[live], data, esp, sizes, keys[sa], high)

        if record["mode"] == _TUNNEL:
            outer = start
        else:
            transport += 1
        spans[CIPHER, live], spans[CIPHER_END, live] = cipher, end
        spans[OUTER, live], spans[OUTER_END, live] = start, outer
        inner = joined + outer - start
        joined = inner + plain_bytes
        spans[INNER, live], spans[INNER_END, live] = inner, joined
        spans[ROW, live], spans[SPAN_SA, live] = i, sa
        spans[SPAN_EXTENDED, live] = record["extended_sequence"]
        spans[SPAN_ECN, live] = ecn_of(data, start)
        live += 1
    return live, extended, transport, joined


@compiled
def _can_be_plain(plain_bytes: int, align_bytes: int) -> bool:
    """Whether a ciphertext has a size that the suite can decrypt; only blocks have to be whole."""
    return plain_bytes >= ESP_TRAILER_BYTES and (
        align_bytes <= _ALIGN_BYTES or plain_bytes % align_bytes == 0
    )


@compiled
def _find_esp(data: Bytes, start: int, end: int, record: np.void) -> tuple[int, int, int, int]:
    """Verdict, where the IP headers end, where the ESP header begins, and where the packet ends."""
    length = ip_length(data, start, end)
    if length == 0:
        return MALFORMED_IP, 0, 0, 0
    end = start + length
    verdict, _, _, stop, field = header_chain(data, start, end)
    if verdict != PASSED:
        return verdict, 0, 0, 0
    outer = esp = start + stop
    protocol = data[start + field]
    if protocol == UDP:
        if esp + UDP_HEADER_BYTES > end:
            return MALFORMED_IP, 0, 0, 0
        udp_bytes = read_u16(data, esp + 4)
        if udp_bytes < UDP_HEADER_BYTES or esp + udp_bytes > end:
            return MALFORMED_IP, 0, 0, 0
        end = esp + udp_bytes
        esp += UDP_HEADER_BYTES
    elif protocol != ESP:
        return NOT_ESP, 0, 0, 0
    if esp + ESP_HEADER_BYTES > end:
        return MALFORMED_ESP, 0, 0, 0
    if read_u32(data, esp) != signed(record["spi"]):
        return UNKNOWN_SPI, 0, 0, 0
    return PASSED, outer, esp, end


@compiled
def infer_high(highest: np.uint64, low: int, window_packets: int) -> int:
    """High half of a 64-bit sequence number of which only the low half was sent.

    RFC 4303 appendix A2.2: of all numbers with that low half, the one nearest above the bottom of
    the window. ``highest`` is the highest number authenticated so far, the window's top.
    """
    high = signed(highest >> np.uint64(32))
    bottom = signed(highest & _LOW_MASK) - (window_packets - 1)
    if bottom >= 0:  # the window lies in one epoch
        return high if low >= bottom else (high + 1) & 0xFFFF_FFFF
    if low >= bottom + _EPOCH and high > 0:  # it began in the one before
        return high - 1
    return high


@compiled
def unwrap(
    joined: Bytes,
    sas: Records,
    spans: npt.NDArray[np.int64],
    live: int,
    starts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int32],
    verdicts: Bytes,
) -> None:
    """Take the inner packets out of what has been decrypted.

    ``joined`` holds headers and plaintext of the live packets, as ``spans`` of ``locate`` says; the
    headers of transport mode are mended in place. Writes ``starts``, ``lengths`` and ``verdicts``
    of live packets that are PASSED so far.
    """
    head = 0
    for k in range(live):
        row, plain, plain_end = spans[ROW, k], spans[INNER, k], spans[INNER_END, k]
        if verdicts[row] == PASSED:
            next_header = signed(joined[plain_end - 1])
            end = plain_end - ESP_TRAILER_BYTES - signed(joined[plain_end - 2])
            if end < plain:
                verdicts[row] = BAD_PADDING
            elif next_header == NO_NEXT_HEADER:
                verdicts[row] = DUMMY
            elif _is_tunneled(sas[spans[SPAN_SA, k]]["mode"], next_header):
                length = _inner_length(joined, plain, end, next_header)
                verdict = NO_INNER_PACKET
                if length:
                    forwards = sas[spans[SPAN_SA, k]]["forwards"]
                    inner = joined[plain : plain + length]
                    verdict = leave_tunnel(inner, spans[SPAN_ECN, k], forwards)
                verdicts[row] = verdict
                starts[row] = plain
                lengths[row] = length if verdict == PASSED else 0
            else:
                _, _, _, _, field = header_chain(joined, head, plain)
                joined[head + field] = next_header
                set_ip_length(joined, head, end - head)
                lengths[row] = end - head
                starts[row] = head
        head = plain_end


@compiled
def _is_tunneled(mode: int, next_header: int) -> bool:
    return mode == _TUNNEL or (mode == MODE_NOT_STATED and next_header in (IPV4, IPV6))


@compiled
def _inner_length(plain: Bytes, start: int, end: int, next_header: int) -> int:
    """Bytes of the inner packet; TFC padding may follow it. 0: there is none."""
    if next_header != (IPV4 if plain[start] >> 4 == 4 else IPV6):
        return 0
    return ip_length(plain, start, end)
