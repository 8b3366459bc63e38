"""SAs made on demand: a template says how, the run's seed gives the keys.

A replay has no IKE. Where the user gives no SAs, each new stream gets one as if IKE had just
negotiated it. Keys come from the seed and the SA's index, so the same run makes the same bytes;
they protect nothing and are no secrets, but are handled as if they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.esp.association import halves
from saactors.esp.header_rules import USUAL_HEADERS, HeaderRules
from saactors.esp.keys import derive_integrity_keys, derive_keys
from saactors.esp.lifetime import NO_LIMIT, Lifetime
from saactors.esp.lifetimes import Lifetimes
from saactors.esp.suites import SUITE_SIZES
from saactors.model.sa import SA, Mode, SaTable

# Made SAs count up from here, far above what the scenarios' own SAs usually have; 1 to 255 are
# reserved (RFC 4303 §2.1).
FIRST_SPI: Final = 0xC000_0000

# RFC 5737: addresses for documentation.
LOCAL_ENDPOINT: Final = IPv4Address("192.0.2.1")
REMOTE_ENDPOINT: Final = IPv4Address("198.51.100.1")


@dataclass(frozen=True)
class SaTemplate:
    """How SAs are made: suite (index in ``esp.suites.SUITES``), mode, endpoints, and the rest."""

    suite: int = 0
    mode: int = Mode.TUNNEL
    source: IPv4Address | IPv6Address = LOCAL_ENDPOINT
    destination: IPv4Address | IPv6Address = REMOTE_ENDPOINT
    source_port: int = 0  # 0: no UDP encapsulation
    destination_port: int = 0
    headers: HeaderRules = USUAL_HEADERS
    tfc_bytes: int = 0
    path_mtu_bytes: int = 0
    lifetime: Lifetime = NO_LIMIT


class SaMaker:
    """Makes SAs by template, with keys from the seed."""

    def __init__(self, templates: Sequence[SaTemplate], seed: int) -> None:
        self._seed = seed
        self._lifetimes = [template.lifetime for template in templates]
        self.has_limits = any(lifetime.is_limited for lifetime in self._lifetimes)
        suites = [template.suite for template in templates]
        self._has_integrity_keys = bool(SUITE_SIZES["integrity_key_bytes"][suites].any())
        self._templates = np.zeros(len(templates), SA)
        for row, template in zip(self._templates, templates, strict=True):
            row["suite"], row["mode"] = template.suite, template.mode
            row["outer_version"] = template.source.version
            row["source_port"] = template.source_port
            row["destination_port"] = template.destination_port
            row["tfc_bytes"], row["path_mtu_bytes"] = template.tfc_bytes, template.path_mtu_bytes
            template.headers.write(row)
            row["source_high"], row["source_low"] = halves(template.source)
            row["destination_high"], row["destination_low"] = halves(template.destination)

    def make(self, sas: SaTable, templates: npt.NDArray[np.int32]) -> range:
        """Add one SA per entry of ``templates`` (indices of templates); returns their indices."""
        records = self._templates[templates]
        first = len(sas)
        records["spi"] = FIRST_SPI + np.arange(first, first + len(records))
        keys = derive_keys(self._seed, first, len(records))
        integrity_keys = None
        if self._has_integrity_keys:
            integrity_keys = derive_integrity_keys(self._seed, first, len(records))
        return sas.add(records, keys, integrity_keys)

    def limit(
        self, lifetimes: Lifetimes, made: range, templates: npt.NDArray[np.int32], now_ns: int
    ) -> None:
        """Let the lifetimes of SAs that were made by ``templates`` begin."""
        if self.has_limits:
            for sa, template in zip(made, templates.tolist(), strict=True):
                lifetimes.limit(sa, self._lifetimes[template], now_ns)
