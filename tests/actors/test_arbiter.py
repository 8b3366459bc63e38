"""The cache arbiter: packets go where their SA is, a load behind the burst that asked for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

from saactors.actors.arbiter import run_arbiter
from saactors.actors.placement_news import PlacementNews
from saactors.model.burst import (
    Burst,
    Completion,
    LoadCommand,
    Outcome,
    Review,
    Share,
)
from saactors.model.packets import NO_SA
from saactors.model.sa import SaTable
from saactors.model.verdicts import Verdict
from saactors.observe.events import Evicted, LoadIssued, LoadRefused
from saactors.placement.change import RuleChange
from saactors.placement.cost import CostModel
from saactors.placement.table import make_rule, read_parameters
from saactors.streams.shares import Splitter

BurstOf = Callable[..., Burst]
A, B, C = 0, 1, 2


class Play:
    """Where everything went, in order, by destination."""

    def __init__(
        self,
        stage: Any,
        sas: SaTable,
        cost: CostModel,
        messages: Iterable[Any],
        completions: Iterable[Completion] = (),
        *,
        card_slots: int = 1,
        workers: int = 2,
        **parameters: object,
    ) -> None:
        given = {"threshold": 3, "bonus": 0, **parameters}
        self.rule = make_rule("metric", given, card_slots, 1, cost)
        self.to: dict[str, list[Any]] = {"egress": [], "nic": []}
        self.to |= {f"software {number}": [] for number in range(workers)}
        news = PlacementNews(stage.emitter(), sas, self.rule)

        async def scene() -> None:
            (keeper, keeper_in), (card, card_in) = stage.edge(64), stage.edge(64)
            ends = {name: stage.edge(64) for name in self.to}
            with keeper:
                for message in messages:
                    await keeper.send(message)
            for completion in completions:
                card.send_nowait(completion)
            outlets = {name: outlet for name, (outlet, _) in ends.items()}
            software = [outlets[f"software {number}"] for number in range(workers)]
            await run_arbiter(
                *(keeper_in, card_in, outlets["egress"], outlets["nic"], software),
                *(self.rule.arbiter, Splitter(workers), news, stage.news(), stage.clock),
            )
            for name, (_, inlet) in ends.items():
                self.to[name] = [message async for message in inlet]

        stage.run(scene)

    def said_to(self, name: str) -> list[Any]:
        """Messages to a destination: rows of a share, or a command."""
        return [
            message.rows.tolist() if isinstance(message, Share) else message
            for message in self.to[name]
        ]


@pytest.fixture
def observed(burst_of: BurstOf) -> Callable[..., Burst]:
    """Make a burst as the keeper hands it on: metrics of 1, 2, 3 … per SA, from ``earned`` on."""

    def make(
        sas: list[int], at_ns: int, earned: dict[int, float] | None = None, **fields: object
    ) -> Burst:
        burst = burst_of(sas, **fields)
        burst.sa_count = 3
        metrics = dict(earned or {})
        for packet, sa in zip(burst.packets, sas, strict=True):
            metrics[sa] = metrics.get(sa, 0) + 1
            packet["metric"] = metrics[sa]
        burst.observed_ns = at_ns
        return burst

    return make


def test_every_packet_goes_to_its_component(
    stage: Any, sas: SaTable, cost: CostModel, observed: Callable[..., Burst]
) -> None:
    """To the exit if bypassed or dropped, to the card if its SA is resident, else to a worker."""
    bursts = [observed([A, A, A], 10), observed([A, B, C, NO_SA, A, B, NO_SA], 30)]
    bursts[1].packets["verdict"][5:] = [Verdict.SEQUENCE_EXHAUSTED, Verdict.NO_POLICY]
    play = Play(stage, sas, cost, bursts, [Completion(Outcome.LOADED, A, NO_SA, 20)])
    assert play.said_to("software 0") == [[0, 1, 2], [2]]
    assert play.said_to("software 1") == [[1]]
    assert play.said_to("egress") == [[3, 5, 6]]
    assert play.said_to("nic") == [LoadCommand(A, NO_SA, 10), [0, 4]]


def test_a_load_command_stands_behind_the_burst_that_asked_for_it(
    stage: Any, sas: SaTable, cost: CostModel, observed: Callable[..., Burst]
) -> None:
    """What that burst still sends through the victim comes first, afterwards nothing does."""
    bursts = [
        observed([A] * 3, 10),
        observed([A, *[B] * 8, A], 30, {A: 3}),
        observed([A, B], 40, {A: 5, B: 8}),
    ]
    play = Play(stage, sas, cost, bursts, [Completion(Outcome.LOADED, A, NO_SA, 20)])
    assert play.said_to("nic") == [
        LoadCommand(A, NO_SA, 10),
        [0],
        LoadCommand(B, A, 30),
    ]
    assert play.said_to("software 0") == [[0, 1, 2], [9], [0]]


def test_a_load_that_ends_at_a_bursts_instant_is_known_to_the_next_one(
    stage: Any, sas: SaTable, cost: CostModel, observed: Callable[..., Burst]
) -> None:
    """Nothing depends on who ran first within an instant (law 7)."""
    bursts = [observed([A] * 3, 10), observed([A], 20), observed([A], 21)]
    play = Play(stage, sas, cost, bursts, [Completion(Outcome.LOADED, A, NO_SA, 20)])
    assert play.said_to("software 0") == [[0, 1, 2], [0]]
    assert play.said_to("nic")[1:] == [[0]]


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.LOST])
def test_a_load_that_failed_may_be_asked_for_again(
    outcome: Outcome, stage: Any, sas: SaTable, cost: CostModel, observed: Callable[..., Burst]
) -> None:
    """Meanwhile its packets stay in software (law 5)."""
    bursts = [observed([A] * 3, 10), observed([A], 15, {A: 3}), observed([A], 30, {A: 4})]
    play = Play(stage, sas, cost, bursts, [Completion(outcome, A, NO_SA, 20)])
    assert play.said_to("nic") == [LoadCommand(A, NO_SA, 10), LoadCommand(A, NO_SA, 30)]
    assert play.said_to("software 0") == [[0, 1, 2], [0], [0]]
    refused = [event for event in stage.events if isinstance(event, LoadRefused)]
    assert refused == ([LoadRefused(30, 1, "card", A)] if outcome is Outcome.REFUSED else [])


def test_after_a_reset_the_card_has_forgotten_everything(
    stage: Any, sas: SaTable, cost: CostModel, observed: Callable[..., Burst]
) -> None:
    """Packets go to software, and what earns it is loaded anew."""
    bursts = [observed([A] * 3, 10), observed([A], 30, {A: 3}), observed([A], 50, {A: 4})]
    answers = [
        Completion(Outcome.LOADED, A, NO_SA, 20),
        Completion(Outcome.RESET, NO_SA, NO_SA, 40),
    ]
    play = Play(stage, sas, cost, bursts, answers)
    assert play.said_to("nic") == [LoadCommand(A, NO_SA, 10), [0], LoadCommand(A, NO_SA, 50)]
    assert play.said_to("software 0") == [[0, 1, 2], [0]]


def test_at_a_review_the_best_candidate_is_loaded(
    stage: Any, sas: SaTable, cost: CostModel, observed: Callable[..., Burst]
) -> None:
    """Packets alone decide nothing where decisions are periodic (claim 2)."""
    candidates = np.array([A, B], np.int32), np.array([7.0, 9.0])
    messages = [observed([A] * 7 + [B] * 9, 10), Review(100, 1, 3, *candidates)]
    play = Play(stage, sas, cost, messages, decide="periodic")
    assert play.said_to("nic") == [LoadCommand(B, NO_SA, 100)]


def test_a_change_of_the_rule_counts_from_the_next_burst_on(
    stage: Any, sas: SaTable, cost: CostModel, observed: Callable[..., Burst]
) -> None:
    """Four packets are not enough any more; the reason that is told names the new threshold."""
    given = {"threshold": 6, "bonus": 0}
    change = RuleChange("metric", given, read_parameters("metric", given, cost))
    bursts = [observed([A] * 5, 10), observed([A], 20, {A: 5})]
    play = Play(stage, sas, cost, [change, *bursts])
    assert play.said_to("nic") == [LoadCommand(A, NO_SA, 20)]
    (issued,) = stage.events
    assert isinstance(issued, LoadIssued)
    assert (issued.metric, issued.threshold, issued.time_ns) == (6, 6, 20)


def test_a_move_is_told_with_its_reason(
    stage: Any, sas: SaTable, cost: CostModel, observed: Callable[..., Burst]
) -> None:
    """Both metrics, the threshold, what a packet saves and what the load costs."""
    bursts = [observed([A] * 3, 10), observed([B] * 6, 30)]
    Play(stage, sas, cost, bursts, [Completion(Outcome.LOADED, A, NO_SA, 20)])
    _, issued, evicted = stage.events
    assert isinstance(issued, LoadIssued)
    assert isinstance(evicted, Evicted)
    assert (issued.sa, issued.victim, issued.metric, issued.victim_metric) == (B, A, 6, 3)
    assert (issued.threshold, issued.saving_ns, issued.load_host_ns) == (3, 1600, 8000)
    assert (evicted.sa, evicted.successor, evicted.metric, evicted.successor_metric) == (A, B, 3, 6)
    assert issued.reason == evicted.reason == "metric 6 ≥ lowest 3 + threshold 3"
