"""The metric rule's parameters: each with its unit, its range and the reason for its default.

US 7,124,293 names the parameters (claims 5, 7 to 10, 43, 44) and gives no values, so every default
here is ours. ``compiled`` turns them into the one record that the compiled functions read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from saactors.errors import ParameterError
from saactors.placement.cost import CostModel, ThresholdAnalysis, Weight, threshold_analysis
from saactors.placement.rule import Decide

# How far order keys may drift from the metrics that they stand for (see residents.py): half of a
# double's exponent range, and 9 of its 15 decimal digits.
_KEY_GAIN_LOG2_MAX: Final = 500
_KEY_LIFT_MAX: Final = 1e9
_REBASE_TICKS_MAX: Final = 1 << 62  # never, in 64 bits

SETTINGS: Final = np.dtype(
    [
        ("initial", "f8"),
        ("earned_packet", "f8"),  # what a packet adds whatever its length
        ("earned_byte", "f8"),  # what each of its bytes adds
        ("bonus", "f8"),
        ("threshold", "f8"),
        ("decay_factor", "f8"),  # 1 for decay by amount
        ("decay_amount", "f8"),  # 0 for decay by factor
        ("rebase_ticks", "i8"),  # ticks over which order keys stay comparable
        ("periodic", "u1"),  # 1: load at reviews only
    ],
    align=True,
)


class DecayForm(StrEnum):
    """What a tick does to a metric."""

    FACTOR = "factor"  # times so much
    AMOUNT = "amount"  # less so much, but never below 0


@dataclass(frozen=True, slots=True)
class Decay:
    """How a metric goes down at each tick; written ``factor:0.9`` or ``amount:2``.

    Raises:
        ParameterError: a factor outside (0, 1] or an amount below 0; 1 and 0 mean no decay.
    """

    form: DecayForm
    step: float  # a ratio, or in the metric's unit

    def __post_init__(self) -> None:
        if self.form is DecayForm.FACTOR and not 0 < self.step <= 1:
            raise ParameterError("decay", str(self), "a factor above 0 and at most 1")
        if self.form is DecayForm.AMOUNT and not 0 <= self.step < math.inf:
            raise ParameterError("decay", str(self), "an amount of 0 or more")

    def __str__(self) -> str:
        return f"{self.form}:{self.step:g}"

    @classmethod
    def parse(cls, text: str) -> Decay:
        """Read the written form."""
        form, _, step = text.partition(":")
        try:
            return cls(DecayForm(form.strip()), float(step))
        except ValueError:
            expected = "factor:F or amount:A, for instance factor:0.9"
            raise ParameterError("decay", text, expected) from None

    @property
    def factor(self) -> float:
        """What a tick multiplies a metric by; 1 for decay by amount."""
        return self.step if self.form is DecayForm.FACTOR else 1.0

    @property
    def amount(self) -> float:
        """What a tick takes off a metric; 0 for decay by factor."""
        return self.step if self.form is DecayForm.AMOUNT else 0.0

    @property
    def rebase_ticks(self) -> int:
        """Ticks after which order keys are re-based, to stay finite and exact (see residents)."""
        ticks = math.inf
        if self.factor < 1:
            ticks = _KEY_GAIN_LOG2_MAX / -math.log2(self.factor)
        elif self.amount > 0:
            ticks = _KEY_LIFT_MAX / self.amount
        return int(min(ticks, _REBASE_TICKS_MAX))


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricParameters:
    """Parameters of the metric rule; ``None`` stands for what the cost analysis says.

    Raises:
        ParameterError: a value outside its range.
    """

    initial: float = field(
        default=0.0,
        metadata={
            "unit": "metric",
            "why": "a new SA has earned nothing: a scan of one-packet SAs must not claim slots",
        },
    )
    increment: float = field(
        default=1.0,
        metadata={
            "unit": "metric per packet (byte, saved ns)",
            "why": "metric and threshold then count packets (bytes, saved ns)",
        },
    )
    bonus: float | None = field(
        default=None,
        metadata={
            "unit": "metric",
            "why": "the load cost as a metric: what was just paid is owed back before a move",
        },
    )
    decay: Decay = field(
        default=Decay(DecayForm.FACTOR, 0.9),
        metadata={
            "unit": "factor:F or amount:A, per period",
            "why": "with the period a memory of 1 s, long against TCP's bursts, short against"
            " most streams' lives; it fades in steps that are small beside any threshold",
        },
    )
    period_ns: int = field(
        default=100_000_000,
        metadata={"unit": "ns", "why": "a tenth of the memory, see decay"},
    )
    threshold: float | None = field(
        default=None,
        metadata={"unit": "metric", "why": "load cost ÷ saving: there a load pays for itself"},
    )
    weight: Weight = field(
        default=Weight.PACKETS,
        metadata={"unit": "packets, bytes or saved-ns", "why": "the claims count packets"},
    )
    decide: Decide = field(
        default=Decide.ARRIVAL,
        metadata={"unit": "arrival or periodic", "why": "no SA waits for a tick to be loaded"},
    )
    reference_packet_bytes: int = field(
        default=1500,
        metadata={"unit": "bytes", "why": "at this size the cost figures of DESIGN.md §7 hold"},
    )

    def __post_init__(self) -> None:
        for name in ("initial", "bonus"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise ParameterError(name, value, "a finite number, 0 or more")
        if self.threshold is not None and not self.threshold >= 0:
            raise ParameterError("threshold", self.threshold, "a number, 0 or more")
        if not 0 < self.increment < math.inf:
            raise ParameterError("increment", self.increment, "a finite number above 0")
        for name in ("period_ns", "reference_packet_bytes"):
            if getattr(self, name) < 1:
                raise ParameterError(name, getattr(self, name), "a whole number, 1 or more")

    @classmethod
    def from_mapping(cls, given: Mapping[str, object]) -> MetricParameters:
        """Read what a scenario, a command line or a message gives; None means the default.

        Raises:
            ParameterError: an unknown name, or a value of the wrong kind or outside its range.
        """
        unknown = sorted(given.keys() - _READERS.keys())
        if unknown:
            raise ParameterError("parameter", unknown[0], f"one of {', '.join(_READERS)}")
        return cls(
            **{
                name: _READERS[name](name, value)
                for name, value in given.items()
                if value is not None
            }
        )

    def analysis(self, cost: CostModel, /) -> ThresholdAnalysis:
        """The cost analysis, for this weight and increment."""
        return threshold_analysis(cost, self.weight, self.reference_packet_bytes, self.increment)

    def resolved(self, cost: CostModel, /) -> MetricParameters:
        """The same with threshold and bonus in figures; an infinite threshold never loads."""
        worth = self.analysis(cost).threshold
        return replace(
            self,
            threshold=worth if self.threshold is None else self.threshold,
            bonus=(worth if math.isfinite(worth) else 0.0) if self.bonus is None else self.bonus,
        )

    def settings(self, cost: CostModel) -> npt.NDArray[np.void]:
        """The one ``SETTINGS`` record that the compiled functions read; shape (1,)."""
        per_packet, per_byte = {
            Weight.PACKETS: (1.0, 0.0),
            Weight.BYTES: (0.0, 1.0),
            Weight.SAVED_NS: (cost.saving_packet_ns, cost.saving_byte_ns),
        }[self.weight]
        resolved = self.resolved(cost)
        settings = np.zeros(1, SETTINGS)
        settings["initial"] = self.initial
        settings["earned_packet"] = self.increment * per_packet
        settings["earned_byte"] = self.increment * per_byte
        settings["bonus"] = resolved.bonus
        settings["threshold"] = resolved.threshold
        settings["decay_factor"] = self.decay.factor
        settings["decay_amount"] = self.decay.amount
        settings["rebase_ticks"] = self.decay.rebase_ticks
        settings["periodic"] = self.decide is Decide.PERIODIC
        return settings


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ParameterError(name, value, "a number")
    return float(value)


def _whole_number(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ParameterError(name, value, "a whole number")
    return value


def _decay(name: str, value: object) -> Decay:
    if isinstance(value, Decay):
        return value
    if not isinstance(value, str):
        raise ParameterError(name, value, "factor:F or amount:A, for instance factor:0.9")
    return Decay.parse(value)


def _choice(kind: type[StrEnum]) -> Callable[[str, object], StrEnum]:
    def read(name: str, value: object) -> StrEnum:
        try:
            return kind(value)  # type: ignore[arg-type]  # any object: a wrong one is a ValueError
        except ValueError:
            raise ParameterError(name, value, " or ".join(kind)) from None

    return read


_READERS: Final[Mapping[str, Callable[[str, object], Any]]] = {
    "initial": _number,
    "increment": _number,
    "bonus": _number,
    "decay": _decay,
    "period_ns": _whole_number,
    "threshold": _number,
    "weight": _choice(Weight),
    "decide": _choice(Decide),
    "reference_packet_bytes": _whole_number,
}
