"""What a search for parameters found: in words, as rows, as JSON, and as a scenario to replay."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import Final

from nicmodel.presets import PROFILES
from saactors.lab.tune_judge import CONFIDENCE_PERCENT, WINDOWS, Verdict
from saactors.lab.tune_search import Trial
from saactors.lab.tune_space import rounded
from saactors.lab.tune_trace import Judged, Tuning
from saactors.observe.units import count, duration
from saactors.placement.user_file import seen_from
from saactors.report.tables import Column, Table

ROWS: Final = 8  # of the table of trials

# What the columns of the tables say.
LEGEND: Final = MappingProxyType(
    {
        "training": "host time saved on the first part of the trace, which the search saw",
        "held-out": "on the rest, after a run over the whole trace; of the defaults and the best",
        "whole": "on both",
    }
)


def verdict_lines(tuning: Tuning) -> list[str]:
    """How sure it is that the tuned parameters beat the defaults, in words."""
    best, never_ns = tuning.best, tuning.held_out_never_ns
    found = best.against_defaults
    mean, low, high = (
        points(value / never_ns if never_ns else 0.0)
        for value in (found.mean_ns, found.low_ns, found.high_ns)
    )
    told = {
        Verdict.BEYOND_DOUBT: "The tuned parameters beat the defaults beyond doubt.",
        Verdict.LIKELY: "The tuned parameters did better than the defaults, but not beyond doubt.",
        Verdict.NO_BETTER: "Nothing that was tried beats the defaults; keep them.",
        Verdict.TOO_LITTLE: "The tuned parameters did better, but on too little traffic to tell.",
    }[found.verdict]
    saved = f"{share(best.saved)} of the host time saved, defaults {share(tuning.defaults.saved)}."
    used = f"{found.windows_used} of {WINDOWS} windows" if found.windows_used < WINDOWS else ""
    return [
        told,
        f"On the held-out {count(tuning.held_out_packets)} packets: {saved}",
        f"Difference {mean} points, {CONFIDENCE_PERCENT} % interval {low} to {high}"
        + (f", with traffic in {used}." if used else "."),
    ]


def share(value: float) -> str:
    """0.8731 → ``87.31 %``."""
    return f"{100 * value:.2f} %"


def points(value: float) -> str:
    """0.0131 → ``+1.31``."""
    return f"{100 * value:+.2f}"


def differing_text(tuning: Tuning, trial: Trial) -> str:
    """What of a trial's parameters is not as the defaults have it; times with their units."""
    defaults = tuning.defaults.whole.parameters
    shown = (
        f"{name.removesuffix('_ns')}={duration(value)}"
        if name.endswith("_ns") and isinstance(value, int | float)
        else f"{name}={value:g}"
        if isinstance(value, float)
        else f"{name}={value}"
        for name, value in trial.parameters.items()
        if value != rounded(defaults.get(name))
    )
    return " ".join(shown)


def best_trials(tuning: Tuning, most: int = ROWS) -> list[tuple[str, Trial, Judged | None]]:
    """The defaults, then the best trials on the training part: name, trial, its judgement."""
    judged = {id(each.trial): each for each in tuning.judged}
    ranked = sorted(enumerate(tuning.trials, 1), key=lambda pair: -pair[1].saved)
    different = {trial.saved: (number, trial) for number, trial in reversed(ranked)}
    shown = sorted(different.values(), key=lambda pair: -pair[1].saved)[:most]
    return [
        ("defaults", tuning.defaults.trial, tuning.defaults),
        *((str(number), trial, judged.get(id(trial))) for number, trial in shown),
    ]


def trials_table(tuning: Tuning) -> Table:
    """The defaults and the best trials: what they save on either part, and their parameters."""
    columns = (
        Column("trial", number=False),
        Column("training"),
        Column("held-out"),
        Column("whole"),
        Column("other than the defaults", number=False, wraps=True),
    )
    rows = tuple(
        (
            f"{name} *" if judged is tuning.chosen else name,
            share(trial.saved),
            share(judged.saved) if judged else "",
            _whole(judged),
            differing_text(tuning, trial),
        )
        for name, trial, judged in best_trials(tuning)
    )
    return Table("Best trials, host time saved", columns, rows)


def analysis_table(tuning: Tuning) -> Table:
    """The cost analysis behind the default threshold, a step per row; none has no rows."""
    lines = tuning.analysis.lines() if tuning.analysis else []
    rows = tuple((step, told) for step, _, told in (line.partition(": ") for line in lines))
    columns = (Column("cost analysis", number=False), Column("", number=False, wraps=True))
    return Table("Cost analysis", columns, rows)


def _whole(judged: Judged | None) -> str:
    """What is saved over the whole trace."""
    if judged is None or not judged.whole.never_ns:
        return ""
    return share(1 - judged.whole.rule_ns / judged.whole.never_ns)


def to_json_object(tuning: Tuning) -> dict[str, object]:
    """As plain JSON values; shares are of the host time of all in software."""
    found = tuning.best.against_defaults
    return {
        "trace": tuning.trace,
        "rule": tuning.rule,
        "profile": tuning.card.name,
        "slots": tuning.card.slots_max,
        "seed": tuning.seed,
        "hold_out": tuning.hold_out,
        "packets": {"training": tuning.training_packets, "held_out": tuning.held_out_packets},
        "verdict": tuning.verdict.value,
        "difference_ns": {
            "mean": found.mean_ns,
            "low": found.low_ns,
            "high": found.high_ns,
            "confidence_percent": CONFIDENCE_PERCENT,
            "windows": WINDOWS,
            "windows_used": found.windows_used,
        },
        "chosen": _judged_json(tuning.chosen),
        "defaults": _judged_json(tuning.defaults),
        "judged": [_judged_json(each) for each in tuning.judged],
        "importance": dict(tuning.importance),
        "trials": [
            {"parameters": dict(trial.parameters), "saved": trial.saved} for trial in tuning.trials
        ],
        "cost_analysis": tuning.analysis.lines() if tuning.analysis else [],
    }


def _judged_json(judged: Judged) -> dict[str, object]:
    return {
        "parameters": dict(judged.trial.parameters),
        "saved": {"training": judged.trial.saved, "held_out": judged.saved},
        "whole": judged.whole.to_json_object(),
    }


def scenario_text(tuning: Tuning, profile: str, folder: Path = Path()) -> str:
    """A scenario that ``saactors replay --scenario`` takes: the rule with what was chosen.

    The card is written as the profile and what differs from it. What the cost analysis decides is
    written in figures, so that the file goes on meaning what was judged. ``folder`` is where
    it will stand; the file of a rule of one's own is named as seen from there.
    """
    preset = PROFILES[profile]
    card: dict[str, object] = {"profile": profile}
    for figure in fields(preset):
        value = getattr(tuning.card, figure.name)
        if figure.metadata and value != getattr(preset, figure.name):
            card[figure.name] = value
    return "\n".join([*_heading(tuning), *_tables(tuning, card, folder)]) + "\n"


def _heading(tuning: Tuning) -> Iterator[str]:
    what = "The defaults" if tuning.verdict is Verdict.NO_BETTER else "Tuned parameters"
    yield f"# {what} of the rule {tuning.rule} for the trace {_one_line(tuning.trace)}"
    yield f"# on {_one_line(tuning.card.name)} with {tuning.card.slots_max} slots, from"
    yield f"# {len(tuning.trials)} trials on the first {count(tuning.training_packets)} packets."
    yield from (f"# {line}" for line in verdict_lines(tuning))


def _tables(tuning: Tuning, card: Mapping[str, object], folder: Path) -> Iterator[str]:
    parameters = dict(tuning.chosen.whole.parameters)  # resolved, as the runs had them
    rule = {"name": seen_from(tuning.rule, folder), **parameters}
    for heading, table in (("rule", rule), ("card", card)):
        if table:
            yield ""
            yield f"[{heading}]"
            yield from (f"{name} = {_toml(value)}" for name, value in table.items())


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return json.dumps(str(value))  # a TOML basic string has JSON's escapes


def _one_line(text: str) -> str:
    return " ".join(text.split())
