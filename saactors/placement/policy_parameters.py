"""Parameters of rules that are policies: numbers, each with unit, range and reason for its default.

A rule without parameters of its own uses ``PolicyParameters`` as it is. ``None`` as a default
stands for what the cost analysis says: the field's ``from_cost`` works it out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Final, Self

import numpy as np
import numpy.typing as npt

from saactors.errors import ParameterError
from saactors.placement.cost import CostModel, ThresholdAnalysis, Weight, threshold_analysis
from saactors.placement.gate import ALWAYS, SKI_RENTAL
from saactors.placement.rule import Decide

REFERENCE_PACKET_BYTES: Final = 1500  # at this size the cost figures of DESIGN.md §7 hold


def number(
    default: float | None,
    unit: str,
    why: str,
    *,
    least: float = 0.0,
    most: float = math.inf,
    **more: Any,  # noqa: ANN401 - ``from_cost``
) -> Any:  # noqa: ANN401 - a dataclass field takes the place of its value
    """A parameter that is a number from ``least`` to ``most``; an int default makes it whole."""
    metadata = {"unit": unit, "why": why, "least": least, "most": most, **more}
    return field(default=default, metadata=metadata)


def packets_worth_a_load(cost: CostModel) -> float:
    """Packets of the reference size that save as much as a load costs; infinite if none does."""
    return threshold_analysis(cost, Weight.PACKETS, REFERENCE_PACKET_BYTES).threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyParameters:
    """The parameters of a rule that has none; the base of all others.

    Raises:
        ParameterError: a value outside its range.
    """

    gate: ClassVar[int] = ALWAYS
    decide: ClassVar[Decide] = Decide.ARRIVAL

    def __post_init__(self) -> None:
        for parameter in fields(self):
            value = getattr(self, parameter.name)
            least, most = parameter.metadata["least"], parameter.metadata["most"]
            if value is not None and not least <= value <= most:
                upper = "" if most == math.inf else f" to {most:g}"
                expected = f"{least:g}{upper or ' or more'}"
                raise ParameterError(parameter.name, value, expected)

    @classmethod
    def from_mapping(cls, given: Mapping[str, object]) -> Self:
        """Read what a scenario, a command line or a message gives; None means the default.

        Raises:
            ParameterError: an unknown name, or a value of the wrong kind or outside its range.
        """
        known = {parameter.name: parameter for parameter in fields(cls)}
        values: dict[str, Any] = {}
        for name, value in given.items():
            if value is None:
                continue
            if not known:
                raise ParameterError(name, value, "nothing, for this rule has no parameters")
            if name not in known:
                raise ParameterError("parameter", name, f"one of {', '.join(known)}")
            whole = isinstance(known[name].default, int)
            kind = "a whole number" if whole else "a number"
            if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
                raise ParameterError(name, value, kind)
            values[name] = value
        return cls(**values)

    @property
    def period_ns(self) -> int | None:
        """Time between ticks; None for a rule that needs none."""
        return None

    def resolved(self, cost: CostModel, /) -> Self:
        """The same with what the cost analysis decides filled in."""
        values = {
            parameter.name: parameter.metadata["from_cost"](cost)
            for parameter in fields(self)
            if getattr(self, parameter.name) is None
        }
        return replace(self, **values) if values else self

    def analysis(self, cost: CostModel, /) -> ThresholdAnalysis | None:
        """The cost analysis behind a gate or a default; None where there is nothing of either."""
        if self.gate != SKI_RENTAL and all(field.default is not None for field in fields(self)):
            return None
        return threshold_analysis(cost, Weight.PACKETS, REFERENCE_PACKET_BYTES)

    def settings(self, cost: CostModel, card_slots: int) -> npt.NDArray[np.void]:
        """The one record that the compiled functions read: costs, gate, slots and parameters."""
        resolved = self.resolved(cost)
        own = [parameter.name for parameter in fields(self)]
        known = {
            "saving_packet_ns": cost.saving_packet_ns,
            "saving_byte_ns": cost.saving_byte_ns,
            "saving_reference_ns": cost.saving_ns(REFERENCE_PACKET_BYTES),
            "load_host_ns": cost.load_host_ns,
            "card_slots": card_slots,
        }
        dtype = np.dtype([(name, "f8") for name in (*known, *own)] + [("gate", "u1")], align=True)
        settings = np.zeros(1, dtype)
        for name, value in known.items():
            settings[name] = value
        for name in own:
            settings[name] = getattr(resolved, name)
        settings["gate"] = self.gate
        return settings


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedParameters(PolicyParameters):
    """The parameters of a rule behind the ski-rental gate."""

    gate: ClassVar[int] = SKI_RENTAL
