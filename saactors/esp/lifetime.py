"""How long an SA may be used (RFC 4301 §4.4.2.1): in packets, in bytes, in time.

At its soft limit an SA is still used, but its owner is told, so that IKE can make a new one in
time. At its hard limit it is used no more. Bytes are those of IP packets before they are sealed and
after they are opened, so that both ends of an SA count alike.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from saactors.errors import ParameterError

LIMIT_MAX: Final = (1 << 63) - 1

_KINDS: Final = ("packets", "bytes", "ns")


@dataclass(frozen=True, slots=True)
class Lifetime:
    """Limits of an SA; 0: none. Time counts from the instant when the SA is handed over.

    Raises ParameterError for a limit below 0 or above 2⁶³ − 1, and for a soft limit that would
    come no sooner than the hard one.
    """

    soft_packets: int = 0
    hard_packets: int = 0
    soft_bytes: int = 0
    hard_bytes: int = 0
    soft_ns: int = 0
    hard_ns: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 <= value <= LIMIT_MAX:
                raise ParameterError(field.name, value, f"0 to {LIMIT_MAX}")
        for kind in _KINDS:
            soft, hard = getattr(self, f"soft_{kind}"), getattr(self, f"hard_{kind}")
            if hard and soft >= hard:
                raise ParameterError(
                    f"soft_{kind}", soft, f"less than hard_{kind}, which is {hard}"
                )

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return self != NO_LIMIT


NO_LIMIT: Final = Lifetime()
