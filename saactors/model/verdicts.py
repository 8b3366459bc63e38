"""The closed list of what can become of a packet; every reason to drop one has its name here.

A packet carries a verdict from the moment it is read. ``PASSED`` packets leave; every other verdict
is the one named reason under which the packet is counted (law 1: in = out + Σ drops by reason).
"""

from __future__ import annotations

from enum import IntEnum


class Verdict(IntEnum):
    """Why a packet left the agent, or did not; ``label`` is the name in summaries and JSON."""

    PASSED = 0

    # Found by the capture reader.
    NOT_IP = 1
    MALFORMED_IP = 2
    CUT_BY_SNAP_LENGTH = 3

    # Decided by the source: the modelled receive ring.
    RX_RING_FULL = 10

    # Decided by the classifier.
    DISCARDED_BY_POLICY = 20
    NO_POLICY = 21
    SA_TABLE_FULL = 22
    SEQUENCE_EXHAUSTED = 23
    NOT_ESP = 24
    IKE = 25
    NAT_KEEPALIVE = 26
    UNKNOWN_SPI = 27
    UNSUPPORTED_SUITE = 28
    OUTER_FRAGMENT = 29
    LIFETIME_EXPIRED = 30
    NO_SA_YET = 31  # its policy protects, and has no SA to do it with

    # Fragments of ESP packets, where they are reassembled before opening.
    FRAGMENT_HELD = 35  # its bytes go on in the packet that the last fragment completes
    FRAGMENT_REFUSED = 36

    # Found by a crypto component.
    PACKET_TOO_LONG = 40
    MALFORMED_ESP = 41
    ICV_FAILED = 42
    BAD_PADDING = 43
    DUMMY = 44
    NO_INNER_PACKET = 45
    CONGESTION_ON_NOT_ECT = 46
    PACKET_TOO_BIG = 47  # for the path, and not to be fragmented
    HOP_LIMIT_EXCEEDED = 48

    # Decided by the egress, which owns the replay windows.
    SEQUENCE_ZERO = 60
    REPLAYED = 61
    TOO_OLD = 62
    NO_PORT = 63  # none of the gateway's ports can carry it
    SEND_REFUSED = 64  # the kernel would not send it

    # The run ended (Ctrl-C) with the packet still inside.
    INTERRUPTED = 80

    @property
    def label(self) -> str:
        """The name in summaries and JSON, for instance ``rx_ring_full``."""
        return self.name.lower()
