"""What an SA says of its tunnel's headers (RFC 4301 §5.1.2): choices, and their numbers in records.

The number of the usual choice is 0 throughout, so that a record of zeroes is an SA that does what
RFC 4301 §5.1.2.1 has in its tables and what RFC 6040 calls normal mode.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from saactors.errors import ParameterError

DSCP_MAX: Final = 63
HOP_LIMIT: Final = 64
"""The outer header's TTL or hop limit where the SA names none: RFC 1700's default, and Linux's."""

FIXED_DSCP: Final = 0x80  # in a record's dscp: the low six bits are to be used


class Ecn(IntEnum):
    """How congestion marks get into the outer header (RFC 6040 §4.1)."""

    COPY = 0  # normal mode
    NOT_CAPABLE = 1  # compatibility mode, for a peer that does not follow RFC 6040


class DontFragment(IntEnum):
    """Where the outer don't-fragment bit comes from (RFC 4301 §8.1); of IPv6 it is always set."""

    COPY = 0
    SET = 1
    CLEAR = 2


class FlowLabel(IntEnum):
    """Where the outer flow label comes from; an IPv4 packet has none to copy."""

    COPY = 0
    ZERO = 1


@dataclass(frozen=True, slots=True)
class HeaderRules:
    """How a tunnel's outer header is made from an inner packet.

    ``dscp`` is 0 to 63, or None to copy the inner packet's. ``hop_limit`` is the outer one. With
    ``forwards`` the gateway is a hop on the way: inner TTL and hop limit are lowered by one when a
    packet enters the tunnel and when it leaves, as RFC 4301 §5.1.2.1 wants of a forwarder.
    """

    dscp: int | None = None
    ecn: Ecn = Ecn.COPY
    dont_fragment: DontFragment = DontFragment.COPY
    flow_label: FlowLabel = FlowLabel.COPY
    hop_limit: int = HOP_LIMIT
    forwards: bool = False

    def __post_init__(self) -> None:
        if self.dscp is not None and not 0 <= self.dscp <= DSCP_MAX:
            raise ParameterError("dscp", self.dscp, f"0 to {DSCP_MAX}, or None to copy it")
        if not 1 <= self.hop_limit <= 255:
            raise ParameterError("hop_limit", self.hop_limit, "1 to 255")

    def write(self, record: np.void) -> None:
        """Put the choices into an SA's record."""
        record["dscp"] = 0 if self.dscp is None else FIXED_DSCP | self.dscp
        record["ecn"] = self.ecn
        record["dont_fragment"] = self.dont_fragment
        record["flow_label"] = self.flow_label
        record["hop_limit"] = self.hop_limit
        record["forwards"] = self.forwards

    @classmethod
    def read(cls, record: np.void) -> HeaderRules:
        """The choices that an SA's record holds."""
        dscp = int(record["dscp"])
        return cls(
            dscp=dscp & DSCP_MAX if dscp & FIXED_DSCP else None,
            ecn=Ecn(int(record["ecn"])),
            dont_fragment=DontFragment(int(record["dont_fragment"])),
            flow_label=FlowLabel(int(record["flow_label"])),
            hop_limit=int(record["hop_limit"]) or HOP_LIMIT,
            forwards=bool(record["forwards"]),
        )


USUAL_HEADERS: Final = HeaderRules()
