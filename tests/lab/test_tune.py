"""A search for parameters: what it finds, what it does not look at, and what it says of both."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from nicmodel.profile import CardProfile
from saactors.errors import ParameterError
from saactors.lab.equipment import card_of, with_slots
from saactors.lab.load import load_trace
from saactors.lab.page import html_of
from saactors.lab.tune_judge import JUDGED_MAX, Verdict
from saactors.lab.tune_page import page_of
from saactors.lab.tune_report import (
    best_trials,
    scenario_text,
    to_json_object,
    trials_table,
    verdict_lines,
)
from saactors.lab.tune_space import read_dimension
from saactors.lab.tune_trace import Tuning, surface, surface_axes, tune
from saactors.replay.options import ReplayOptions
from saactors.replay.run import replay
from saactors.scenario import load_scenario
from saactors.traces.columns import TraceColumns, trace_columns

CHECKOUT = Path(__file__).parents[2]
DEMO = CHECKOUT / "demo" / "traffic.pcap.gz"
PHASE_NS = 20_000_000


def phases(phase_ns: int, packets: int = 20_000, sas: int = 64, seed: int = 1) -> TraceColumns:
    """A packet every 50 µs; in each phase four SAs send nine packets in ten."""
    rng = np.random.default_rng(seed)
    time_ns = np.arange(packets, dtype=np.int64) * 50_000
    groups = rng.integers(0, sas // 4, int(time_ns[-1]) // phase_ns + 1)
    sa = groups[time_ns // phase_ns] * 4 + rng.integers(0, 4, packets)
    sa = np.where(rng.random(packets) < 0.1, rng.integers(0, sas, packets), sa)
    return trace_columns("phases", time_ns, sa, np.full(packets, 1000, np.int32))


def columns_with(trace: TraceColumns, sa: npt.NDArray[np.int64]) -> TraceColumns:
    """The same packets of other SAs."""
    return trace_columns(trace.name, trace.time_ns, sa, trace.length_bytes)


@pytest.fixture(scope="module")
def card() -> CardProfile:
    """Four slots; a load is worth four packets and takes a microsecond."""
    return with_slots(card_of("netdevsim", {"load_host_ns": 5000, "load_latency_ns": 1000}), 4)


@pytest.fixture(scope="module")
def forgetful(card: CardProfile) -> Tuning:
    """Phases far shorter than the second that the defaults remember."""
    return tune(phases(PHASE_NS), "metric", card, trials=25, seed=3)


@pytest.fixture(scope="module")
def content(card: CardProfile) -> Tuning:
    """Four SAs on eight slots: whoever loads them at all cannot do better."""
    return tune(phases(10**12, sas=4), "metric", with_slots(card, 8), trials=8)


def test_a_memory_that_does_not_fit_the_traffic_is_found_out(forgetful: Tuning) -> None:
    """The defaults save little there; what is found saves several times as much, for sure."""
    assert forgetful.verdict is Verdict.BEYOND_DOUBT
    assert forgetful.chosen is forgetful.best
    assert forgetful.best.saved > 3 * forgetful.defaults.saved
    assert "beyond doubt" in verdict_lines(forgetful)[0]


def test_where_nothing_is_better_the_defaults_stay(content: Tuning) -> None:
    """And the scenario that is written has them, in figures."""
    assert content.verdict is Verdict.NO_BETTER
    assert content.chosen is content.defaults
    assert "keep" in verdict_lines(content)[0]
    written = tomllib.loads(scenario_text(content, "netdevsim"))
    assert written["rule"]["decay"] == "factor:0.9"
    assert written["rule"]["threshold"] == content.analysis.threshold  # type: ignore[union-attr]  # the metric rule has one


def test_the_first_trial_is_the_defaults(forgetful: Tuning) -> None:
    """So the search never ends with something worse on the part that it saw."""
    assert forgetful.trials[0].saved == pytest.approx(forgetful.defaults.trial.saved, abs=1e-3)
    assert max(trial.saved for trial in forgetful.trials) >= forgetful.trials[0].saved


def test_the_best_few_are_judged_and_the_best_of_them_there_comes_first(forgetful: Tuning) -> None:
    """Chosen by the training part, ranked by the held-out one."""
    saved = [judged.saved for judged in forgetful.judged]
    assert len(saved) == JUDGED_MAX
    assert saved == sorted(saved, reverse=True)
    best = sorted({trial.saved for trial in forgetful.trials}, reverse=True)[:JUDGED_MAX]
    assert sorted((judged.trial.saved for judged in forgetful.judged), reverse=True) == best


def test_the_same_seed_finds_the_same(forgetful: Tuning, card: CardProfile) -> None:
    """Trials, judgement and all; another seed tries something else."""
    again = tune(phases(PHASE_NS), "metric", card, trials=25, seed=3)
    assert again.trials == forgetful.trials
    assert again.best.trial == forgetful.best.trial
    assert again.best.against_defaults == forgetful.best.against_defaults
    other = tune(phases(PHASE_NS), "metric", card, trials=25, seed=4)
    assert other.trials != forgetful.trials


def test_the_search_does_not_see_what_is_held_out(card: CardProfile) -> None:
    """Other packets there, other judgement, but the same trials."""
    trace = phases(PHASE_NS)
    sa = trace.sa.astype(np.int64)
    sa[14_000:] = sa[14_000:][::-1]
    there, elsewhere = (
        tune(each, "metric", card, trials=5) for each in (trace, columns_with(trace, sa))
    )
    assert there.training_packets == 14_000
    assert there.trials == elsewhere.trials
    assert there.best.saved != elsewhere.best.saved


def test_fixed_parameters_hold_for_the_defaults_too(card: CardProfile) -> None:
    """Whoever fixes the threshold asks what else can be tuned at that threshold."""
    tuning = tune(phases(PHASE_NS), "metric", card, trials=4, fixed={"threshold": 9.0})
    assert {trial.parameters["threshold"] for trial in tuning.trials} == {9.0}
    assert tuning.defaults.whole.parameters["threshold"] == 9.0


def test_a_dimension_of_ones_own_is_searched_within_its_range(card: CardProfile) -> None:
    """In place of the table's."""
    own = [read_dimension("threshold=5..6"), read_dimension("weight=packets|bytes")]
    tuning = tune(phases(PHASE_NS), "metric", card, trials=6, search=own)
    assert {trial.parameters["threshold"] for trial in tuning.trials} <= {5, 6}
    assert {trial.parameters["weight"] for trial in tuning.trials} <= {"packets", "bytes"}


def test_importance_is_shared_among_the_dimensions(forgetful: Tuning) -> None:
    """Every dimension has its share, and the surface has the two greatest."""
    names = {axis.name for axis in forgetful.space.dimensions}
    assert forgetful.importance.keys() == names
    assert sum(forgetful.importance.values()) == pytest.approx(1)
    axes = surface_axes(forgetful)
    assert axes is not None
    assert not any(axis.choices for axis in axes)


def test_ctrl_c_keeps_what_was_found(card: CardProfile) -> None:
    """The trials so far are judged as if no more had been asked for."""

    def interrupt(what: str) -> None:
        if what.startswith("trial 6"):
            raise KeyboardInterrupt

    tuning = tune(phases(PHASE_NS), "metric", card, trials=25, seed=3, advance=interrupt)
    assert len(tuning.trials) == 5
    assert tuning.judged


def test_a_search_that_has_not_begun_is_just_interrupted(card: CardProfile) -> None:
    """There is nothing to keep."""

    def interrupt(_what: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(phases(PHASE_NS), "metric", card, advance=interrupt)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"trials": 0}, "trials"),
        ({"hold_out": 0.0}, "hold_out"),
        ({"hold_out": 1.0}, "hold_out"),
        ({"hold_out": 0.999}, "trace"),
        ({"fixed": {"treshold": 1}}, "parameter"),
        ({"fixed": {"threshold": -1}}, "threshold"),
    ],
)
def test_what_cannot_be_searched_is_refused(
    card: CardProfile, arguments: dict[str, object], named: str
) -> None:
    """With the name of what is wrong."""
    with pytest.raises(ParameterError) as caught:
        tune(phases(PHASE_NS, packets=2000), "metric", card, **arguments)  # type: ignore[arg-type]  # wrong on purpose
    assert caught.value.name == named


def test_a_rule_that_is_not_there_is_refused(card: CardProfile) -> None:
    """With a suggestion, as everywhere."""
    with pytest.raises(ParameterError, match="did you mean metric"):
        tune(phases(PHASE_NS, packets=2000), "metrik", card)


def test_a_card_that_saves_nothing_is_refused() -> None:
    """There every threshold is as good as any other."""
    dear = with_slots(card_of("netdevsim", {"nic_packet_ns": 9000}), 4)
    with pytest.raises(ParameterError, match="saves host time"):
        tune(phases(PHASE_NS, packets=2000), "metric", dear)


def test_the_table_shows_the_defaults_first_and_marks_what_to_use(forgetful: Tuning) -> None:
    """The best trials follow, the best on the training part first."""
    table = trials_table(forgetful)
    assert table.rows[0][0] == "defaults"
    assert [row[0].endswith("*") for row in table.rows].count(True) == 1
    saved = [trial.saved for _, trial, _ in best_trials(forgetful)[1:]]
    assert saved == sorted(saved, reverse=True)


def test_the_json_object_says_all_of_it(forgetful: Tuning) -> None:
    """Figures are those of the dataclass; the analysis stands in its own lines."""
    found = to_json_object(forgetful)
    assert found["verdict"] == "better beyond doubt"
    assert found["chosen"]["saved"]["held_out"] == forgetful.best.saved  # type: ignore[index]  # a JSON object
    assert len(found["trials"]) == 25  # type: ignore[arg-type]  # a JSON object
    assert found["cost_analysis"] == forgetful.analysis.lines()  # type: ignore[union-attr]  # the metric rule has one


def test_the_surface_is_what_the_search_would_have_found(
    forgetful: Tuning, card: CardProfile
) -> None:
    """A grid over the two axes, all else as in the best candidate; every value a run of its own."""
    told: list[str] = []
    grid = surface(phases(PHASE_NS), forgetful, 3, told.append)
    assert grid is not None
    assert np.shape(grid.saved) == (3, 3)
    assert len(told) == 3
    first, second = grid.axes
    point = {**forgetful.best.trial.values, first.name: first.low, second.name: second.high}
    parameters = forgetful.space.parameters(point, forgetful.analysis.cost)  # type: ignore[union-attr]  # it has one
    other = [read_dimension("initial=0..1e-9")]
    single = tune(phases(PHASE_NS), "metric", card, trials=1, fixed=parameters, search=other)
    assert grid.saved[2][0] == pytest.approx(single.defaults.trial.saved)


def test_a_surface_over_a_choice_has_a_row_for_each(card: CardProfile) -> None:
    """As many as there are, whatever the steps of a range."""
    fixed = {"bonus": 1.0, "decide": "arrival", "period_ns": 10**7, "decay": "factor:0.9"}
    tuning = tune(phases(PHASE_NS), "metric", card, trials=4, fixed=fixed)
    grid = surface(phases(PHASE_NS), tuning, 5)
    assert grid is not None
    assert [axis.name for axis in grid.axes] == ["threshold", "weight"]
    assert (len(grid.across), grid.along) == (5, ("packets", "bytes", "saved-ns"))
    chart = page_of(tuning, grid).charts[1]
    assert (
        np.shape(chart.traces[0]["z"])
        == (3, 5)
        == (
            len(chart.traces[0]["y"]),
            len(chart.traces[0]["x"]),
        )
    )


def test_the_page_holds_verdict_surface_and_trials(forgetful: Tuning) -> None:
    """In words too, for whoever cannot see the plots."""
    page = page_of(forgetful, surface(phases(PHASE_NS), forgetful, 3))
    assert [chart.name for chart in page.charts] == ["judged", "surface", "trials"]
    text = html_of(page)
    assert "beyond doubt" in text
    assert "load cost" in text


def test_a_page_without_a_second_dimension_has_no_surface(card: CardProfile) -> None:
    """Nothing to draw it over."""
    fixed = {"bonus": 1.0, "weight": "packets", "decide": "arrival", "period_ns": 10**7,
             "decay": "factor:0.9"}  # fmt: skip
    tuning = tune(phases(PHASE_NS), "metric", card, trials=4, fixed=fixed)
    assert surface(phases(PHASE_NS), tuning, 3) is None
    assert [chart.name for chart in page_of(tuning, None).charts] == ["judged", "trials"]


@pytest.mark.slow
def test_the_scenario_replays_to_what_the_lab_said(tmp_path: Path) -> None:
    """``saactors replay --scenario`` takes the file as it is, and saves what was judged."""
    card = with_slots(card_of("netdevsim", {"load_host_ns": 50_000}), 8)
    tuning = tune(load_trace(DEMO), "metric", card, trials=10)
    path = tmp_path / "tuned.toml"
    path.write_text(scenario_text(tuning, "netdevsim"), encoding="utf-8")
    scenario = load_scenario(path)
    assert scenario.rule_name == "metric"
    assert scenario.card == {"profile": "netdevsim", "slots_max": 8, "load_host_ns": 50_000}
    result = replay(ReplayOptions(capture=DEMO, scenario=scenario, crypto="none", closed_loop=True))
    saved = 1 - tuning.chosen.whole.rule_ns / tuning.chosen.whole.never_ns
    host_time = result.host_time
    assert host_time.saved_ns / host_time.all_software_ns == pytest.approx(saved, abs=0.005)


def test_names_from_a_trace_cannot_break_the_scenario(
    card: CardProfile, written: Callable[[str], dict[str, object]]
) -> None:
    """A trace may be called anything; comments stay comments."""
    trace = phases(PHASE_NS, packets=2000)
    odd = trace_columns(
        'x\n[card]\nslots_max = 1 # "', trace.time_ns, trace.sa.astype(np.int64), trace.length_bytes
    )
    tuning = tune(odd, "metric", card, trials=2)
    assert written(scenario_text(tuning, "netdevsim")).keys() == {"rule", "card"}


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], dict[str, object]]:
    """Check a scenario's text as a scenario, and give its tables."""

    def check(text: str) -> dict[str, object]:
        path = tmp_path / "checked.toml"
        path.write_text(text, encoding="utf-8")
        load_scenario(path)
        return tomllib.loads(text)

    return check
