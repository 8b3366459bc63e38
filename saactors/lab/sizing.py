"""How many slots are worth it: saving against slots, for each rule and the optimum.

**The knee.** What the optimum saves is a concave function of the slots: it is the value of a linear
programme in which the slots are a right-hand side. So every further slot earns at most as much as
the one before, and there is one point at which a slot earns just what slots earn on average once
every SA that is worth one has one. That is the knee: before it a slot earns more than the average,
after it less. With S(k) the saving of k slots and K the number of SAs that could pay for a load at
all, it is where

    S(k) / S(K) − k / K

is greatest, the point furthest above the chord. It has no unit and no parameter; whoever knows the
price of a slot should instead go on as long as the next slot earns its price. A rule's curve need
not be concave; its knee is found in the same way, from what it saves with K slots. Knees are found
among the sizes that are tried, so they are as fine as these.

**All sizes in one pass.** Two rules need no run per size. ``never`` saves nothing. ``first-come``
moves nobody, so what a card of k slots loads are the first k loads of a card with room for all, at
the same instants: until its slots are full neither card has behaved unlike the other, and
afterwards the smaller one loads no more. All others are run at each size. Even LRU, whose misses at
all sizes follow from one pass over stack distances (Mattson et al., IBM Systems Journal 9, 1970),
is no exception here: while an SA loads, packets go past it, and then a smaller cache's contents are
no longer a subset of a greater one's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from nicmodel.presets import HOST, PROFILES
from nicmodel.profile import CardProfile, HostProfile
from saactors.lab.account import account
from saactors.lab.comparison import DEFAULT_PROFILE, Question, Tell, TraceSource, be_quiet, loaded
from saactors.lab.equipment import Slots, card_of, cards_for, with_slots
from saactors.lab.outcome import Best, best_possible, evaluate, savings_ns
from saactors.lab.run import cost_model, run_rule
from saactors.lab.trace import LabTrace
from saactors.placement.table import RULES

_PER_DECADE: Final = 4  # sizes of the grid: 1, 2, 3, 6, 10, 18, 32, 56, 100 …
_USUAL_RULES: Final = ("adaptive", "metric", "lru-ski-rental", "first-come", "static-top-k")


class Size(NamedTuple):
    """What a rule came to with so many slots."""

    slots: int
    saving_ns: float  # of host time, against all in software; may be negative
    loads: int


@dataclass(frozen=True, slots=True)
class Sizing:
    """A trace on cards of all sizes that are alike otherwise."""

    trace: str
    seed: int | None
    profile: str
    packets: int
    sas: int
    sas_worth_a_load: int  # those whose packets together save more than a load costs
    never_ns: float
    optima: Mapping[int, Best]  # slots → the optimum
    curves: Mapping[str, tuple[Size, ...]]  # rule → sizes, ascending

    @property
    def slots(self) -> tuple[int, ...]:
        """The sizes, ascending."""
        return tuple(self.optima)

    @property
    def marks(self) -> dict[int, list[str]]:
        """Slots → the profiles that have so many, and whose knee is there."""
        found: dict[int, list[str]] = {}
        for profile in PROFILES.values():
            if profile.slots_max in self.optima:
                found.setdefault(profile.slots_max, []).append(profile.name)
        if self.knee is not None:
            found.setdefault(self.knee, []).append("knee")
        return found

    @property
    def knee(self) -> int | None:
        """The optimum's, by the saving that is certain; None if there is nothing to save."""
        savings = [self.never_ns - best.upper_ns for best in self.optima.values()]
        return knee_of(self.slots, savings, self.sas_worth_a_load)

    def rule_knee(self, rule: str) -> int | None:
        """The rule's; None if it saves nothing."""
        savings = [size.saving_ns for size in self.curves[rule]]
        return knee_of(self.slots, savings, self.sas_worth_a_load)

    def to_json_object(self) -> dict[str, object]:
        """As plain JSON values; units are in the names."""
        return {
            "trace": self.trace,
            "seed": self.seed,
            "profile": self.profile,
            "packets": self.packets,
            "sas": self.sas,
            "sas_worth_a_load": self.sas_worth_a_load,
            "cost_ns": {"never": self.never_ns},
            "knee": {
                "optimum": self.knee,
                **{rule: self.rule_knee(rule) for rule in self.curves},
            },
            "profile_slots": {profile.name: profile.slots_max for profile in PROFILES.values()},
            "sizes": [
                {
                    "slots": slots,
                    "optimum": best.to_json_object(),
                    "rules": {
                        rule: self._size(curve[place], best) for rule, curve in self.curves.items()
                    },
                }
                for place, (slots, best) in enumerate(self.optima.items())
            ],
        }

    def _size(self, size: Size, best: Best) -> dict[str, object]:
        achievable_ns = self.never_ns - best.lower_ns
        return {
            "saving_ns": size.saving_ns,
            "saving_percent": 100 * size.saving_ns / achievable_ns if achievable_ns > 0 else None,
            "loads": size.loads,
        }


def usual_rules() -> tuple[str, ...]:
    """Those that are shown unless others are asked for: each takes a run per size."""
    return tuple(rule for rule in _USUAL_RULES if rule in RULES)


def size_up(
    source: TraceSource, question: Question, advance: Tell = be_quiet, warn: Tell = be_quiet
) -> Sizing:
    """Saving against slots on one trace with its first seed; ``question.slots`` or a grid of them.

    Raises:
        CaptureError: a trace that cannot be read.
        ParameterError: a synthetic trace that cannot be.
    """
    trace, seed = next(loaded([source], question, advance, warn))
    columns = trace.columns
    worth = sas_worth_a_load(trace, question.card, question.host)
    sizes = _sizes(question, columns.sa_count, worth)
    optima = {}
    for slots in sizes:
        advance(f"optimum of {slots} slots")
        card = with_slots(question.card, slots)
        optima[slots] = best_possible(trace, card, question.host, question.kind)
    curves = {}
    for rule in question.rules:
        curve = _ONE_PASS.get(rule, _run_each)
        curves[rule] = curve(trace, rule, question, sizes, advance)
    never_ns = evaluate(trace, "never", {}, question.card, question.host).never_ns
    return Sizing(
        columns.name,
        seed,
        question.card.name,
        len(columns),
        columns.sa_count,
        worth,
        never_ns,
        MappingProxyType(optima),
        MappingProxyType(curves),
    )


def size(
    trace: TraceSource,
    *,
    rules: Sequence[str] | None = None,
    parameters: Mapping[str, Mapping[str, object]] | None = None,
    profile: str | CardProfile = DEFAULT_PROFILE,
    host: HostProfile = HOST,
    slots: Sequence[Slots] = (),
    sa_per: str = "flow",
    kind: str = "prefetch",
) -> pl.DataFrame:
    """Saving against slots as a frame: a row per rule and number of slots, and for the optimum.

    The optimum's rows have the saving that is certain. Arguments are those of
    ``saactors.lab.compare``; its errors, too.
    """
    question = Question(
        rules=usual_rules() if rules is None else tuple(rules),
        parameters=parameters or {},
        card=card_of(profile) if isinstance(profile, str) else profile,
        host=host,
        slots=tuple(slots),
        sa_per=sa_per,
        kind=kind,
    )
    found = size_up(trace, question)
    rows: list[tuple[str, int, float, int | None]] = [
        ("optimum", slots, found.never_ns - best.upper_ns, None)
        for slots, best in found.optima.items()
    ]
    rows += [(rule, *one) for rule, curve in found.curves.items() for one in curve]
    schema = {"rule": pl.String, "slots": pl.Int64, "saving_ns": pl.Float64, "loads": pl.Int64}
    return pl.DataFrame(rows, schema, orient="row")


def knee_of(slots: Sequence[int], savings_ns: Sequence[float], enough: int) -> int | None:
    """The number of slots furthest above the chord from none to ``enough``; None without saving.

    ``slots`` ascend; ``enough`` is the size beyond which no slot can help.
    """
    places = [place for place, one in enumerate(slots) if one <= enough]
    if not places or savings_ns[places[-1]] <= 0:
        return None
    last = places[-1]

    def above(place: int) -> float:
        return savings_ns[place] / savings_ns[last] - slots[place] / slots[last]

    return slots[max(places, key=above)]


def sas_worth_a_load(trace: LabTrace, card: CardProfile, host: HostProfile) -> int:
    """How many SAs could pay for a load, if the card had all their packets."""
    saved_ns = savings_ns(trace, cost_model(card, host))
    sa = trace.columns.sa
    known = sa >= 0
    totals_ns = np.bincount(sa[known], weights=np.maximum(saved_ns[known], 0.0))
    return int(np.count_nonzero(totals_ns > card.load_host_ns))


def _sizes(question: Question, sas: int, worth: int) -> tuple[int, ...]:
    """Those asked for, else a geometric grid up to a slot for each SA, with the profiles' sizes."""
    if question.slots:
        cards = cards_for(question.slots, question.card, sas)
        return tuple(sorted({card.slots_max for _, card in cards}))
    marks = {profile.slots_max for profile in PROFILES.values()} | {worth, sas}
    steps = (round(10 ** (step / _PER_DECADE)) for step in range(10 * _PER_DECADE))
    grid = {one for one in steps if all(abs(one - mark) > one / 8 for mark in marks)}
    return tuple(sorted(one for one in grid | marks if 1 <= one <= max(1, sas)))


def _run_each(
    trace: LabTrace, rule: str, question: Question, sizes: Sequence[int], advance: Tell
) -> tuple[Size, ...]:
    curve = []
    for slots in sizes:
        advance(f"{rule} on {slots} slots")
        card = with_slots(question.card, slots)
        given = question.parameters.get(rule, {})
        outcome = evaluate(trace, rule, given, card, question.host)
        curve.append(Size(slots, outcome.never_ns - outcome.rule_ns, outcome.loads))
    return tuple(curve)


def _never(
    _trace: LabTrace, _rule: str, _question: Question, sizes: Sequence[int], _advance: Tell
) -> tuple[Size, ...]:
    return tuple(Size(slots, 0.0, 0) for slots in sizes)


def _first_come(
    trace: LabTrace, rule: str, question: Question, sizes: Sequence[int], advance: Tell
) -> tuple[Size, ...]:
    """One run with room for all: of its loads a card of k slots makes the first k."""
    advance(f"{rule} on all sizes at once")
    card = with_slots(question.card, max(sizes))
    run = run_rule(trace, rule, question.parameters.get(rule, {}), card, question.host)
    by_load_ns = account(run).saved_ns[run.loads["sa"]] - card.load_host_ns
    saved_ns = np.concatenate([[0.0], np.cumsum(by_load_ns)])
    loads = [min(slots, len(by_load_ns)) for slots in sizes]
    return tuple(
        Size(slots, float(saved_ns[made]), made) for slots, made in zip(sizes, loads, strict=True)
    )


_Curve = Callable[[LabTrace, str, Question, Sequence[int], Tell], tuple[Size, ...]]

_ONE_PASS: Final[Mapping[str, _Curve]] = MappingProxyType(
    {"never": _never, "first-come": _first_come}
)
