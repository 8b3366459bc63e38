"""What a packet and a load cost, and the threshold that follows from it.

A packet of ``b`` bytes costs the host ``software_packet_ns + b * software_byte_ns`` if the agent
does its crypto, and ``nic_packet_ns + b * nic_byte_ns`` if the card does; a load costs
``load_host_ns`` (DESIGN.md §7). So a load pays for itself once the SA has sent

    threshold = load cost ÷ saving per packet

packets through the card. Asking a newcomer to be ahead of the resident it replaces by just that
much is the ski-renter's answer: whoever buys when the rent paid equals the price never pays more
than twice what a prophet would (Karlin, Manasse, Rudolph, Sleator: "Competitive snoopy caching",
Algorithmica 3, 1988). This is the "predetermined amount … selected based on a cost-based analysis"
of claims 5 and 6.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from enum import StrEnum

from saactors.errors import ParameterError


class Weight(StrEnum):
    """What a packet adds to the metric of its SA, before the increment multiplies it."""

    PACKETS = "packets"  # 1
    BYTES = "bytes"  # the length of its IP packet
    SAVED_NS = "saved-ns"  # the host time that the card would have saved on it

    @property
    def unit(self) -> str:
        """One unit of the metric, for people."""
        return {"packets": "packet", "bytes": "byte", "saved-ns": "saved ns"}[self.value]


@dataclass(frozen=True, slots=True)
class CostModel:
    """Host time, in ns per packet, per byte of its IP length, and per load.

    Raises:
        ParameterError: a cost is negative or not finite.
    """

    software_packet_ns: float
    software_byte_ns: float
    nic_packet_ns: float
    nic_byte_ns: float
    load_host_ns: float

    def __post_init__(self) -> None:
        for field in fields(self):
            cost = getattr(self, field.name)
            if not (math.isfinite(cost) and cost >= 0):
                raise ParameterError(field.name, cost, "a finite number of ns, 0 or more")

    def software_ns(self, packets: int, total_bytes: int) -> float:
        """Host time of ``packets`` packets of ``total_bytes`` together, in software."""
        return packets * self.software_packet_ns + total_bytes * self.software_byte_ns

    def nic_ns(self, packets: int, total_bytes: int) -> float:
        """Host time of ``packets`` packets of ``total_bytes`` together, on the card."""
        return packets * self.nic_packet_ns + total_bytes * self.nic_byte_ns

    @property
    def saving_packet_ns(self) -> float:
        """The part of a packet's saving that does not depend on its length; may be negative."""
        return self.software_packet_ns - self.nic_packet_ns

    @property
    def saving_byte_ns(self) -> float:
        """What each byte of a packet adds to its saving; may be negative."""
        return self.software_byte_ns - self.nic_byte_ns

    def saving_ns(self, packet_bytes: int) -> float:
        """Host time that a packet of ``packet_bytes`` saves on the card; may be negative."""
        return self.saving_packet_ns + packet_bytes * self.saving_byte_ns


@dataclass(frozen=True, slots=True)
class ThresholdAnalysis:
    """How the threshold follows from the costs; ``lines`` prints the calculation."""

    cost: CostModel
    weight: Weight
    increment: float
    reference_packet_bytes: int
    saving_per_unit_ns: float  # host time saved per unit of weight on the reference packet
    threshold: float  # in the metric's unit; infinite where the card saves nothing

    def lines(self) -> list[str]:
        """The calculation, a step per line, each figure with its unit."""
        cost, size = self.cost, self.reference_packet_bytes
        in_software, on_card = cost.software_ns(1, size), cost.nic_ns(1, size)
        difference = f"{in_software:,.0f} ns in software - {on_card:,.0f} ns on the card"
        return [
            f"load cost: {cost.load_host_ns:,.0f} ns of host time",
            f"saving on {size} bytes: {difference} = {cost.saving_ns(size):,.0f} ns",
            f"threshold: {self._quotient()}",
        ]

    def _quotient(self) -> str:
        if math.isinf(self.threshold):
            return "none, for the card saves nothing; nothing is ever loaded"
        saving = f"{self.saving_per_unit_ns:,.4g} ns per {self.weight.unit}"
        quotient = f"{self.cost.load_host_ns:,.0f} ns / {saving}"
        if self.increment != 1:
            quotient += f" * increment {self.increment:g}"
        return f"{quotient} = {self.threshold:,.4g} {self.weight}"


def threshold_analysis(
    cost: CostModel, weight: Weight, reference_packet_bytes: int, increment: float = 1.0
) -> ThresholdAnalysis:
    """The threshold at which a load is worth its cost, in the unit of a metric so weighted.

    Infinite where the card saves nothing on a packet of ``reference_packet_bytes``.
    """
    saving_ns = cost.saving_ns(reference_packet_bytes)
    saving_per_unit_ns = {
        Weight.PACKETS: saving_ns,
        Weight.BYTES: saving_ns / reference_packet_bytes,
        Weight.SAVED_NS: 1.0,
    }[weight]
    threshold = cost.load_host_ns / saving_per_unit_ns * increment if saving_ns > 0 else math.inf
    return ThresholdAnalysis(
        cost, weight, increment, reference_packet_bytes, saving_per_unit_ns, threshold
    )
