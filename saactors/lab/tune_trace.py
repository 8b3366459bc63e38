"""A rule's parameters for a trace: searched on its first part, judged on the rest.

    tuning = tune("traffic.pcap.gz", "metric", "netdevsim", slots=16)
    print(tuning.verdict, tuning.chosen.parameters)

How the search works stands in ``tune_search``, how the judgement works and how sure it is in
``tune_judge``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from nicmodel.presets import HOST
from nicmodel.profile import CardProfile, HostProfile
from saactors.errors import ParameterError
from saactors.lab.account import account
from saactors.lab.equipment import Slots, card_of, cards_for
from saactors.lab.load import load_trace
from saactors.lab.outcome import Outcome, outcome_of
from saactors.lab.run import cost_model, run_rule
from saactors.lab.trace import lab_trace
from saactors.lab.tune_judge import (
    JUDGED_MAX,
    HeldOut,
    Interval,
    Verdict,
    held_out,
    interval,
    saved_by_window,
)
from saactors.lab.tune_search import Advance, Objective, Trial, best_few, searched
from saactors.lab.tune_space import Dimension, Space, Value, space_of
from saactors.placement.cost import ThresholdAnalysis
from saactors.placement.policy_parameters import REFERENCE_PACKET_BYTES
from saactors.placement.table import read_parameters, rule_entry
from saactors.traces.columns import TraceColumns

DEFAULT_PROFILE: Final = "82599"
TRIALS: Final = 100
HOLD_OUT: Final = 0.3
PACKETS_MIN: Final = 100  # in each part; a search over fewer finds chance


@dataclass(frozen=True, slots=True)
class Judged:
    """Parameters of the search beside the defaults, on the held-out part."""

    trial: Trial
    saved: float  # share, on the held-out part
    against_defaults: Interval
    whole: Outcome  # over the whole trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What a search found, and what to think of it. Costs are host ns."""

    trace: str
    rule: str
    card: CardProfile
    host: HostProfile
    seed: int
    hold_out: float  # share of packets
    training_packets: int
    held_out_packets: int
    training_never_ns: float
    held_out_never_ns: float
    space: Space
    trials: Sequence[Trial]  # in the order in which they were tried
    importance: Mapping[str, float]  # dimension → share of the trials' spread, greatest first
    defaults: Judged
    judged: Sequence[Judged]  # best on the held-out part first
    analysis: ThresholdAnalysis | None
    given: Mapping[str, object] = field(default_factory=dict)  # parameters fixed by the user

    @property
    def best(self) -> Judged:
        """What the search found, whether or not it beats the defaults."""
        return self.judged[0] if self.judged else self.defaults

    @property
    def verdict(self) -> Verdict:
        """Whether that beats the defaults."""
        return self.best.against_defaults.verdict

    @property
    def chosen(self) -> Judged:
        """What to use: the defaults wherever nothing did better on the held-out part."""
        return self.defaults if self.verdict is Verdict.NO_BETTER else self.best


def tune(
    trace: str | Path | TraceColumns,
    rule: str = "metric",
    profile: str | CardProfile = DEFAULT_PROFILE,
    *,
    slots: Slots | None = None,
    host: HostProfile = HOST,
    sa_per: str = "flow",
    trials: int = TRIALS,
    seed: int = 0,
    hold_out: float = HOLD_OUT,
    fixed: Mapping[str, object] | None = None,
    search: Sequence[Dimension] = (),
    advance: Advance = lambda _what: None,
) -> Tuning:
    """Search ``trials`` points on the first 1 - ``hold_out`` of the packets, judge on the rest.

    ``trace`` is a capture, a file of columns, ``synth:MODEL,name=value…`` or ``TraceColumns``;
    ``slots`` a count or a share of its SAs such as ``"10%"``. ``fixed`` parameters are kept as
    given, for the defaults too; ``search`` dimensions take the place of the rule's own. A
    KeyboardInterrupt ends the search early, with what was found by then.

    Raises:
        ParameterError: a value out of range, a rule with nothing to vary, a trace that is too
            short, a card on which nothing is saved.
        CaptureError: a trace that cannot be read.
    """
    check_shares(trials, hold_out)
    if not isinstance(trace, TraceColumns):
        trace = load_trace(trace, sa_per=sa_per, seed=seed)
    card = card_of(profile) if isinstance(profile, str) else profile
    ((_, card),) = cards_for([] if slots is None else [slots], card, trace.sa_count)
    fixed = dict(fixed or {})
    cost = cost_model(card, host)
    read_parameters(rule, fixed, cost)
    if cost.saving_ns(REFERENCE_PACKET_BYTES) <= 0:
        raise ParameterError("profile", card.name, "a card on which a packet saves host time")
    space = space_of(rule, [each.name for each in rule_entry(rule).parameters], fixed, search)
    first_row = _split(trace, hold_out)
    training = lab_trace(trace.part(0, first_row))
    objective = Objective(training, rule, space, card, host, {})
    found, importance = searched(objective, trials, seed, advance)
    whole = held_out(lab_trace(trace), first_row)
    defaults, judged = _judged(whole, objective, found)
    held_sizes = trace.length_bytes[first_row:][trace.sa[first_row:] >= 0]
    return Tuning(
        trace=trace.name,
        rule=rule,
        card=card,
        host=host,
        seed=seed,
        hold_out=hold_out,
        training_packets=first_row,
        held_out_packets=len(trace) - first_row,
        training_never_ns=objective.never_ns,
        held_out_never_ns=cost.software_ns(len(held_sizes), int(held_sizes.sum())),
        space=space,
        trials=found,
        importance=importance,
        defaults=defaults,
        judged=judged,
        analysis=read_parameters(rule, defaults.trial.parameters, cost).analysis(cost),
        given=fixed,
    )


class Surface(NamedTuple):
    """What is saved on the training part over a grid of two dimensions."""

    axes: tuple[Dimension, Dimension]
    across: tuple[Value, ...]  # values of the first
    along: tuple[Value, ...]  # and of the second
    saved: list[list[float]]  # (along, across), shares of the host time of all in software


def surface_axes(tuning: Tuning) -> tuple[Dimension, Dimension] | None:
    """The two dimensions that matter most, ranges before choices; None if there is but one."""
    by_name = {axis.name: axis for axis in tuning.space.dimensions}
    ranked = [by_name[name] for name in tuning.importance]
    ranked.sort(key=lambda axis: bool(axis.choices))
    return (ranked[0], ranked[1]) if len(ranked) > 1 else None


def surface(
    trace: TraceColumns, tuning: Tuning, steps: int, advance: Advance = lambda _what: None
) -> Surface | None:
    """A grid over the two dimensions that matter most, all else as in the best candidate.

    Every value is a run of its own. ``trace`` is the one that was tuned for; a range has ``steps``
    values. None where there are no two dimensions.
    """
    axes = surface_axes(tuning)
    if axes is None:
        return None
    training = lab_trace(trace.part(0, tuning.training_packets))
    objective = Objective(training, tuning.rule, tuning.space, tuning.card, tuning.host, {})
    point = tuning.best.trial.values
    across, along = (axis.steps(steps) for axis in axes)
    saved = []
    for second in along:
        advance(f"the surface: {axes[1].name} {second}")
        row = [{**point, axes[0].name: first, axes[1].name: second} for first in across]
        saved.append([objective.saved(objective.parameters(values)) for values in row])
    return Surface(axes, across, along, saved)


def check_shares(trials: int, hold_out: float) -> None:
    """Raises ParameterError for no trials, or for a share that leaves one of two parts empty."""
    if trials < 1:
        raise ParameterError("trials", trials, "1 or more")
    if not 0 < hold_out < 1:
        raise ParameterError("hold_out", hold_out, "a share above 0 and below 1, such as 0.3")


def _split(trace: TraceColumns, hold_out: float) -> int:
    """The first row that the search does not see."""
    first_row = round(len(trace) * (1 - hold_out))
    if min(first_row, len(trace) - first_row) < PACKETS_MIN:
        expected = f"at least {PACKETS_MIN} packets before and after the split at {1 - hold_out:g}"
        raise ParameterError("trace", f"{trace.name} of {len(trace)} packets", expected)
    return first_row


def _judged(
    whole: HeldOut, objective: Objective, found: Sequence[Trial]
) -> tuple[Judged, list[Judged]]:
    """The defaults and the best few trials, on the held-out part; these best first."""
    columns = whole.trace.columns
    sizes = columns.length_bytes[whole.first_row :][columns.sa[whole.first_row :] >= 0]
    never_ns = objective.cost.software_ns(len(sizes), int(sizes.sum()))
    used = whole.windows_used
    default_parameters = dict(objective.space.fixed)
    default = Trial({}, default_parameters, objective.saved(default_parameters))
    best = best_few(found, JUDGED_MAX)
    saved, outcomes = [], []
    for trial in (default, *best):
        run = run_rule(
            whole.trace, objective.rule, trial.parameters, objective.card, objective.host
        )
        saved.append(saved_by_window(run, whole))
        outcomes.append(outcome_of(run, account(run), objective.card))
    judged = [
        Judged(
            trial,
            float(windows.sum()) / never_ns if never_ns else 0.0,
            interval(windows - saved[0], max(1, len(best)), used),
            outcome,
        )
        for trial, windows, outcome in zip((default, *best), saved, outcomes, strict=True)
    ]
    ranked = sorted(judged[1:], key=lambda each: each.saved, reverse=True)
    return judged[0], ranked
