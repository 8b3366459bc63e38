"""Rules against each other: every rule over every trace, seed and number of slots.

    question = Question(rules=("metric", "first-come"), card=PROFILES["nfp"])
    for outcome in outcomes(["office.pcap", "synth:zipf"], question): ...

    frame = compare(["office.pcap"], profile="nfp", slots=[33, "10%"])  # as a Polars frame

A trace is read once per seed and its bursts are formed once; the optimum is found once per number
of slots; then every rule runs. So memory holds one trace at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import polars as pl

from nicmodel.presets import HOST
from nicmodel.profile import CardProfile, HostProfile
from saactors.errors import ParameterError
from saactors.lab.equipment import Slots, card_of, cards_for, check_slots
from saactors.lab.frames import frame_of
from saactors.lab.load import load_trace
from saactors.lab.outcome import Outcome, best_possible, evaluate
from saactors.lab.run import cost_model
from saactors.lab.trace import LabTrace, lab_trace
from saactors.placement.table import RULES, read_parameters
from saactors.traces.burst_former import BURST_MAX, BURST_WAIT_NS, BurstFormer
from saactors.traces.columns import TraceColumns
from saactors.traces.synthetic.table import SYNTH_PREFIX

DEFAULT_PROFILE: Final = "82599"
KINDS: Final = ("prefetch", "demand", "ticks")

TraceSource = str | Path | TraceColumns
Tell = Callable[[str], None]


def be_quiet(_told: str) -> None:
    """Nobody listens."""


def rules_without_foresight() -> tuple[str, ...]:
    """All rules that a driver could follow: those that need not know the future."""
    return tuple(name for name, entry in RULES.items() if not entry.clairvoyant)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is compared, and on which card and host.

    Raises:
        ParameterError: no such rule, or a parameter, number of slots, burst or kind that cannot be.
    """

    rules: tuple[str, ...] = field(default_factory=rules_without_foresight)
    parameters: Mapping[str, Mapping[str, object]] = field(default_factory=dict)  # by rule
    card: CardProfile = field(default_factory=lambda: card_of(DEFAULT_PROFILE))
    host: HostProfile = HOST
    slots: tuple[Slots, ...] = ()  # the card's own if empty
    seeds: tuple[int, ...] = (0,)  # that each synthetic trace is made with
    sa_per: str = "flow"
    burst_max: int = BURST_MAX
    burst_wait_ns: int = BURST_WAIT_NS
    kind: str = "prefetch"  # of the optimum

    def __post_init__(self) -> None:
        check_slots(self.slots)
        BurstFormer(self.burst_max, self.burst_wait_ns)
        if not self.seeds:
            raise ParameterError("seeds", self.seeds, "1 or more")
        if not self.rules:
            raise ParameterError("rules", self.rules, f"some of {', '.join(RULES)}")
        if self.kind not in KINDS:
            raise ParameterError("kind", self.kind, f"one of {', '.join(KINDS)}")
        cost = cost_model(self.card, self.host)
        for rule in self.rules:
            read_parameters(rule, self.parameters.get(rule, {}), cost)
        unused = sorted(self.parameters.keys() - set(self.rules))
        if unused:
            raise ParameterError("parameters", unused[0], f"one of {', '.join(self.rules)}")


def compare(
    traces: TraceSource | Sequence[TraceSource],
    *,
    rules: Sequence[str] | None = None,
    parameters: Mapping[str, Mapping[str, object]] | None = None,
    profile: str | CardProfile = DEFAULT_PROFILE,
    host: HostProfile = HOST,
    slots: Slots | Sequence[Slots] = (),
    seeds: int | Sequence[int] = 1,
    sa_per: str = "flow",
    burst: int = BURST_MAX,
    burst_wait_ns: int = BURST_WAIT_NS,
    kind: str = "prefetch",
) -> pl.DataFrame:
    """Every rule on every trace, as a frame with a row each; see ``frames.frame_of``.

    ``traces`` are captures, files of columns, ``synth:MODEL,name=value…`` or ``TraceColumns``;
    ``slots`` are counts, or shares of the trace's SAs such as ``"10%"``; ``rules`` are all that
    need not know the future if left out; ``parameters`` maps a rule to what it is given; ``seeds``
    are numbers, or how many from 0 on.

    Raises:
        ParameterError: anything that cannot be.
        CaptureError: a trace that cannot be read.
    """
    question = Question(
        rules=rules_without_foresight() if rules is None else tuple(rules),
        parameters=parameters or {},
        card=card_of(profile) if isinstance(profile, str) else profile,
        host=host,
        slots=(slots,) if isinstance(slots, int | str) else tuple(slots),
        seeds=tuple(range(seeds) if isinstance(seeds, int) else seeds),
        sa_per=sa_per,
        burst_max=burst,
        burst_wait_ns=burst_wait_ns,
        kind=kind,
    )
    sources = [traces] if isinstance(traces, str | Path | TraceColumns) else traces
    return frame_of(outcomes(sources, question))


def steps(traces: Sequence[TraceSource], question: Question) -> int:
    """How often ``outcomes`` tells of its progress."""
    runs = sum(len(_seeds(trace, question)) for trace in dict.fromkeys(traces))
    return runs * (1 + max(1, len(set(question.slots))) * (1 + len(question.rules)))


def outcomes(
    traces: Sequence[TraceSource],
    question: Question,
    advance: Tell = be_quiet,
    warn: Tell = be_quiet,
) -> Iterator[Outcome]:
    """Each rule on each trace, seed and number of slots, judged by the optimum; in this order.

    ``advance`` hears what comes next, before each of ``steps``; ``warn`` of what is wrong with a
    capture that could be read in part.

    Raises:
        CaptureError: a trace that cannot be read.
        ParameterError: a synthetic trace that cannot be.
    """
    for trace, seed in loaded(traces, question, advance, warn):
        for wanted, card in cards_for(question.slots, question.card, trace.columns.sa_count):
            advance(f"{trace.columns.name}: optimum of {card.slots_max} slots")
            optimum = best_possible(trace, card, question.host, question.kind)
            for rule in question.rules:
                advance(f"{trace.columns.name}: {rule} on {card.slots_max} slots")
                given = question.parameters.get(rule, {})
                outcome = evaluate(trace, rule, given, card, question.host)
                yield replace(outcome, optimum=optimum, seed=seed, slots_wanted=wanted)


def loaded(
    traces: Sequence[TraceSource],
    question: Question,
    advance: Tell = be_quiet,
    warn: Tell = be_quiet,
) -> Iterator[tuple[LabTrace, int | None]]:
    """Each trace with each seed, its bursts formed; the seed is None where none made it.

    A trace named twice comes once; files of one name in two folders are told by their paths.
    """
    named: dict[str, TraceSource] = {}
    for source in dict.fromkeys(traces):
        for seed in _seeds(source, question):
            advance(f"reading {source.name if isinstance(source, TraceColumns) else source}")
            columns = source
            if not isinstance(columns, TraceColumns):
                columns = load_trace(columns, sa_per=question.sa_per, seed=seed or 0, warn=warn)
                if named.setdefault(columns.name, source) != source:
                    columns = replace(columns, name=str(source))
            yield lab_trace(columns, question.burst_max, question.burst_wait_ns), seed


def _seeds(source: TraceSource, question: Question) -> Sequence[int | None]:
    """The seeds to make it with: only a synthetic trace has any."""
    synthetic = isinstance(source, str) and source.startswith(SYNTH_PREFIX)
    return question.seeds if synthetic else (None,)
