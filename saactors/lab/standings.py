"""Outcomes in groups that may be compared, each sorted by saving; over seeds, means and intervals.

A group is one trace with one number of slots (as it was asked for: 10% of the SAs is another count
with another seed). The interval is Student's: the mean of so many independent runs lies within it
in 95 of 100 cases. With one seed there is none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev
from typing import Final, NamedTuple

from saactors.lab.outcome import Best, Outcome

# Student's t for 95 %, two-sided, with 1 to 9 degrees of freedom; from there on the expansion in
# their reciprocal is right to four digits (Abramowitz, Stegun, 1964, table 26.10 and 26.7.5).
_T: Final = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622)
_NORMAL: Final = NormalDist().inv_cdf(0.975)


class Mean(NamedTuple):
    """A mean, and how far the true one may be from it; ``half_width`` is None for one value."""

    value: float
    half_width: float | None = None


def mean_of(values: Sequence[float]) -> Mean:
    """The mean of one or more values from independent runs, with its interval."""
    if len(values) == 1:
        return Mean(values[0])
    half_width = student_t(len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return Mean(fmean(values), half_width)


def student_t(freedom: int) -> float:
    """How many standard errors hold a mean in 95 of 100 cases, by degrees of freedom from 1 on."""
    if freedom <= len(_T):
        return _T[freedom - 1]
    z = _NORMAL
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return float(z + sum(term / freedom**power for power, term in enumerate(terms, 1)))


@dataclass(frozen=True, slots=True)
class Standing:
    """One rule in a group: its outcomes, one per seed."""

    rule: str
    outcomes: Sequence[Outcome]

    def mean(self, figure: Callable[[Outcome], float]) -> Mean:
        """The mean of a figure over the seeds."""
        return mean_of([figure(outcome) for outcome in self.outcomes])

    @property
    def saving(self) -> Mean | None:
        """In % of the achievable saving; None if a seed's trace has nothing to save."""
        savings = [outcome.saving_percent for outcome in self.outcomes]
        known = [saving for saving in savings if saving is not None]
        return mean_of(known) if len(known) == len(savings) else None


@dataclass(frozen=True, slots=True)
class Group:
    """One trace with one number of slots, the best rule first."""

    standings: tuple[Standing, ...]

    @property
    def first(self) -> Outcome:
        """Any of its outcomes: trace, profile and slots are the same in all."""
        return self.standings[0].outcomes[0]

    @property
    def seeds(self) -> int:
        """How many runs each mean is made of."""
        return len(self.standings[0].outcomes)

    @property
    def optima(self) -> tuple[Best, ...]:
        """The optimum of each seed's trace."""
        return tuple(
            outcome.optimum for outcome in self.standings[0].outcomes if outcome.optimum is not None
        )


def groups_of(outcomes: Iterable[Outcome]) -> list[Group]:
    """Groups in the order of their first outcome.

    Of a comparison that was interrupted a rule may have fewer seeds than another; so do its means.
    """
    grouped: dict[tuple[str, str | None], dict[str, list[Outcome]]] = {}
    for outcome in outcomes:
        rules = grouped.setdefault((outcome.trace, outcome.slots_wanted), {})
        rules.setdefault(outcome.rule, []).append(outcome)
    return [
        Group(tuple(sorted((Standing(*rule) for rule in rules.items()), key=_cost)))
        for rules in grouped.values()
    ]


def _cost(standing: Standing) -> float:
    """What the group is sorted by: the greatest saving first."""
    saving = standing.saving
    if saving is not None:
        return -saving.value
    return standing.mean(lambda one: one.rule_ns / one.never_ns if one.never_ns else 0.0).value
