"""What a rule came to on a trace and a card, in the figures by which rules are judged.

The primary figure is ``saving_percent``: how much of the achievable saving the rule has got,

    100 · (never − rule) / (never − optimum)

where each word stands for a cost: host time of all packets that need crypto, plus loads × load
cost. *never* does everything in software. *optimum* is the least cost that any schedule of loads
could reach, knowing the future; it lies between two certified bounds, and the figure is taken with
the **lower** one, ``optimum.lower_ns``. So the achievable saving is never taken for less than it
is: a rule that saves is never shown better than it is, by at most the gap worse; the loss of a rule
that loses is understated by at most the gap. The figure may be negative; it is None where there is
nothing to save.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from nicmodel.profile import CardProfile, HostProfile
from saactors.lab.account import Account, account
from saactors.lab.optimum import optimum
from saactors.lab.run import LabRun, cost_model, run_rule
from saactors.lab.trace import LabTrace
from saactors.placement.cost import CostModel
from saactors.placement.table import Rule

TICK_NS: Final = 100_000_000  # between two ticks of the optimum by ticks: the metric rule's default


@dataclass(frozen=True, slots=True)
class Best:
    """The optimum of a trace on a card: what it costs lies between the two bounds."""

    kind: str  # when a load may start: prefetch, demand or ticks
    lower_ns: float  # no schedule costs less
    upper_ns: float  # some schedule costs this
    gap: float  # of the saving between the bounds, as a share of the greatest: 0 is exact

    def to_json_object(self) -> dict[str, object]:
        """As plain JSON values."""
        return {
            "kind": self.kind,
            "lower_ns": self.lower_ns,
            "upper_ns": self.upper_ns,
            "gap": self.gap,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One rule with its parameters on one trace and one card."""

    trace: str
    rule: str
    parameters: Mapping[str, object]  # resolved, as plain values
    profile: str
    slots: int
    packets: int  # of the trace, with those that need no crypto
    sas: int
    duration_ns: int
    never_ns: float  # host time with everything in software
    software_ns: float  # host time of packets in software
    nic_ns: float  # host time of packets on the card
    loads_ns: float  # loads × load cost
    offload_packets: float  # the card's share of the packets that need crypto, 0 to 1
    offload_bytes: float  # and of their bytes
    loads: int  # load commands: each one costs, also where the card refuses
    wasted_loads: int  # of these, those whose SA saved less than a load costs until it was replaced
    bypassed_loading: int  # packets done in software while their SA was loading
    busiest_software_sa: int | None  # the SA with the most host time in software
    busiest_software_ns: float
    latency_p50_ns: int  # arrival to the end of crypto; 0 of no packets
    latency_p99_ns: int
    refused: int  # loads wanted and not got: no room in the loader, on the card, or refused by it
    wall_s: float  # that the driver took
    seed: int | None = None  # that made the trace
    slots_wanted: str | None = None  # as it was asked for, such as 10%; None: the profile's
    optimum: Best | None = None

    @property
    def rule_ns(self) -> float:
        """The rule's cost: host time of the packets that need crypto, and of the loads."""
        return self.software_ns + self.nic_ns + self.loads_ns

    @property
    def loads_per_s(self) -> float:
        """Loads per second of the trace; 0 in a trace of one instant."""
        return self.loads / (self.duration_ns / 1e9) if self.duration_ns else 0.0

    @property
    def packets_per_s(self) -> float:
        """How fast the driver ran; 0 where there was nothing to run."""
        return self.packets / self.wall_s if self.wall_s else 0.0

    @property
    def busiest_software_load(self) -> float:
        """What of one core's time the busiest SA in software took, over the trace."""
        return self.busiest_software_ns / self.duration_ns if self.duration_ns else 0.0

    @property
    def saving_percent(self) -> float | None:
        """Of the achievable saving, by the optimum's lower bound; None if there is none to judge.

        That is without an optimum, and where even its bound saves nothing.
        """
        if self.optimum is None or self.optimum.lower_ns >= self.never_ns:
            return None
        achievable_ns = self.never_ns - self.optimum.lower_ns
        return 100 * (self.never_ns - self.rule_ns) / achievable_ns

    def with_optimum(self, optimum: Best | None) -> Outcome:
        """The same, judged by that optimum."""
        return replace(self, optimum=optimum)

    def to_json_object(self) -> dict[str, object]:
        """As plain JSON values; units are in the names."""
        return {
            "trace": self.trace,
            "seed": self.seed,
            "rule": self.rule,
            "parameters": dict(self.parameters),
            "profile": self.profile,
            "slots": self.slots,
            "saving_percent": self.saving_percent,
            "optimum": self.optimum.to_json_object() if self.optimum else None,
            "cost_ns": {
                "rule": self.rule_ns,
                "never": self.never_ns,
                "software": self.software_ns,
                "nic": self.nic_ns,
                "loads": self.loads_ns,
            },
            "offload_ratio": {"packets": self.offload_packets, "bytes": self.offload_bytes},
            "loads": self.loads,
            "loads_per_s": self.loads_per_s,
            "wasted_loads": self.wasted_loads,
            "loads_refused": self.refused,
            "bypassed_loading": self.bypassed_loading,
            "busiest_software": {
                "sa": self.busiest_software_sa,
                "host_ns": self.busiest_software_ns,
                "core_share": self.busiest_software_load,
            },
            "latency_ns": {"p50": self.latency_p50_ns, "p99": self.latency_p99_ns},
            "packets": self.packets,
            "sas": self.sas,
            "duration_ns": self.duration_ns,
            "wall_s": self.wall_s,
            "packets_per_s": self.packets_per_s,
        }


def evaluate(
    trace: LabTrace,
    rule: str,
    parameters: Mapping[str, object],
    card: CardProfile,
    host: HostProfile,
) -> Outcome:
    """Run the rule over the trace and count; without an optimum (``best_possible`` makes it).

    Raises:
        ParameterError: no such rule, a parameter it cannot have, or a card that the lab cannot be.
    """
    run = run_rule(trace, rule, parameters, card, host)
    return outcome_of(run, account(run), card)


def best_possible(
    trace: LabTrace,
    card: CardProfile,
    host: HostProfile,
    kind: str = "prefetch",
    period_ns: int = TICK_NS,
) -> Best:
    """The optimum of a trace on a card; ``kind`` says when a load may start.

    ``prefetch`` (at any time) bounds every rule; ``demand`` (when a packet of the SA is placed) and
    ``ticks`` (at the multiples of ``period_ns``) bound the rules that load only then.

    Raises:
        ParameterError: no such kind.
    """
    cost, packets = cost_model(card, host), trace.packets
    needs_crypto = packets["sa"] >= 0
    size = packets["length_bytes"]
    never_ns = cost.software_ns(
        int(np.count_nonzero(needs_crypto)), int(size[needs_crypto].sum(dtype=np.int64))
    )
    found = optimum(
        trace.placed_ns,
        trace.columns.sa,
        savings_ns(trace, cost),
        card.slots_max,
        cost.load_host_ns,
        card.load_latency_ns,
        kind,
        period_ns,
    )
    bounds = found.cost(never_ns)
    return Best(kind, bounds.lower_ns, bounds.upper_ns, found.gap)


def savings_ns(trace: LabTrace, cost: CostModel) -> npt.NDArray[np.float64]:
    """Host time that each packet would save on the card; shape (packets,)."""
    by_bytes_ns = cost.saving_byte_ns * trace.columns.length_bytes.astype(np.float64)
    return cost.saving_packet_ns + by_bytes_ns


def outcome_of(run: LabRun, counted: Account, card: CardProfile) -> Outcome:
    """The figures of a run that has been counted."""
    totals, cost, columns = counted.totals, run.rule.cost, run.trace.columns
    software = int(totals["software_packets"]), int(totals["software_bytes"])
    nic = int(totals["nic_packets"]), int(totals["nic_bytes"])
    packets, size = software[0] + nic[0], software[1] + nic[1]
    busiest = int(np.argmax(counted.software_ns)) if software[0] else None
    return Outcome(
        trace=columns.name,
        rule=run.rule.name,
        parameters=plain_parameters(run.rule),
        profile=card.name,
        slots=card.slots_max,
        packets=len(columns),
        sas=columns.sa_count,
        duration_ns=columns.duration_ns,
        never_ns=cost.software_ns(packets, size),
        software_ns=cost.software_ns(*software),
        nic_ns=cost.nic_ns(*nic),
        loads_ns=len(run.loads) * cost.load_host_ns,
        offload_packets=nic[0] / packets if packets else 0.0,
        offload_bytes=nic[1] / size if size else 0.0,
        loads=len(run.loads),
        wasted_loads=int(totals["wasted_loads"]),
        bypassed_loading=int(totals["bypassed_loading"]),
        busiest_software_sa=busiest,
        busiest_software_ns=0.0 if busiest is None else float(counted.software_ns[busiest]),
        latency_p50_ns=counted.latency.percentile_ns(0.5) or 0,
        latency_p99_ns=counted.latency.percentile_ns(0.99) or 0,
        refused=run.refused + run.card_full + int(totals["card_refused"]),
        wall_s=run.wall_s,
    )


def plain_parameters(rule: Rule) -> dict[str, object]:
    """The rule's parameters, what the cost analysis decided filled in, as plain JSON values."""
    parameters: Any = rule.parameters
    names = [one.name for one in fields(parameters)] if is_dataclass(parameters) else []
    return {name: _plain(getattr(parameters, name)) for name in names}


def _plain(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no infinity
    if value is None or isinstance(value, bool) or type(value) in (int, float, str):
        return value
    return str(value)
