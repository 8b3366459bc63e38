"""What can be chosen for a replay; the same names as the options of ``saactors replay``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from saactors.errors import ParameterError
from saactors.esp.association import suite_named
from saactors.scenario.tables import Scenario
from saactors.traces.burst_former import BURST_MAX, BURST_WAIT_NS
from saactors.traces.receive_ring import RING_PACKETS

SAS_MAX = 1 << 20
WORKERS_MAX = 256  # as many cores as a large server has


class SaPer(StrEnum):
    """What gets an SA of its own, per direction, where no scenario says."""

    FLOW = "flow"
    HOST_PAIR = "host-pair"
    SUBNET = "subnet"


@dataclass(frozen=True, kw_only=True)
class ReplayOptions:
    """A replay described. Raises ParameterError for values that do not go together."""

    capture: str | Path
    scenario: Scenario | None = None
    direction: str = "out"
    sa_per: SaPer = SaPer.FLOW
    suite: str = "aes-gcm-128"
    mode: str = "tunnel"
    keys: str | Path | None = None  # any format of saactors sas, for direction in
    seed: int = 0
    burst: int = BURST_MAX
    burst_wait_ns: int = BURST_WAIT_NS
    rx_ring: int = RING_PACKETS
    closed_loop: bool = False
    software_workers: int = 1
    sas_max: int = SAS_MAX
    pad_cut: bool = True
    crypto: str = "real"  # or none
    pace: str = "virtual"  # or real
    speed: float = 1.0
    profile: str | None = None  # None: the scenario's, or the default
    rule: str | None = None  # None: the scenario's, or metric
    rule_parameters: Mapping[str, object] = field(default_factory=dict)
    verify: bool = False
    write_esp: str | Path | None = None
    write_keys: str | Path | None = None
    write_plain: str | Path | None = None
    events: str | Path | None = None
    events_verbose: bool = False  # bursts, depths and metrics too, as a Perfetto trace wants
    report: str | Path | None = None

    def __post_init__(self) -> None:
        self._check_choice("direction", self.direction, ("out", "in"))
        suite_named(self.suite)
        self._check_choice("mode", self.mode, ("tunnel", "transport"))
        self._check_choice("crypto", self.crypto, ("real", "none"))
        self._check_choice("pace", self.pace, ("virtual", "real"))
        if not 1 <= self.software_workers <= WORKERS_MAX:
            expected = f"1 to {WORKERS_MAX} workers"
            raise ParameterError("software_workers", self.software_workers, expected)
        if not 0 < self.speed < float("inf"):
            raise ParameterError("speed", self.speed, "a factor above 0")
        if self.speed != 1 and self.pace == "virtual":
            raise ParameterError("speed", "pace virtual", "pace real")
        self._check_files()

    def _check_choice(self, name: str, found: str, expected: tuple[str, ...]) -> None:
        if found not in expected:
            raise ParameterError(name, found, f"one of {', '.join(expected)}")

    def _check_files(self) -> None:
        """Files that this direction, or a run without cryptography, cannot have."""
        for name, direction in (
            ("keys", "in"),
            ("write_plain", "in"),
            ("write_esp", "out"),
            ("write_keys", "out"),
            ("verify", "out"),
        ):
            if getattr(self, name) and self.direction != direction:
                raise ParameterError(name, f"direction {self.direction}", f"direction {direction}")
        for name in ("write_plain", "write_esp", "verify"):
            if getattr(self, name) and self.crypto == "none":
                raise ParameterError(name, "crypto none", "crypto real")
