"""The verdicts that this package gives, as plain integers for compiled code.

Numba keeps the members of an enumeration apart from integers, so that a function that returns one
or the other would not compile.
"""

from __future__ import annotations

from typing import Final

from saactors.model.verdicts import Verdict

PASSED: Final = int(Verdict.PASSED)

MALFORMED_IP: Final = int(Verdict.MALFORMED_IP)
CUT_BY_SNAP_LENGTH: Final = int(Verdict.CUT_BY_SNAP_LENGTH)
OUTER_FRAGMENT: Final = int(Verdict.OUTER_FRAGMENT)
IKE: Final = int(Verdict.IKE)
NAT_KEEPALIVE: Final = int(Verdict.NAT_KEEPALIVE)
NOT_ESP: Final = int(Verdict.NOT_ESP)
LIFETIME_EXPIRED: Final = int(Verdict.LIFETIME_EXPIRED)
UNKNOWN_SPI: Final = int(Verdict.UNKNOWN_SPI)

SEQUENCE_EXHAUSTED: Final = int(Verdict.SEQUENCE_EXHAUSTED)
PACKET_TOO_LONG: Final = int(Verdict.PACKET_TOO_LONG)

MALFORMED_ESP: Final = int(Verdict.MALFORMED_ESP)
ICV_FAILED: Final = int(Verdict.ICV_FAILED)
BAD_PADDING: Final = int(Verdict.BAD_PADDING)
DUMMY: Final = int(Verdict.DUMMY)
NO_INNER_PACKET: Final = int(Verdict.NO_INNER_PACKET)
CONGESTION_ON_NOT_ECT: Final = int(Verdict.CONGESTION_ON_NOT_ECT)
PACKET_TOO_BIG: Final = int(Verdict.PACKET_TOO_BIG)
HOP_LIMIT_EXCEEDED: Final = int(Verdict.HOP_LIMIT_EXCEEDED)

SEQUENCE_ZERO: Final = int(Verdict.SEQUENCE_ZERO)
REPLAYED: Final = int(Verdict.REPLAYED)
TOO_OLD: Final = int(Verdict.TOO_OLD)
