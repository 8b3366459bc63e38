"""Where to look for a rule's parameters: one table, rule → what is varied, and over which range.

A search varies *dimensions*. Most are a parameter as it stands; where parameters hang together, a
dimension is what matters about them. The metric rule forgets by ``decay`` and ``period_ns``
together, so the search varies its memory, period ÷ (1 − factor), once and not both; its threshold
and bonus are searched as multiples of what the cost analysis says, because only so does a range fit
every card and every weight.

A parameter that is not varied keeps its default and has its reason in ``left_out``. A rule without
an entry can be searched too, over dimensions that its user names (``read_dimension``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from saactors.errors import ParameterError
from saactors.placement.cost import CostModel, Weight, threshold_analysis
from saactors.placement.parameters import MetricParameters
from saactors.placement.rule import Decide
from saactors.placement.table import read_parameters

Value = float | int | str
Values = Mapping[str, Value]  # a point of the space: dimension → value

_DIGITS: Final = 4  # of a parameter that was searched; more would be noise
_STEPS_PER_MEMORY: Final = 10  # with factor:0.9 a metric fades in steps that are small


@dataclass(frozen=True, slots=True)
class Dimension:
    """What one axis of the search varies: a range, or a choice.

    Raises:
        ParameterError: a range without width, or one that no logarithm has.
    """

    name: str
    low: float = 0.0
    high: float = 0.0
    choices: tuple[str, ...] = ()  # if there are any, low and high mean nothing
    log: bool = False
    whole: bool = False
    unit: str = ""
    start: Value | None = None  # the default of the rule, in this dimension's terms
    sets: tuple[str, ...] = ()  # the parameters that it decides; its own name if empty

    def __post_init__(self) -> None:
        if self.choices:
            return
        if not -math.inf < self.low < self.high < math.inf:
            raise ParameterError(self.name, f"{self.low:g}..{self.high:g}", "two ascending numbers")
        if self.log and self.low <= 0:
            raise ParameterError(self.name, f"{self.low:g}", "more than 0 on a log scale")

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters that it decides."""
        return self.sets or (self.name,)

    @property
    def label(self) -> str:
        """Its name with its unit, for an axis."""
        return f"{self.name} [{self.unit}]" if self.unit else self.name

    def steps(self, count: int) -> tuple[Value, ...]:
        """``count`` values that cover the range evenly on its scale, or all choices."""
        if self.choices:
            return self.choices
        shares = [step / (count - 1) for step in range(count)]
        if self.log:
            ratio = self.high / self.low
            values: list[Value] = [self.low * ratio**share for share in shares]
        else:
            values = [self.low + (self.high - self.low) * share for share in shares]
        if self.whole:
            values = list(dict.fromkeys(round(float(value)) for value in values))
        return tuple(values)


def rounded(value: object) -> object:
    """A number as a search gives it: to the digits that mean something."""
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, int) and not isinstance(value, bool):
        return int(float(f"{value:.{_DIGITS}g}"))
    return value


def _as_they_are(values: Values, _cost: CostModel) -> dict[str, object]:
    return dict(values)


@dataclass(frozen=True, slots=True)
class Space:
    """Where to look for the parameters of one rule."""

    dimensions: tuple[Dimension, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)  # parameter → why it is not varied
    translate: Callable[[Values, CostModel], dict[str, object]] = _as_they_are
    fixed: Mapping[str, object] = field(default_factory=dict)  # given by the user, never varied

    def parameters(self, values: Values, cost: CostModel) -> dict[str, object]:
        """What a point of the space gives the rule, in figures that people can read and write."""
        given = self.translate(values, cost)
        return {**{name: rounded(value) for name, value in given.items()}, **self.fixed}

    def start(self) -> dict[str, Value] | None:
        """The rule's defaults as a point; None where the space does not have them."""
        point = {dimension.name: dimension.start for dimension in self.dimensions}
        values = {name: value for name, value in point.items() if value is not None}
        return values if len(values) == len(point) else None


def _metric(values: Values, cost: CostModel) -> dict[str, object]:
    weight = Weight(str(values.get("weight", Weight.PACKETS.value)))
    size = MetricParameters().reference_packet_bytes
    worth = threshold_analysis(cost, weight, size).threshold
    if worth == 0:  # loads are free: any threshold above is in packets
        worth = {
            Weight.PACKETS: 1.0,
            Weight.BYTES: float(size),
            Weight.SAVED_NS: cost.saving_ns(size),
        }[weight]
    given: dict[str, object] = {
        name: values[name] for name in ("weight", "decide") if name in values
    }
    for name in ("threshold", "bonus"):
        if name in values:
            given[name] = worth * float(values[name])
    if "memory_ns" in values:
        given["period_ns"] = max(1, round(float(values["memory_ns"]) / _STEPS_PER_MEMORY))
        given["decay"] = f"factor:{1 - 1 / _STEPS_PER_MEMORY:g}"
    return given


def _plain(choices: type[StrEnum]) -> tuple[str, ...]:
    return tuple(choice.value for choice in choices)


_ANALYSIS: Final = "× cost analysis"


def _multiple(name: str, low: float, high: float) -> Dimension:
    """A parameter whose default the cost analysis decides, as a multiple of that."""
    return Dimension(name, low, high, log=True, unit=_ANALYSIS, start=1.0)


def _time(name: str, start_ns: int) -> Dimension:
    """A time from a millisecond, some packets, to 100 s, most of a trace."""
    return Dimension(name, 10**6, 10**11, log=True, whole=True, unit="ns", start=start_ns)


def _rival(rule: str, *dimensions: Dimension) -> Space:
    """The space of a rule whose dimensions are its parameters, or multiples of their defaults."""

    def translate(values: Values, cost: CostModel) -> dict[str, object]:
        defaults = read_parameters(rule, {}, cost)
        return {
            axis.name: float(values[axis.name]) * (getattr(defaults, axis.name) or 1.0)
            if axis.unit == _ANALYSIS
            else values[axis.name]
            for axis in dimensions
            if axis.name in values
        }

    return Space(dimensions, translate=translate)


SPACES: Final[Mapping[str, Space]] = MappingProxyType(
    {
        "metric": Space(
            (
                Dimension("threshold", 0.1, 300.0, log=True, unit=_ANALYSIS, start=1.0),
                Dimension("bonus", 0.03, 30.0, log=True, unit=_ANALYSIS, start=1.0),
                Dimension(
                    "memory_ns", 1e6, 1e11, log=True, unit="ns", start=1e9,
                    sets=("period_ns", "decay"),
                ),
                Dimension("weight", choices=_plain(Weight), start=Weight.PACKETS.value),
                Dimension("decide", choices=_plain(Decide), start=Decide.ARRIVAL.value),
            ),
            {
                "initial": "a new SA has earned nothing, or a scan of one-packet SAs claims slots",
                "increment": "scales the metric's unit, and threshold and bonus with it",
                "reference_packet_bytes": "only decides defaults, which the search replaces",
            },
            _metric,
        ),
        "tinylfu": _rival(
            "tinylfu", _multiple("margin", 0.1, 100), _multiple("sample_per_slot", 0.1, 30)
        ),
        "ewma": _rival("ewma", _time("memory_ns", 10**9), _time("horizon_ns", 10**9)),
        "ovs": _rival("ovs", _time("period_ns", 3 * 10**9)),
        "ovs-fast": _rival("ovs-fast", _time("period_ns", 10**8)),
        "rate": _rival(
            "rate", _multiple("rate_packets_per_s", 0.01, 100), _time("window_ns", 10**9)
        ),
        "nru": _rival("nru", _multiple("interval_per_slot", 0.03, 100)),
        "elixir": _rival(
            "elixir",
            _multiple("large_packets", 0.1, 100),
            _multiple("burst_packets", 0.1, 100),
            _time("period_ns", 10**9),
            _time("burst_window_ns", 10**7),
            Dimension("burst_share", 0.02, 0.9, unit="of slots", start=0.2),
        ),
    }
)  # fmt: skip


def space_of(
    rule: str,
    known: Sequence[str],
    fixed: Mapping[str, object],
    asked: Sequence[Dimension] = (),
) -> Space:
    """The space of ``rule``, with ``asked`` instead of or beside its own dimensions.

    ``known`` are the names of its parameters.

    A dimension goes if all that it decides is fixed or asked for otherwise.

    Raises:
        ParameterError: the rule has no such parameter, or nothing is left to vary.
    """
    own = SPACES.get(rule, Space(()))
    for name in (*fixed, *(dimension.name for dimension in asked)):
        if name not in known:
            expected = f"one of {', '.join(known)}" if known else "a rule with parameters"
            raise ParameterError("parameter", name, expected)
    given = {*fixed, *(dimension.name for dimension in asked)}
    kept = tuple(axis for axis in own.dimensions if not given.issuperset(axis.parameters))
    asked = tuple(axis for axis in asked if axis.name not in fixed)
    if not kept and not asked:
        searchable = ", ".join(SPACES)
        expected = (
            f"a rule with something to vary (one of {searchable}), or --search NAME=LOW..HIGH"
        )
        raise ParameterError("rule", rule, expected)
    names = [axis.name for axis in asked]

    def translate(values: Values, cost: CostModel) -> dict[str, object]:
        ours = {name: value for name, value in values.items() if name not in names}
        return {**own.translate(ours, cost), **{name: values[name] for name in names}}

    return replace(own, dimensions=(*kept, *asked), translate=translate, fixed=dict(fixed))


def read_dimension(text: str) -> Dimension:
    """``threshold=1..1000:log``, ``period_ns=1000000..9000000`` or ``weight=packets|bytes``.

    A range is of whole numbers if both its ends are written so.

    Raises:
        ParameterError: not of that form.
    """
    expected = "NAME=LOW..HIGH, NAME=LOW..HIGH:log or NAME=A|B, for instance threshold=1..1000:log"
    name, _, form = text.partition("=")
    if not name or not form:
        raise ParameterError("search", text, expected)
    if "|" in form:
        return Dimension(name, choices=tuple(dict.fromkeys(form.split("|"))))
    ends, _, scale = form.partition(":")
    low, dots, high = ends.partition("..")
    if not dots or scale not in ("", "log"):
        raise ParameterError("search", text, expected)
    try:
        whole = low.strip("+-").isdigit() and high.strip("+-").isdigit()
        return Dimension(name, float(low), float(high), log=scale == "log", whole=whole)
    except ValueError:
        raise ParameterError("search", text, expected) from None
