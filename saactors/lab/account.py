"""What a run of the lab came to: one compiled pass over packets and load log, whatever the rule.

A rule leaves a route with every packet and a log of its loads. From these two everything else
follows, so that no rule counts anything itself and all are counted alike:

- **Host time.** Packets and bytes by component; ``CostModel`` makes nanoseconds of them.
- **Visits.** From the command that loads an SA until the one that replaces it (or the end of the
  trace) lasts a visit. One that saved less host time than a load costs was *wasted*: the host would
  have been better off without it. A load that the card refused is a visit that saved nothing.
- **Loading.** A packet done in software after the command for its SA, and before the first burst
  that was placed later than the load's end, ran there only because a load takes time. Packets of
  the very burst that caused the load came before the command.
- **Latency.** From arrival to the end of its crypto. Software is one worker that serves packets in
  the order in which they are placed, each in its own host time, without a bound on how many wait; a
  rule that leaves more to software than a core can do shows it here. On the card it is what the
  card's model said. Loads take the host's time too, but not the worker's.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from saactors.lab.run import LabRun
from saactors.model.compiled import compiled
from saactors.observe.latency import LatencyHistogram
from saactors.placement.routing import NIC, SOFTWARE, Record

TOTALS: Final = np.dtype(
    [
        ("software_packets", "i8"),
        ("software_bytes", "i8"),
        ("nic_packets", "i8"),
        ("nic_bytes", "i8"),
        ("bypassed_loading", "i8"),  # packets in software while their SA was loading
        ("wasted_loads", "i8"),
        ("card_refused", "i8"),  # load commands that the card refused
    ],
    align=True,
)

_BY_SA: Final = np.dtype(
    [
        ("software_packets", "i8"),
        ("software_bytes", "i8"),
        ("nic_packets", "i8"),
        ("nic_bytes", "i8"),
        ("nic_packets_before", "i8"),  # of these, before the last load
        ("nic_bytes_before", "i8"),
        ("done_ns", "i8"),  # of the last load
        ("held", "u1"),  # a visit is on
    ],
    align=True,
)


class Account(NamedTuple):
    """Counts of one run."""

    totals: Record  # of TOTALS
    software_ns: npt.NDArray[np.float64]  # (SAs,), host time of each in software
    saved_ns: npt.NDArray[np.float64]  # (SAs,), host time saved by each on the card, before loads
    latency: LatencyHistogram


def account(run: LabRun) -> Account:
    """Count a run; the routes in its trace's packets must still be its own."""
    trace, cost = run.trace, run.rule.cost
    sas = np.zeros(trace.columns.sa_count, _BY_SA)
    totals = np.zeros(1, TOTALS)
    latencies_ns = np.empty(len(trace.packets), np.int64)
    costs = np.array(
        [
            cost.software_packet_ns,
            cost.software_byte_ns,
            cost.saving_packet_ns,
            cost.saving_byte_ns,
            cost.load_host_ns,
        ]
    )
    done = _account(trace.packets, trace.bursts, run.loads, costs, sas, totals, latencies_ns)
    latency = LatencyHistogram()
    latency.record(latencies_ns[:done])
    software_ns = (
        sas["software_packets"] * cost.software_packet_ns
        + sas["software_bytes"] * cost.software_byte_ns
    )
    saved_ns = sas["nic_packets"] * cost.saving_packet_ns + sas["nic_bytes"] * cost.saving_byte_ns
    return Account(totals[0], software_ns, saved_ns, latency)


@compiled
def _account(
    packets: npt.NDArray[np.void],
    bursts: npt.NDArray[np.void],
    loads: npt.NDArray[np.void],
    costs: npt.NDArray[np.float64],
    sas: npt.NDArray[np.void],
    totals: npt.NDArray[np.void],
    latencies_ns: npt.NDArray[np.int64],
) -> int:
    """Count every packet and load; returns how many latencies have been written."""
    total = totals[0]
    row = load = done = 0
    free_ns = 0.0  # when the software worker has served all packets so far
    for number in range(len(bursts)):
        burst = bursts[number]
        placed_ns = burst["placed_ns"]
        while load < len(loads) and loads[load]["before_row"] <= row:
            _begin_visit(loads[load], costs, sas, total)
            load += 1
        while row < burst["stop"]:
            packet = packets[row]
            row += 1
            route, length_bytes = packet["route"], packet["length_bytes"]
            if route == NIC:
                sa = sas[packet["sa"]]
                sa["nic_packets"] += 1
                sa["nic_bytes"] += length_bytes
                total["nic_packets"] += 1
                total["nic_bytes"] += length_bytes
                latencies_ns[done] = packet["finish_ns"] - packet["time_ns"]
                done += 1
            elif route == SOFTWARE:
                sa = sas[packet["sa"]]
                sa["software_packets"] += 1
                sa["software_bytes"] += length_bytes
                total["software_packets"] += 1
                total["software_bytes"] += length_bytes
                if sa["held"] and sa["done_ns"] >= placed_ns:
                    total["bypassed_loading"] += 1
                free_ns = max(free_ns, placed_ns) + costs[0] + length_bytes * costs[1]
                latencies_ns[done] = round(free_ns - packet["time_ns"])
                done += 1
    while load < len(loads):
        _begin_visit(loads[load], costs, sas, total)
        load += 1
    for index in range(len(sas)):
        _end_visit(sas[index], costs, total)
    return done


@compiled
def _begin_visit(
    load: Record, costs: npt.NDArray[np.float64], sas: npt.NDArray[np.void], total: Record
) -> None:
    """A load command: the victim's visit is over, the SA's begins, if the card takes it."""
    if load["victim"] >= 0:
        _end_visit(sas[load["victim"]], costs, total)
    sa = sas[load["sa"]]
    sa["nic_packets_before"] = sa["nic_packets"]
    sa["nic_bytes_before"] = sa["nic_bytes"]
    sa["done_ns"] = load["done_ns"]
    sa["held"] = 1
    if load["done_ns"] < 0:
        total["card_refused"] += 1
        _end_visit(sa, costs, total)


@compiled
def _end_visit(sa: Record, costs: npt.NDArray[np.float64], total: Record) -> None:
    """Count a load as wasted if its visit saved less than it cost."""
    if sa["held"]:
        packets = sa["nic_packets"] - sa["nic_packets_before"]
        size = sa["nic_bytes"] - sa["nic_bytes_before"]
        if packets * costs[2] + size * costs[3] < costs[4]:
            total["wasted_loads"] += 1
        sa["held"] = 0
