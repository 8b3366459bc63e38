"""Whether a rule may be trusted with a card: the laws that every rule keeps, tried on it.

    for finding in check_rule("my_rule.py:mine", seed=0): ...

Traffic of eight kinds is generated from the seed and placed on a small card, with and without load
latency, packet by packet and in bursts. First the rule runs as plain Python, where an index out of
its array and a loop without end are found, and only a rule that has come through is run compiled.
Nothing that a rule says of itself is believed (``saactors.lab.rule_watch``).

These are trials, not proofs: a rule that passes has not been caught.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from traceback import extract_tb
from typing import Any, Final

import numpy as np

from nicmodel.presets import HOST, PROFILES
from nicmodel.profile import CardProfile
from saactors.errors import ParameterError
from saactors.lab.clairvoyant import foretell
from saactors.lab.outcome import best_possible, evaluate
from saactors.lab.rule_interpreted import interpret
from saactors.lab.rule_traffic import SLOTS_MAX, Case, card_with, cases_of
from saactors.lab.rule_watch import (
    LOADS,
    ROUTES,
    SLOTS,
    BrokenLawError,
    Command,
    Driven,
    FaultyCard,
    Holding,
    LabCard,
    WatchedCard,
    drive,
)
from saactors.lab.run import cost_model, run_rule
from saactors.lab.trace import LabTrace, lab_trace
from saactors.placement.table import Rule, make_rule, rule_entry
from saactors.placement.user_file import check_compilable, in_short
from saactors.traces.synthetic.table import synthesise

COMPILES: Final = "its functions compile"
RUNS: Final = "its functions run, and stay within their arrays"
NO_SLOTS: Final = "a card without slots is given nothing"
FAULTS: Final = "it survives lost loads and resets of the card"
REPEATS: Final = "it decides the same twice"
DRIVERS: Final = "actors and lab decide alike"
OPTIMUM: Final = "it never costs less than the optimum"
MEMORY: Final = "memory for an SA is bounded"
TIME: Final = "time for a packet"
LAWS: Final = (
    COMPILES, RUNS, SLOTS, ROUTES, LOADS, NO_SLOTS, FAULTS, REPEATS, DRIVERS, OPTIMUM, MEMORY, TIME,
)  # fmt: skip

_HARMLESS: Final = (REPEATS, DRIVERS, OPTIMUM, MEMORY)  # who breaks them can be run on

BYTES_PER_SA_MAX: Final = 64
_PACKETS: Final = 1200
_PACKETS_INTERPRETED: Final = 300
_PACKETS_TIMED: Final = 200_000
_TURNS_TIMED: Final = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one law."""

    law: str
    kept: bool | None  # None: only reported, or not tried
    found: str


def check_rule(name: str, seed: int = 0) -> Iterator[Finding]:
    """Try every law of ``LAWS`` on the rule ``name``, in that order; same seed, same traffic.

    A law that a rule cannot be tried for, since it has broken one before, is reported as not tried.

    Raises:
        ParameterError: no such rule, or a file that does not hold one.
    """
    trials = _Trials(name, seed)
    told: set[str] = set()
    for laws, trial in trials.all():
        findings, may_go_on = _tried(laws, trial)
        yield from findings
        told |= {finding.law for finding in findings}
        if not may_go_on:
            break
    yield from (Finding(law, None, "not tried") for law in LAWS if law not in told)


def _tried(laws: tuple[str, ...], trial: Callable[[], str]) -> tuple[list[Finding], bool]:
    """What came of a trial of some laws, and whether the next trial can do no harm."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore", divide="raise"):
            warnings.simplefilter("ignore")  # of Numba, and of plain Python about what wraps
            found = trial()
    except BrokenLawError as problem:
        return [Finding(problem.law, False, str(problem))], problem.law in _HARMLESS
    except Exception as problem:  # noqa: BLE001 - the functions of a rule may raise anything
        return [Finding(laws[0], False, in_short(problem))], False
    return [Finding(law, law != TIME or None, found) for law in laws], True


class _Trials:
    """The trials of one rule; each says what it found, or raises."""

    def __init__(self, name: str, seed: int) -> None:
        self._name, self._seed = name, seed
        self._entry = rule_entry(name)
        self._driven: list[Driven] = []

    def all(self) -> Iterator[tuple[tuple[str, ...], Callable[[], str]]]:
        """Trials, with the laws that each tries, in an order in which none can do harm."""
        yield (COMPILES,), self._compile
        yield (RUNS,), self._interpret
        yield (SLOTS, ROUTES, LOADS), self._halves
        yield (NO_SLOTS,), self._no_slots
        yield (FAULTS,), self._faults
        yield (REPEATS,), self._repeat
        yield (DRIVERS,), self._drivers
        yield (OPTIMUM,), self._optimum
        yield (MEMORY,), self._memory
        yield (TIME,), self._time

    @cached_property
    def _cases(self) -> list[Case]:
        """Every kind of traffic with every latency, in bursts of either kind."""
        return list(cases_of(_PACKETS, self._seed))

    def _rule(self, card: CardProfile, trace: LabTrace, slots: int = SLOTS_MAX) -> Rule:
        cost = cost_model(card, HOST)
        rule = make_rule(self._name, {}, slots, card.loads_outstanding_max, cost)
        if self._entry.clairvoyant:
            rule.arbiter.receive(trace.columns.sa_count)
            foretell(rule, trace.columns, slots)
        return rule

    def _compile(self) -> str:
        card = card_with(0)
        rule = make_rule(self._name, {}, SLOTS_MAX, 1, cost_model(card, HOST))
        try:
            check_compilable(self._name, self._entry, rule.arbiter)
        except ParameterError as problem:
            cause = problem.__cause__ or problem
            raise BrokenLawError(COMPILES, in_short(cause)) from problem
        return "all of them"

    def _interpret(self) -> str:
        """In plain Python: on sound cards, on one without slots, on a faulty one."""
        packets = 0
        cases = sorted(cases_of(_PACKETS_INTERPRETED, self._seed), key=lambda case: case.burst_max)
        for slots, faulty in ((SLOTS_MAX, False), (0, False), (SLOTS_MAX, True)):
            for case in cases:
                rule = self._rule(card_with(case.latency_ns), case.trace, slots)
                if not interpret(rule):
                    return "compiled code alone, for it is no policy"
                self._placed(case, rule, slots, faulty=faulty, interpreted=True)
                packets += len(case.trace.packets)
        return f"{packets:,} packets in plain Python"

    def _placed(
        self,
        case: Case,
        rule: Rule,
        slots: int = SLOTS_MAX,
        *,
        faulty: bool = False,
        interpreted: bool = False,
    ) -> Driven:
        profile = card_with(case.latency_ns)
        card: WatchedCard = LabCard(profile, case.trace.columns.sa_count)
        if faulty:
            card = FaultyCard(case.latency_ns, np.random.default_rng([self._seed, 1]))
        holding = Holding(slots, profile.loads_outstanding_max)
        try:
            return drive(rule, case.trace, card, holding, interpreted=interpreted)
        except BrokenLawError as problem:
            law, told = problem.law, str(problem)
        except Exception as problem:  # noqa: BLE001 - the functions of a rule may raise anything
            law, told = RUNS, f"{in_short(problem)}{_place_in(self._name, problem)}"
        law = NO_SLOTS if slots == 0 else FAULTS if faulty else law
        raise BrokenLawError(law, f"{told}; on {case}")

    def _halves(self) -> str:
        for case in self._cases:
            rule = self._rule(card_with(case.latency_ns), case.trace)
            self._driven.append(self._placed(case, rule))
        loads = sum(len(driven.commands) for driven in self._driven)
        packets = sum(len(driven.routes) for driven in self._driven)
        return f"{loads:,} loads in {packets:,} packets on {SLOTS_MAX} slots"

    def _no_slots(self) -> str:
        for case in self._cases:
            self._placed(case, self._rule(card_with(case.latency_ns), case.trace, 0), 0)
        return "no load commanded"

    def _faults(self) -> str:
        loads = 0
        for case in self._cases:
            rule = self._rule(card_with(case.latency_ns), case.trace)
            loads += len(self._placed(case, rule, faulty=True).commands)
        return f"{loads:,} loads, of which a third was lost"

    def _repeat(self) -> str:
        for case, before in zip(self._cases, self._driven, strict=True):
            rule = self._rule(card_with(case.latency_ns), case.trace)
            _demand_alike(REPEATS, case, before, self._placed(case, rule), "then")
        return f"{len(self._cases)} traces"

    def _drivers(self) -> str:
        for case, halves in zip(self._cases, self._driven, strict=True):
            run = run_rule(case.trace, self._name, {}, card_with(case.latency_ns), HOST)
            loads = [Command(*map(int, load)) for load in run.loads[["time_ns", "sa", "victim"]]]
            lab = Driven(case.trace.packets["route"].copy(), loads)
            _demand_alike(DRIVERS, case, halves, lab, "in the lab")
        return f"{len(self._cases)} traces, the same routes and loads"

    def _optimum(self) -> str:
        closest = np.inf
        for case in self._cases:
            card = card_with(case.latency_ns)
            best = best_possible(case.trace, card, HOST)
            outcome = evaluate(case.trace, self._name, {}, card, HOST)
            if outcome.rule_ns < best.lower_ns * (1 - 1e-9):
                told = f"{outcome.rule_ns:,.0f} ns, the optimum {best.lower_ns:,.0f} ns; on {case}"
                raise BrokenLawError(OPTIMUM, told)
            closest = min(closest, outcome.rule_ns / best.lower_ns - 1)
        return f"{len(self._cases)} traces; the closest costs {100 * closest:.1f} % more"

    def _memory(self) -> str:
        rule = make_rule(self._name, {}, SLOTS_MAX, 1, cost_model(card_with(0), HOST))
        sizes = []
        for sas in (1000, 2000):
            rule.keeper.receive(sas)
            rule.arbiter.receive(sas)
            sizes.append([*_arrays(rule.keeper.state), *_arrays(rule.arbiter.state)])
        per_sa = sum(a.nbytes // len(a) for b, a in zip(*sizes, strict=True) if len(a) > len(b))
        if per_sa > BYTES_PER_SA_MAX:
            raise BrokenLawError(MEMORY, f"{per_sa} bytes, at most {BYTES_PER_SA_MAX}")
        return f"{per_sa} bytes of {BYTES_PER_SA_MAX}"

    def _time(self) -> str:
        columns = synthesise("zipf", {"packets": _PACKETS_TIMED, "sas": 10_000}, self._seed)
        trace, card = lab_trace(columns), PROFILES["82599"]
        least = {
            name: min(run_rule(trace, name, {}, card, HOST).cpu_s for _ in range(_TURNS_TIMED))
            for name in (self._name, "metric")
        }
        each_ns = 1e9 * least[self._name] / len(trace.packets)
        return f"{each_ns:.0f} ns, {least[self._name] / least['metric']:.1f} × that of metric"


def _place_in(name: str, problem: BaseException) -> str:
    """The line of the rule's own file at which an exception was raised, if it was there."""
    file = Path(name.rpartition(":")[0]).resolve()
    lines = [f.lineno for f in extract_tb(problem.__traceback__) if Path(f.filename) == file]
    return f" ({file.name}, line {lines[-1]})" if lines else ""


def _demand_alike(law: str, case: Case, one: Driven, other: Driven, where: str) -> None:
    """Two runs must have decided alike; ``where`` says which is the other."""
    for number, (first, second) in enumerate(zip(one.commands, other.commands, strict=False)):
        if first != second:
            told = f"load {number} is of SA {first.sa} for {first.victim} at {first.time_ns} ns"
            raise BrokenLawError(
                law,
                f"{told}, {where} of SA {second.sa} for {second.victim} at {second.time_ns} ns"
                f"; on {case}",
            )
    if len(one.commands) != len(other.commands):
        told = f"{len(one.commands)} loads, {where} {len(other.commands)}"
        raise BrokenLawError(law, f"{told}; on {case}")
    differ = np.flatnonzero(one.routes != other.routes)
    if len(differ):
        raise BrokenLawError(law, f"packet {differ[0]} takes another route {where}; on {case}")


def _arrays(state: Any) -> list[np.ndarray[Any, Any]]:  # noqa: ANN401 - each rule has its own
    return [array for array in state if isinstance(array, np.ndarray)]
