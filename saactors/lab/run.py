"""One rule over one trace: the driver, its arrays, and what it decided."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from numba.core.errors import NumbaError

from nicmodel.flawless import flawless_card
from nicmodel.profile import CardProfile, HostProfile
from saactors.errors import ParameterError
from saactors.lab.clairvoyant import foretell
from saactors.lab.driver import LAB_LOAD, NO_TICK_NS, PROGRESS, driver_of
from saactors.lab.trace import LabTrace
from saactors.placement.cost import CostModel
from saactors.placement.rule import COMMAND, Decide
from saactors.placement.table import Rule, make_rule, rule_entry
from saactors.placement.user_file import uncompilable

LOG_ROOM: Final = 1 << 16  # loads between two times that the driver hands over its log


@dataclass(frozen=True, slots=True, eq=False)
class LabRun:
    """What a rule decided. The routes stand in the trace's packets until its next run."""

    rule: Rule
    trace: LabTrace
    loads: npt.NDArray[np.void]  # (loads,) of LAB_LOAD
    refused: int  # loads wanted while the loader had no room
    card_full: int
    wall_s: float  # of the driver alone
    cpu_s: float = 0.0  # ditto, time of the processor


def cost_model(card: CardProfile, host: HostProfile) -> CostModel:
    """What packets and loads cost that host with that card."""
    return CostModel(
        host.software_packet_ns,
        host.software_byte_ns,
        card.nic_packet_ns,
        card.nic_byte_ns,
        card.load_host_ns,
    )


def run_rule(
    trace: LabTrace, name: str, given: Mapping[str, object], card: CardProfile, host: HostProfile
) -> LabRun:
    """Place every packet of ``trace`` by the rule ``name`` with these parameters.

    Raises:
        ParameterError: no such rule, one that cannot be compiled, a parameter it cannot have, or a
            card that leaves its load latency to chance.
    """
    if card.load_latency_distribution != "fixed":
        found = card.load_latency_distribution
        raise ParameterError("load_latency_distribution", found, "fixed, in the lab")
    outstanding = card.loads_outstanding_max
    rule = make_rule(name, given, card.slots_max, outstanding, cost_model(card, host))
    entry = rule_entry(name)
    drive = driver_of(name, entry.functions)
    sas = trace.columns.sa_count
    rule.keeper.make_room(sas)
    rule.arbiter.receive(sas)
    if entry.clairvoyant:
        foretell(rule, trace.columns, card.slots_max)
    progress = _beginning(rule)
    commands = np.zeros(min(card.slots_max, outstanding), COMMAND)
    log = np.zeros(LOG_ROOM + len(commands), LAB_LOAD)
    arrays = flawless_card(card, sas, outstanding)
    parts = []
    wall_s = cpu_s = 0.0
    try:
        drive(  # nothing, so that compiling is not timed
            trace.packets,
            trace.bursts[:0],
            trace.columns.predecessors,
            rule.keeper.state,
            rule.arbiter.state,
            arrays,
            commands,
            log,
            progress,
        )
    except NumbaError as problem:
        raise uncompilable(name, problem) from problem
    while progress["burst"][0] < len(trace.bursts):
        progress["loads"] = 0
        began, cpu_began = time.perf_counter(), time.process_time()
        drive(
            trace.packets,
            trace.bursts,
            trace.columns.predecessors,
            rule.keeper.state,
            rule.arbiter.state,
            arrays,
            commands,
            log,
            progress,
        )
        wall_s += time.perf_counter() - began
        cpu_s += time.process_time() - cpu_began
        parts.append(log[: progress["loads"][0]].copy())
    return LabRun(
        rule,
        trace,
        np.concatenate(parts) if parts else log[:0].copy(),
        int(progress["refused"][0]),
        int(progress["card_full"][0]),
        wall_s,
        cpu_s,
    )


def _beginning(rule: Rule) -> npt.NDArray[np.void]:
    """Progress before the first burst; shape (1,)."""
    progress = np.zeros(1, PROGRESS)
    period_ns = rule.parameters.period_ns
    progress["period_ns"] = period_ns or 0
    progress["next_tick_ns"] = NO_TICK_NS if period_ns is None else period_ns
    progress["periodic"] = rule.parameters.decide is Decide.PERIODIC
    return progress
