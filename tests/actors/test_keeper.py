"""The keeper: ticks before bursts of their instant, loads heard of before they matter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.actors.decay import run_decay
from saactors.actors.keeper import run_keeper
from saactors.model.burst import Burst, Completion, Outcome, Review, Tick
from saactors.observe.hottest import HottestSas
from saactors.placement.change import RuleChange
from saactors.placement.cost import CostModel
from saactors.placement.rule import Decide
from saactors.placement.table import make_rule, read_parameters

BurstOf = Callable[[Sequence[int]], Burst]
WEB, BULK = 0, 1


def play(
    stage: Any,
    cost: CostModel,
    bursts: Iterable[tuple[int, Burst]],
    ticks: Iterable[tuple[int, Any]],
    *,
    completions: Iterable[Completion] = (),
    changes: Iterable[RuleChange] = (),
    first_tick_ns: int | None = 100,
    decide: str = "arrival",
    seed: int = 0,
) -> list[Any]:
    """Feed a keeper; returns what it hands on. Decay halves, and the bonus is 20."""
    parameters = {"decay": "factor:0.5", "bonus": 20, "threshold": 3, "decide": decide}
    keeper = make_rule("metric", parameters, 4, 1, cost).keeper
    handed_on: list[tuple[int, Any]] = []

    async def scene() -> None:
        (to_keeper, bursts_in), (to_decay, ticks_in) = stage.edge(), stage.edge(64)
        (to_card, card_in), (out, out_in) = stage.edge(64), stage.edge(64)
        network, signals_in = stage.edge(64)
        for completion in completions:
            to_card.send_nowait(completion)
        for change in changes:
            network.send_nowait(change)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.collect, out_in, handed_on)
            nursery.start_soon(stage.feed, to_keeper, bursts)
            nursery.start_soon(stage.feed, to_decay, ticks)
            nursery.start_soon(
                run_keeper,
                *(bursts_in, ticks_in, card_in, out, keeper, stage.clock),
                *(first_tick_ns, Decide(decide), HottestSas(keeper.metrics_of)),
                *(stage.news(), signals_in),
            )

    stage.run(scene, seed)
    return [message for _, message in handed_on]


def period(number: int) -> Tick:
    """The tick that ends the period of that number, of 100 ns each."""
    return Tick(number, 100 * number, 100 * number + 100)


def metrics_of(burst: Burst) -> list[float]:
    """What the burst's packets were stamped with."""
    metrics: list[float] = burst.packets["metric"].tolist()
    return metrics


def test_a_burst_is_stamped_with_time_tick_and_metrics(
    stage: Any,
    cost: CostModel,
    burst_of: BurstOf,
) -> None:
    """As of the instant at which the keeper saw it."""
    bursts = [(10, burst_of([WEB, BULK, WEB])), (150, burst_of([BULK, WEB]))]
    first, second = play(stage, cost, bursts, [(100, period(1))])
    assert (first.observed_ns, first.tick, metrics_of(first)) == (10, 0, [1, 1, 2])
    assert (second.observed_ns, second.tick, metrics_of(second)) == (150, 1, [1.5, 2])


@pytest.mark.parametrize("seed", range(6))
def test_a_burst_of_a_ticks_instant_waits_for_the_tick(
    seed: int,
    stage: Any,
    cost: CostModel,
    burst_of: BurstOf,
) -> None:
    """Whichever of the two the scheduler lets run first, and however late the timer is."""
    bursts = [(99, burst_of([WEB])), (100, burst_of([WEB])), (160, burst_of([WEB]))]
    handed_on = play(stage, cost, bursts, [(130, period(1))], seed=seed)
    assert [burst.tick for burst in handed_on] == [0, 1, 1]
    assert [burst.observed_ns for burst in handed_on] == [99, 130, 160]
    assert [metrics_of(burst) for burst in handed_on] == [[1], [1.5], [2.5]]


@settings(deadline=None, max_examples=40)
@given(
    gaps_ns=st.lists(st.sampled_from([0, 1, 50, 99, 100, 250]), min_size=1, max_size=12),
    seed=st.integers(0, 1000),
)
def test_with_a_real_timer_a_bursts_tick_is_the_periods_that_have_passed(
    gaps_ns: list[int],
    seed: int,
    new_stage: Any,
    cost: CostModel,
    burst_of: BurstOf,
) -> None:
    """``observed_ns // period``, under any scheduler seed (law 7)."""
    stage = new_stage()
    keeper = make_rule("metric", {}, 4, 1, cost).keeper
    handed_on: list[tuple[int, Any]] = []
    instants = [sum(gaps_ns[: place + 1]) for place in range(len(gaps_ns))]

    async def scene() -> None:
        (to_keeper, bursts_in), (to_keeper_ticks, ticks_in) = stage.edge(), stage.edge(4)
        (_, card_in), (out, out_in), (_, signals) = stage.edge(), stage.edge(64), stage.edge()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_decay, signals, to_keeper_ticks, 100, stage.clock)
            nursery.start_soon(
                stage.feed, to_keeper, [(instant, burst_of([WEB])) for instant in instants]
            )
            await run_keeper(
                *(bursts_in, ticks_in, card_in, out, keeper, stage.clock),
                *(100, Decide.ARRIVAL, HottestSas(keeper.metrics_of), stage.news()),
            )
            await stage.collect(out_in, handed_on)
            nursery.cancel_scope.cancel()

    stage.run(scene, seed)
    stamps = [(burst.observed_ns, burst.tick) for _, burst in handed_on]
    assert stamps == [(instant, instant // 100) for instant in instants]


def test_a_load_counts_from_the_first_instant_after_it(
    stage: Any,
    cost: CostModel,
    burst_of: BurstOf,
) -> None:
    """One of the burst's own instant is not known yet: it might as well not have arrived."""
    loads = [Completion(Outcome.LOADED, WEB, -1, 10), Completion(Outcome.LOADED, BULK, -1, 40)]
    bursts = [(instant, burst_of([WEB, BULK])) for instant in (10, 20, 40, 41)]
    handed_on = play(stage, cost, bursts, [], completions=loads, first_tick_ns=None)
    assert [metrics_of(burst) for burst in handed_on] == [[1, 1], [22, 2], [23, 3], [24, 24]]


def test_at_a_periodic_decision_point_candidates_are_sent_for_review(
    stage: Any,
    cost: CostModel,
    burst_of: BurstOf,
) -> None:
    """Before the bursts of that instant; with the bonus of every load that ended before it."""
    bursts = [(10, burst_of([WEB] * 8 + [BULK] * 2)), (100, burst_of([BULK]))]
    loads = [Completion(Outcome.LOADED, BULK, -1, 50), Completion(Outcome.LOADED, WEB, -1, 100)]
    first, review, second = play(
        stage, cost, bursts, [(100, period(1))], completions=loads, decide="periodic"
    )
    assert isinstance(review, Review)
    assert (review.observed_ns, review.tick, review.sa_count) == (100, 1, 2)
    assert review.sas.tolist() == [WEB, BULK]
    assert review.metrics.tolist() == [4, 21]
    assert (first.tick, second.tick) == (0, 1)
    assert metrics_of(second) == [22]


def test_when_packets_decide_no_review_is_sent(
    stage: Any,
    cost: CostModel,
    burst_of: BurstOf,
) -> None:
    """Ticks change metrics and nothing else."""
    handed_on = play(stage, cost, [(250, burst_of([WEB]))], [(100, period(1)), (200, period(2))])
    assert [type(message) for message in handed_on] == [Burst]


def test_a_change_of_the_rule_is_followed_and_passed_on_with_the_tick(
    stage: Any,
    cost: CostModel,
    burst_of: BurstOf,
) -> None:
    """After it packets earn 7; what happens at its own instant does not know of it yet."""
    given_ = {"increment": 7, "decay": "factor:0.5"}
    change = RuleChange("metric", given_, read_parameters("metric", given_, cost), time_ns=120)
    bursts = [(120, burst_of([WEB, WEB])), (150, burst_of([WEB]))]
    ticks = [(100, period(1))]
    first, passed_on, second = play(stage, cost, bursts, ticks, changes=[change])
    assert isinstance(passed_on, RuleChange)
    assert passed_on.tick == 1
    assert passed_on.parameters == change.parameters
    assert (metrics_of(first), metrics_of(second)) == ([1, 2], [9])


def test_a_change_is_followed_at_a_tick_even_if_no_burst_comes(
    stage: Any,
    cost: CostModel,
    burst_of: BurstOf,
) -> None:
    """Decay halves at 100 ns and quarters at 200 ns: 4, 2, a half, and one packet more."""
    given_ = {"decay": "factor:0.25"}
    change = RuleChange("metric", given_, read_parameters("metric", given_, cost), time_ns=120)
    bursts = [(10, burst_of([WEB] * 4)), (250, burst_of([WEB]))]
    ticks = [(100, period(1)), (200, period(2))]
    handed_on = play(stage, cost, bursts, ticks, changes=[change])
    assert metrics_of(handed_on[-1]) == [1.5]


def test_the_last_burst_ends_the_keeper_and_closes_its_outlet(
    stage: Any,
    cost: CostModel,
) -> None:
    """Without waiting for a tick that nobody needs."""
    assert play(stage, cost, [], []) == []
    assert stage.clock.now_ns() == 0
