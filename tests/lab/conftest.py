"""The two drivers of a rule side by side: the running system, and the lab's loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
import trio

from saactors.lab.load import load_trace
from saactors.lab.run import LabRun, run_rule
from saactors.lab.trace import lab_trace
from saactors.model.packets import NO_SA, Chunk
from saactors.model.verdicts import Verdict
from saactors.observe.events import Event, Loaded, LoadIssued, LoadRefused
from saactors.placement.table import RULES
from saactors.replay.build import build_replay
from saactors.replay.options import ReplayOptions
from saactors.replay.outcome import result_of
from saactors.report.result import RunResult
from saactors.runtime.scheduler import seed_scheduler
from saactors.scenario.equipment import card_profile, host_profile
from saactors.scenario.load import scenario_of
from saactors.topology import run_system
from tests.sim.conftest import CARD, RULE, traffic

__all__ = ["traffic"]  # a fixture for the tests here

# A load is worth five packets, so that gates open within a short trace.
HOST: Mapping[str, Any] = {"software_packet_ns": 600.0, "software_byte_ns": 0.0}
LOAD_HOST_NS = 2000
PERIOD_NS = 20_000


class Decided(NamedTuple):
    """What a rule decided of a trace."""

    routes: list[int]  # of every packet with an SA
    metrics: list[float]  # as the keeper stamped those packets
    loads: list[tuple[int, int, int, float, float]]  # time_ns, SA, victim, metric, lowest
    loaded: list[tuple[int, int]]  # time_ns, SA, of loads that were done before the last burst
    refused: int  # loads wanted while the loader, or for good the card, had no room
    refused_by_card: int


class Replayed(NamedTuple):
    """What the running system decided, and whether anything else took part in it."""

    decided: Decided
    result: RunResult
    returned: int  # packets that the card gave back to software
    ended_ns: int  # when the last burst was placed

    @property
    def waited(self) -> bool:
        """Whether any sender had to wait, which the lab knows nothing of."""
        return any(edge.waits for edge in self.result.edges.values())


class Recorded:
    """A trace that keeps its packets: what the actors write into them can be read afterwards."""

    def __init__(self, trace: Iterable[Chunk]) -> None:
        self._trace = trace
        self._chunks: list[npt.NDArray[np.void]] = []

    def __iter__(self) -> Iterator[Chunk]:
        for chunk in self._trace:
            self._chunks.append(chunk.packets)
            yield chunk

    @property
    def ended_ns(self) -> int:
        """When the last packet came, and with it the end of the last burst."""
        return int(self._chunks[-1]["time_ns"][-1])

    def packets(self) -> npt.NDArray[np.void]:
        """All packets that were placed on a component, in the order of the capture."""
        packets = np.concatenate(self._chunks)
        return packets[(packets["verdict"] == Verdict.PASSED) & (packets["sa"] != NO_SA)]


def parameters_of(name: str) -> dict[str, Any]:
    """Parameters with which the rule decides a lot in a short trace: as the simulations have them.

    Times that a rule has beside the period are as short as that.
    """
    known = RULES[name].parameters
    brisk = {each.name: RULE[each.name] for each in known if each.name in RULE}
    times = {each.name: PERIOD_NS for each in known if each.unit == "ns" and each.name not in RULE}
    return {**brisk, **times}


def options_for(
    capture: Path,
    rule: str,
    parameters: Mapping[str, Any] | None = None,
    card: Mapping[str, Any] | None = None,
    host: Mapping[str, Any] | None = None,
    **more: Any,
) -> ReplayOptions:
    """A replay without cryptography on the simulations' card, whose figures ``card`` changes."""
    described = {
        "card": {**CARD, "load_host_ns": LOAD_HOST_NS, **(card or {})},
        "host": {**HOST, **(host or {})},
    }
    return ReplayOptions(
        capture=capture,
        scenario=scenario_of("compared", described),
        rule=rule,
        rule_parameters=parameters_of(rule) if parameters is None else parameters,
        crypto="none",
        **more,
    )


@pytest.fixture(scope="session")
def replay_decisions() -> Callable[..., Replayed]:
    """Run the system that the options describe, and say what its arbiter decided."""

    def run(options: ReplayOptions, scheduler_seed: int = 0) -> Replayed:
        events: list[Event] = []
        with ExitStack() as files:
            built = build_replay(options, files, None, [events.append], ())
            recorded = Recorded(built.source.trace)
            built.source.trace = recorded
            seed_scheduler(scheduler_seed)
            trio.run(run_system, built.system, clock=built.system.clock)
            built.observers.flush()
        statistics = built.system.card.statistics()
        result = result_of(built, wall_s=0)
        refused = [event for event in events if isinstance(event, LoadRefused)]
        packets = recorded.packets()
        decided = Decided(
            packets["route"].tolist(),
            packets["metric"].tolist(),
            [
                (
                    event.time_ns,
                    event.sa,
                    NO_SA if event.victim is None else event.victim,
                    event.metric,
                    event.victim_metric,
                )
                for event in events
                if isinstance(event, LoadIssued)
            ],
            [(event.time_ns, event.sa) for event in events if isinstance(event, Loaded)],
            sum(event.count for event in refused if event.reason != "card"),
            sum(statistics.loads_refused.values()),
        )
        return Replayed(decided, result, statistics.packets_refused, recorded.ended_ns)

    return run


@pytest.fixture(scope="session")
def lab_decisions() -> Callable[[ReplayOptions], Decided]:
    """Let the lab's loop decide the capture of the same options."""

    def run(options: ReplayOptions) -> Decided:
        assert options.scenario is not None
        assert options.rule is not None
        columns = load_trace(options.capture, sa_per=options.sa_per)
        trace = lab_trace(columns, options.burst, options.burst_wait_ns)
        return decisions_of(
            run_rule(
                trace,
                options.rule,
                options.rule_parameters,
                card_profile(options.scenario, options.profile),
                host_profile(options.scenario),
            )
        )

    return run


def decisions_of(run: LabRun) -> Decided:
    """What the lab says of a run, in the words of the running system."""
    packets = run.trace.packets[run.trace.packets["sa"] != NO_SA]
    done = run.loads[run.loads["done_ns"] >= 0]
    done = done[np.argsort(done["done_ns"], kind="stable")]
    return Decided(
        packets["route"].tolist(),
        packets["metric"].tolist(),
        run.loads[["time_ns", "sa", "victim", "metric", "lowest"]].tolist(),
        done[["done_ns", "sa"]].tolist(),
        run.refused + run.card_full,
        len(run.loads) - len(done),
    )
