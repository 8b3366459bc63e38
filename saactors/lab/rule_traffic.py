"""What a rule is tried on: a small card, and traffic of eight kinds, of more SAs than slots."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from nicmodel.presets import PROFILES
from nicmodel.profile import CardProfile, customised
from saactors.lab.trace import LabTrace, lab_trace
from saactors.traces.synthetic.table import synthesise

SLOTS_MAX: Final = 4
_LATENCIES_NS: Final = (0, 15_000_000)  # the latter: some packets
_BURSTS: Final = ((1, 0), (64, 20_000_000))  # packets at most, and how long they gather, in ns
_PER_S: Final = 300.0  # so that a trace lasts for periods of seconds
# Model and what differs from its defaults: few SAs, more than there are slots.
_TRAFFIC: Final[tuple[tuple[str, dict[str, object]], ...]] = (
    ("zipf", {"sas": 40}),
    ("zipf-churn", {"sas": 20, "churn_per_s": 5.0}),
    ("on-off", {"sas": 30, "phase_min_ns": 500_000_000, "phase_max_ns": 2_000_000_000}),
    ("rekeying", {"sas": 8, "lifetime_ns": 500_000_000}),
    ("uniform", {"sas": 12}),
    ("scan", {"sas": SLOTS_MAX + 1}),
    ("one-packet", {}),
    ("threshold", {"threshold": 10, "at_once": 6}),
)


class Case(NamedTuple):
    """A trace in bursts, and the latency of the card that it is placed on."""

    model: str
    trace: LabTrace
    burst_max: int
    latency_ns: int

    def __str__(self) -> str:
        bursts = f"bursts of up to {self.burst_max}" if self.burst_max > 1 else "single packets"
        return f"{self.model} traffic in {bursts}, load latency {self.latency_ns / 1e6:g} ms"


def cases_of(packets: int, seed: int) -> Iterator[Case]:
    """Every kind of traffic with every latency, in bursts of either kind; one seed, one traffic."""
    for number, (model, given) in enumerate(_TRAFFIC):
        scale = {"packets": packets, "packets_per_s": _PER_S}
        columns = synthesise(model, {**scale, **given}, seed)
        for turn, latency_ns in enumerate(_LATENCIES_NS):
            burst_max, wait_ns = _BURSTS[(number + turn) % len(_BURSTS)]
            trace = lab_trace(columns, burst_max, wait_ns)
            yield Case(model, trace, burst_max, latency_ns)


def card_with(latency_ns: int) -> CardProfile:
    """A small card on which a load is worth a few packets and takes ``latency_ns``."""
    return customised(
        PROFILES["82599"],
        slots_max=SLOTS_MAX,
        loads_at_once=1,
        load_queue_max=1,
        load_host_ns=3000,
        load_latency_ns=latency_ns,
        load_timeout_ns=1_000_000_000,
        load_full="refuse",
        load_blocks_engine=False,
    )
