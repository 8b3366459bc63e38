"""What a clairvoyant rule is told: which SAs of a trace are most worth a seat."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from saactors.model.packets import NO_SA
from saactors.placement.cost import CostModel
from saactors.placement.policy_arbiter import PolicyArbiter
from saactors.placement.table import Rule
from saactors.traces.columns import TraceColumns


def most_saving(columns: TraceColumns, cost: CostModel, most: int) -> npt.NDArray[np.int64]:
    """The SAs that save most over the whole trace, at most ``most`` of them, the best first.

    An SA's first packet asks for the load and saves nothing itself, nor does one that would cost
    more on the card. Only SAs that save more than a load costs are chosen. Of equals the lower SA
    comes first; the result has shape (chosen,).
    """
    rows = np.flatnonzero(columns.sa != NO_SA)
    sas, sizes = columns.sa[rows], columns.length_bytes[rows]
    savings_ns = np.maximum(0.0, cost.saving_packet_ns + cost.saving_byte_ns * sizes)
    first_rows = np.unique(sas, return_index=True)[1]
    savings_ns[first_rows] = 0.0
    saved_ns = np.bincount(sas, savings_ns, minlength=columns.sa_count)
    best = np.argsort(-saved_ns, kind="stable")[:most]
    return best[saved_ns[best] > cost.load_host_ns]


def foretell(rule: Rule, columns: TraceColumns, slots: int) -> None:
    """Tell a clairvoyant rule what to load; it must know the trace's SAs by number already."""
    assert isinstance(rule.arbiter, PolicyArbiter)
    rule.arbiter.choose(most_saving(columns, rule.cost, slots))
