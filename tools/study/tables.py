"""The study's tables, as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean
from typing import Final

from saactors.lab.standings import mean_of
from saactors.placement.table import RULES
from study.plan import (
    MEMORIES_MS,
    THRESHOLDS,
    WORKLOADS,
    grid_of,
    latency_text,
    memory_text,
)
from study.results import (
    OURS,
    Result,
    by_cell,
    cost_of,
    cost_of_best,
    default_rules,
    known,
    mean,
    rival_choices,
    saving_of,
    shortfall_of,
    suite_mean,
    suite_ratio,
    suite_saving,
)

SHOWN: Final = (
    "metric", "ewma", "tinylfu", "rate", "elixir", "ovs", "landlord", "lru-ski-rental",
    "sieve-gated", "arc-gated", "first-come", "lru", "static-top-k",
)  # fmt: skip
ON_AXES: Final = (
    "metric", "ewma", "tinylfu", "rate", "lru-ski-rental", "sieve-gated", "first-come",
)  # fmt: skip
MISS: Final = 3.0  # points under the best in hindsight that are too many
FIXED_SHOWN: Final = 8
NOTHING: Final = "None."
OVER_SUITE: Final = (
    "cost ÷ never", "cost ÷ optimum", "suite saving", "mean saving", "losses as 0",
    "worst saving", "cells below 0",
)  # fmt: skip


def table(heading: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """Markdown; the first ``words`` columns are text, the others figures."""
    if not rows:
        return NOTHING
    rule = ["---"] * words + ["--:"] * (len(heading) - words)
    return "\n".join("| " + " | ".join(row) + " |" for row in (heading, rule, *rows))


def shown(value: float | None, digits: int = 1) -> str:
    """A figure; a dash where there is none."""
    if value is None:
        return "–"
    text = f"{value:,.{digits}f}"
    return text.replace("-", "−") if float(f"{value:.{digits}f}") else f"{0:.{digits}f}"


def mean_shown(values: Sequence[float]) -> str:
    """A mean over seeds with its interval."""
    if not values:
        return "–"
    found = mean_of(values)
    if found.half_width is None:
        return shown(found.value)
    return f"{shown(found.value)} ± {shown(found.half_width)}"


def suite_table(base: Sequence[Result]) -> str:
    """What the traffic is, and what there is to be saved at the base point."""
    heading = ("workload", "trace", "what", "packets", "SAs", "slots", "s", "achievable", "loads")
    rows = []
    for (name, _), some in by_cell(base).items():
        workload, one = WORKLOADS[name], some[0]
        trace = f"`{workload.model}`" if workload.model else "capture"
        counts = (f"{one.packets:,}", f"{one.sas:,}", f"{one.slots:,}")
        seconds = f"{one.duration_ns / 1e9:,.0f}"
        achievable = f"{shown(fmean(r.achievable for r in some))}%"
        loads = f"{fmean(r.optimum_loads for r in some):,.0f}"
        rows.append((name, trace, workload.about, *counts, seconds, achievable, loads))
    return table(heading, rows, 3)


def base_table(base: Sequence[Result]) -> str:
    """A row per workload: hindsight, ours and some rules, in % of the achievable saving."""
    rules = _shown_rules(base)
    heading = ("workload", "best in hindsight", "it saves", f"**{OURS}**", "short by", *rules)
    rows = []
    for (name, _), some in by_cell(base).items():
        if not known(some, saving_of(OURS)):
            continue
        best = Counter(r.best() for r in some).most_common(1)[0][0]
        savings = [
            mean_shown(known(some, Result.best_saving)),
            f"**{mean_shown(known(some, saving_of(OURS)))}**",
            mean_shown(known(some, shortfall_of(OURS))),
            *(shown(mean(some, saving_of(rule))) for rule in rules),
        ]
        rows.append((name, best, *savings))
    return table(heading, rows, 2)


def nothing_table(base: Sequence[Result]) -> str:
    """Where nothing can be saved: what rules cost, in % of never."""
    rules = (OURS, *(rule for rule in _shown_rules(base) if rule != "static-top-k"))
    rows = [
        (name, *(shown(fmean(r.costs[rule] for r in some)) for rule in rules))
        for (name, _), some in by_cell(base).items()
        if not known(some, saving_of(OURS))
    ]
    return table(("workload", *rules), rows)


def rules_table(suite: Sequence[Result]) -> str:
    """Every rule with its defaults over all cells, the best first."""
    heading = ("rule", *OVER_SUITE, "cells won")
    wins = Counter(one.best_default() for one in suite if one.achievable > 0)
    names = [name for name in RULES if name in suite[0].costs]
    ranked = sorted(names, key=lambda name: _cost(suite, name))
    rows = [
        (f"**{n}**" if n == OURS else n, *_over_suite(suite, _of(n)), str(wins[n])) for n in ranked
    ]
    hindsight = ("*best in hindsight*", *_over_suite(suite, Result.best), "")
    return table(heading, [hindsight, *rows])


def fixed_table(suite: Sequence[Result]) -> str:
    """The best single choices for the whole suite."""
    heading = ("choice", *OVER_SUITE)
    labels = [*rival_choices(suite[0].costs), OURS]
    ranked = sorted(labels, key=lambda name: _cost(suite, name))
    rows = [
        (f"**{n}**" if n == OURS else n, *_over_suite(suite, _of(n)))
        for place, n in enumerate(ranked)
        if place < FIXED_SHOWN or n == OURS
    ]
    return table(heading, rows)


def axes_table(suite: Sequence[Result]) -> str:
    """Saving over the workloads at each point."""
    rules = [rule for rule in ON_AXES if rule in suite[0].costs]
    heading = ("point", "best in hindsight", f"**{OURS}**", *rules, "short by > 3", "below 0")
    rows = []
    for point in dict.fromkeys(one.point for one in suite):
        some = [one for one in suite if one.point == point]
        means = [suite_saving(some, cost_of_best)]
        means += [suite_saving(some, cost_of(rule)) for rule in (OURS, *rules)]
        counts = (len(missed(some)), len(lost(some)))
        rows.append((str(point), *(shown(mean) for mean in means), *map(str, counts)))
    return table(heading, rows)


def missed_table(some: Sequence[Result]) -> str:
    """Cells in which ours is too far under the best in hindsight, the worst first."""
    rows = sorted(missed(some), key=lambda rows: -(mean(rows, shortfall_of(OURS)) or 0.0))
    return _cells_table(rows)


def lost_table(some: Sequence[Result]) -> str:
    """Cells in which ours costs more than it saves, the worst first."""
    return _cells_table(
        sorted(lost(some), key=lambda rows: 100 - fmean(r.costs[OURS] for r in rows))
    )


def missed(some: Sequence[Result]) -> list[list[Result]]:
    """Cells in which ours stays more than ``MISS`` points under the best in hindsight."""
    cells = by_cell(some).values()
    return [rows for rows in cells if (mean(rows, shortfall_of(OURS)) or 0.0) > MISS]


def lost(some: Sequence[Result]) -> list[list[Result]]:
    """Cells in which ours costs more than doing nothing, also where nothing can be saved."""
    return [rows for rows in by_cell(some).values() if fmean(r.costs[OURS] for r in rows) > 100]


def winners_table(suite: Sequence[Result]) -> str:
    """By workload: the best rules with defaults over all points, and how far they lead."""
    heading = ("workload", "first", "second", "third", "cells won")
    rows = []
    for name in dict.fromkeys(one.workload for one in suite):
        some = [one for one in suite if one.workload == name]
        rules = default_rules(some[0].costs)
        ranked = sorted(rules, key=lambda rule: _cost(some, rule))
        best = [f"{rule} ({shown(suite_mean(some, saving_of(rule)))})" for rule in ranked[:3]]
        wins = Counter(one.best_default() for one in some if one.achievable > 0).most_common(3)
        rows.append((name, *best, ", ".join(f"{rule} {count}" for rule, count in wins)))
    return table(heading, rows, 5)


def wins_table(suite: Sequence[Result], rule: str) -> str:
    """How often each memory and threshold is the best of its rule, and how far it is behind."""
    if not suite or rule not in suite[0].costs:
        return NOTHING
    choices = grid_of(rule)
    wins: Counter[str] = Counter()
    for one in suite:
        if one.achievable > 0:
            wins[min((c.label for c in choices), key=one.costs.__getitem__)] += 1
    rows = []
    for memory in MEMORIES_MS:
        own = {c.threshold: c.label for c in choices if c.memory_ms == memory}
        labels = [own[threshold] for threshold in THRESHOLDS]
        figures = [f"{wins[label]} / {shown(_cost(suite, label))}" for label in labels]
        rows.append((memory_text(memory), *figures))
    return table(("memory", *(f"threshold {t:g}" for t in THRESHOLDS)), rows)


def _cells_table(cells: Iterable[Sequence[Result]]) -> str:
    heading = (
        "workload", "load cost", "latency", "slots", "achievable", "saves", "best in hindsight",
        "it saves", "short by", "loads", "its loads", "half by",
    )  # fmt: skip
    rows = []
    for some in cells:
        one = some[0]
        best = one.best()
        place = (str(one.point.load_cost), latency_text(one.point.latency_us))
        slots = f"{one.slots:,} ({one.point.slots_percent}%)"
        figures = (shown(mean(some, saving_of(OURS))), best, shown(mean(some, saving_of(best))))
        half = "–" if one.half is None else f"{shown(one.half)}%"
        loads = (f"{one.loads[OURS]:,}", f"{one.loads[best]:,}", half)
        short = shown(mean(some, shortfall_of(OURS)))
        rows.append(
            (one.workload, *place, slots, f"{shown(one.achievable, 2)}%", *figures, short, *loads)
        )
    return table(heading, rows)


def _shown_rules(rows: Sequence[Result]) -> list[str]:
    return [rule for rule in SHOWN if rows and rule in rows[0].costs]


def _over_suite(suite: Sequence[Result], choose: Callable[[Result], str]) -> tuple[str, ...]:
    savings = known(suite, lambda r: r.saving(choose(r)))
    return (
        shown(suite_ratio(suite, lambda r: r.costs[choose(r)] / 100), 3),
        shown(suite_ratio(suite, lambda r: r.costs[choose(r)] / r.optimum), 3),
        shown(suite_saving(suite, lambda r: r.costs[choose(r)])),
        shown(suite_mean(suite, lambda r: r.saving(choose(r)))),
        shown(suite_mean(suite, lambda r: _kept(r.saving(choose(r))))),
        shown(min(savings)) if savings else "–",
        str(sum(one.costs[choose(one)] > 100 for one in suite)),
    )


def _of(name: str) -> Callable[[Result], str]:
    return lambda _: name


def _kept(saving: float | None) -> float | None:
    return None if saving is None else max(0.0, saving)


def _cost(some: Sequence[Result], choice: str) -> float:
    """Over a suite, in % of never."""
    return suite_ratio(some, cost_of(choice))
