"""The search itself: trials on the training part of a trace, one after the other.

The sampler is Optuna's tree-structured Parzen estimator (Bergstra et al., "Algorithms for
hyper-parameter optimization", NIPS 2011) over the space in ``tune_space``. Its first trial is the
rule's defaults, so nothing worse is ever found.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nicmodel.profile import CardProfile, HostProfile
from saactors.lab.run import cost_model, run_rule
from saactors.lab.trace import LabTrace
from saactors.lab.tune_space import Dimension, Space, Value
from saactors.placement.cost import CostModel
from saactors.placement.routing import NIC

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution

Advance = Callable[[str], None]
"""Told what comes next, before each trial."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One point of the search and what it came to on the training part."""

    values: Mapping[str, Value]  # dimension → value
    parameters: Mapping[str, object]  # as given to the rule
    saved: float  # share of the host time of all in software; negative if it lost


@dataclass(frozen=True, slots=True, eq=False)
class Objective:
    """What the search maximises: the share of host time saved on the training part."""

    training: LabTrace
    rule: str
    space: Space
    card: CardProfile
    host: HostProfile
    known: dict[str, float]  # parameters → share; choices make the search ask twice

    @property
    def cost(self) -> CostModel:
        """What packets and loads cost."""
        return cost_model(self.card, self.host)

    @property
    def never_ns(self) -> float:
        """Host time of the part with everything in software."""
        columns = self.training.columns
        sizes = columns.length_bytes[columns.sa >= 0]
        return self.cost.software_ns(len(sizes), int(sizes.sum()))

    def parameters(self, values: Mapping[str, Value]) -> dict[str, object]:
        """What a point of the space gives the rule."""
        return self.space.parameters(values, self.cost)

    def saved(self, parameters: Mapping[str, object]) -> float:
        """The share of the host time that the rule saves with these parameters."""
        key = json.dumps(parameters, sort_keys=True, default=str)
        if key not in self.known:
            run = run_rule(self.training, self.rule, parameters, self.card, self.host)
            on_card = self.training.packets["route"] == NIC
            size = int(self.training.columns.length_bytes[on_card].sum(dtype=np.int64))
            packets = int(on_card.sum())
            cost = run.rule.cost
            saved_ns: float = packets * cost.saving_packet_ns + size * cost.saving_byte_ns
            saved_ns -= len(run.loads) * cost.load_host_ns
            never_ns = self.never_ns
            self.known[key] = saved_ns / never_ns if never_ns else 0.0
        return self.known[key]


def searched(
    objective: Objective, trials: int, seed: int, advance: Advance
) -> tuple[list[Trial], dict[str, float]]:
    """The trials in their order, and how much each dimension mattered (``importance``).

    A KeyboardInterrupt ends the search with what was found by then, if anything was.
    """
    import optuna  # noqa: PLC0415 - a third of a second that only a search should cost

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    if (start := objective.space.start()) is not None:
        study.enqueue_trial(start)
    ranges = {axis.name: _distribution(axis) for axis in objective.space.dimensions}
    found: list[Trial] = []
    try:
        for number in range(trials):
            best = f", best {100 * max(trial.saved for trial in found):.2f} %" if found else ""
            advance(f"trial {number + 1}{best}")
            asked = study.ask(ranges)
            parameters = objective.parameters(asked.params)
            saved = objective.saved(parameters)
            study.tell(asked, saved)
            found.append(Trial(dict(asked.params), parameters, saved))
    except KeyboardInterrupt:
        if not found:
            raise
    return found, importance_of(study, list(ranges))


def _distribution(axis: Dimension) -> BaseDistribution:
    from optuna import distributions  # noqa: PLC0415 - as above

    if axis.choices:
        return distributions.CategoricalDistribution(axis.choices)
    if axis.whole:
        return distributions.IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return distributions.FloatDistribution(axis.low, axis.high, log=axis.log)


def importance_of(study: Study, names: list[str]) -> dict[str, float]:
    """Dimension → its share in what separates good trials from the rest, greatest first.

    PED-ANOVA (Watanabe, Bansal, Hutter, IJCAI 2023). Where trials don't differ, all count alike.
    """
    import optuna  # noqa: PLC0415 - as above

    alike = dict.fromkeys(names, 1 / len(names))
    values = [trial.value for trial in study.trials if trial.value is not None]
    if len(names) == 1 or len(values) < 4 or min(values) == max(values):
        return alike
    with warnings.catch_warnings():  # that its interface may change, and that trials are few
        warnings.simplefilter("ignore")
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {**dict.fromkeys(names, 0.0), **shares} if any(shares.values()) else alike


def best_few(found: Sequence[Trial], most: int) -> list[Trial]:
    """The best trials that differ in what they came to; the earlier of those that came to one."""
    best: dict[float, Trial] = {}
    for trial in sorted(found, key=lambda each: each.saved, reverse=True):
        best.setdefault(trial.saved, trial)
        if len(best) == most:
            break
    return list(best.values())
