"""Fragments of ESP packets in bursts: put together before they are classified (RFC 4303 §3.4.1).

The row of the fragment that completes a packet becomes the whole packet; the rows of the others
are FRAGMENT_HELD, which says that their bytes have gone on in another row. So every packet that was
read still has one row and one verdict (law 1). Memory and time are bounded by the reassembler.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.esp.reassembly import Reassembler
from saactors.esp.wire import ESP, UDP, UDP_HEADER_BYTES, header_chain, read_u16
from saactors.model.burst import Burst
from saactors.model.verdicts import Verdict

_PASSED: Final = int(Verdict.PASSED)


def join_fragments(burst: Burst, reassembler: Reassembler) -> None:
    """Give the burst's fragments of ESP or UDP to the reassembler, and take what becomes whole.

    Burst data of which a packet has been completed are replaced by a copy with room for it.
    """
    packets = burst.packets
    rows = np.flatnonzero(
        (packets["fragment"] == 1)
        & (packets["verdict"] == _PASSED)
        & ((packets["protocol"] == ESP) | (packets["protocol"] == UDP))
        & (packets["captured_bytes"] == packets["length_bytes"])
    )
    whole: dict[int, bytes] = {}
    for row in rows.tolist():
        packet = packets[row]
        start = int(packet["offset"])
        fragment = burst.data[start : start + int(packet["length_bytes"])].tobytes()
        joined = reassembler.handle_fragment(fragment, int(packet["time_ns"]))
        packet["verdict"] = joined.verdict
        if joined.verdict is Verdict.PASSED:
            whole[row] = joined.packet
    if whole:
        _put_in(burst, whole)


def _put_in(burst: Burst, whole: dict[int, bytes]) -> None:
    """Let rows be these packets instead."""
    packets = burst.packets
    first = int(packets["offset"].min())
    end = int((packets["offset"] + packets["captured_bytes"]).max())
    packets["offset"] -= first
    at = end - first
    for row, content in whole.items():
        _fill(packets[row], np.frombuffer(content, np.uint8))
        packets[row]["offset"] = at
        at += len(content)
    parts = [burst.data[first:end], *(np.frombuffer(each, np.uint8) for each in whole.values())]
    burst.data = np.concatenate(parts)


def _fill(packet: np.void, content: npt.NDArray[np.uint8]) -> None:
    """What the reader writes of a packet that came in one piece, as far as it differs."""
    verdict, _, _, upper, field = header_chain(content, 0, len(content))
    packet["verdict"] = verdict
    packet["fragment"] = 0
    packet["length_bytes"] = packet["captured_bytes"] = len(content)
    packet["transport_offset"] = upper
    packet["protocol"] = content[field]
    if content[field] == UDP and upper + UDP_HEADER_BYTES <= len(content):
        packet["source_port"] = read_u16(content, upper)
        packet["destination_port"] = read_u16(content, upper + 2)
