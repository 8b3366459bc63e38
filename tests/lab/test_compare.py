"""Comparisons: every rule on every trace, seed and number of slots, as values and as frames."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy.special import stdtrit

import saactors.lab
from nicmodel.presets import HOST, PROFILES
from saactors.errors import CaptureError, OutputError, ParameterError
from saactors.lab.comparison import Question, outcomes, rules_without_foresight, steps
from saactors.lab.comparison_page import page_of
from saactors.lab.comparison_tables import told
from saactors.lab.equipment import card_of, cards_for, with_slots
from saactors.lab.frames import SCHEMA, frame_of
from saactors.lab.load import load_trace
from saactors.lab.outcome import Best, Outcome, evaluate
from saactors.lab.page import html_of
from saactors.lab.result_files import write_csv, write_parquet
from saactors.lab.standings import groups_of, mean_of, student_t
from saactors.lab.trace import lab_trace
from saactors.placement.table import RULES

SMALL = "synth:zipf,sas=50,packets=3000"
RIVALS = ("metric", "first-come", "never")


@pytest.fixture(scope="module")
def found() -> list[Outcome]:
    """Two traces, two numbers of slots, three rules, two seeds."""
    question = Question(rules=RIVALS, card=PROFILES["nfp"], slots=(4, "10%"), seeds=(0, 1))
    return list(outcomes([SMALL, f"{SMALL},exponent=1.3"], question))


def test_every_rule_runs_on_every_trace_seed_and_number_of_slots(found: list[Outcome]) -> None:
    """In this order: trace, seed, slots, rule."""
    places = [(one.trace, one.seed, one.slots_wanted, one.rule) for one in found]
    assert places == [
        (trace, seed, slots, rule)
        for trace in (SMALL, f"{SMALL},exponent=1.3")
        for seed in (0, 1)
        for slots in ("4", "10%")
        for rule in RIVALS
    ]


def test_each_outcome_is_what_one_run_gives(found: list[Outcome]) -> None:
    """The same trace from the same seed, the same card, nothing left over from the run before."""
    one = next(one for one in found if one.rule == "first-come" and one.seed == 1)
    trace = lab_trace(load_trace(SMALL, seed=1))
    alone = evaluate(trace, "first-come", {}, with_slots(PROFILES["nfp"], 4), HOST)
    same = replace(alone, wall_s=one.wall_s, seed=1, slots_wanted="4", optimum=one.optimum)
    assert one == same


def test_rules_of_a_group_are_judged_by_the_same_optimum(found: list[Outcome]) -> None:
    """It is found once per trace, seed and slots, and never saves nothing."""
    for place in range(0, len(found), 3):
        assert len({one.optimum for one in found[place : place + 3]}) == 1
        by_rule = {one.rule: one.saving_percent for one in found[place : place + 3]}
        assert by_rule["never"] == 0.0


def test_progress_is_told_as_often_as_announced() -> None:
    """Once per trace read, optimum found and rule run."""
    question = Question(rules=RIVALS, slots=(2, 3), seeds=(0, 1))
    heard: list[str] = []
    list(outcomes([SMALL], question, heard.append))
    assert len(heard) == steps([SMALL], question) == 2 * (1 + 2 * (1 + 3))


def test_a_trace_without_a_seed_runs_once() -> None:
    """More seeds would give the same again."""
    columns = load_trace(SMALL)
    question = Question(rules=("never",), seeds=(0, 1, 2))
    (one,) = outcomes([columns], question)
    assert one.seed is None


def test_traces_are_told_apart(tmp_path: Path, write_traffic: Callable[..., Path]) -> None:
    """Files of one name by their paths; a trace that is named twice is compared once."""
    paths = [tmp_path / folder / "day.pcap" for folder in ("a", "b")]
    for path in paths:
        path.parent.mkdir()
        write_traffic(path, [(0, 0, 100), (1000, 1, 100)])
    found = outcomes([*paths, paths[0]], Question(rules=("never",)))
    assert [one.trace for one in found] == ["day", str(paths[1])]


def test_left_out_rules_are_all_but_the_clairvoyant() -> None:
    """A comparison shows what a driver could do."""
    rules = rules_without_foresight()
    assert {"metric", "never", "first-come"} <= set(rules) <= set(RULES)
    assert set(RULES) - set(rules) == {"static-top-k"}
    assert Question().rules == rules


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"rules": ("metrics",)}, "rule: found 'metrics'.*did you mean metric"),
        ({"rules": ()}, "rules: found"),
        ({"parameters": {"metric": {"threshold": -1}}}, "threshold: found -1"),
        ({"rules": ("never",), "parameters": {"metric": {}}}, "parameters: found 'metric'"),
        ({"slots": (0,)}, "slots: found 0, expected a whole number above 0"),
        ({"slots": ("ten",)}, "slots: found 'ten'"),
        ({"slots": ("-1%",)}, "slots: found '-1%'"),
        ({"slots": ("nan%",)}, "slots: found 'nan%'"),
        ({"slots": ("1e99%",)}, "slots: found '1e99%'"),
        ({"seeds": ()}, "seeds: found"),
        ({"burst_max": 0}, "burst"),
        ({"kind": "oracle"}, "kind: found 'oracle'"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_runs(
    given: dict[str, object], expected: str
) -> None:
    """With what was found and what was expected."""
    with pytest.raises(ParameterError, match=expected):
        Question(**given)  # type: ignore[arg-type]  # what users give has any type


def test_a_share_of_the_sas_is_rounded_up() -> None:
    """Exactly: 7 % of 100 is 7, although 0.07 × 100 is more; one slot is the least."""
    card = PROFILES["nfp"]
    shares = ("7%", "0.1%", "12.5%", 3)
    counts = [one.slots_max for _, one in cards_for(shares, card, 100)]
    assert counts == [7, 1, 13, 3]
    assert list(cards_for((), card, 100)) == [(None, card)]


def test_a_card_with_other_figures_says_so() -> None:
    """Another number of slots alone is told beside the name anyway."""
    assert card_of("nfp", {"load_host_ns": 7}).name == "nfp (changed)"
    assert card_of("nfp", {"load_host_ns": 7}).load_host_ns == 7
    assert with_slots(PROFILES["nfp"], 5).name == "nfp"
    with pytest.raises(ParameterError, match="figure of a card: found 'slot'"):
        card_of("nfp", {"slot": 7})
    with pytest.raises(ParameterError, match="profile: found 'cx7', expected one of 82599"):
        card_of("cx7")


def test_means_lie_within_students_interval() -> None:
    """Of 1, 2, 3 with 2 degrees of freedom: 2 ± 4.303 / √3."""
    assert mean_of([5.0]) == (5.0, None)
    mean = mean_of([1.0, 2.0, 3.0])
    assert mean.value == 2.0
    assert mean.half_width == pytest.approx(4.3027 / math.sqrt(3), rel=1e-4)


@pytest.mark.parametrize("freedom", [1, 2, 5, 9, 10, 11, 30, 200])
def test_students_t_is_scipys(freedom: int) -> None:
    """SciPy has no types and takes its time to import."""
    assert student_t(freedom) == pytest.approx(stdtrit(freedom, 0.975), rel=1e-4)


def test_groups_are_sorted_by_saving_over_the_seeds(found: list[Outcome]) -> None:
    """One group per trace and wanted slots, whatever count that is for each seed."""
    groups = groups_of(found)
    assert [(group.first.trace, group.first.slots_wanted) for group in groups] == [
        (trace, slots) for trace in (SMALL, f"{SMALL},exponent=1.3") for slots in ("4", "10%")
    ]
    for group in groups:
        savings = [standing.saving for standing in group.standings]
        assert group.seeds == 2
        values = [saving.value for saving in savings if saving is not None]
        assert len(values) == 3
        assert values == sorted(values, reverse=True)


def test_a_group_with_nothing_to_save_is_sorted_by_cost() -> None:
    """The rule that wastes least comes first."""
    question = Question(rules=("first-come", "never"), card=card_of("nfp", {"nic_packet_ns": 9000}))
    (group,) = groups_of(outcomes([SMALL], question))
    assert [standing.rule for standing in group.standings] == ["never", "first-come"]
    assert {row[1] for row in told(group).table.rows} == {"nothing to save"}


def test_a_frame_has_a_row_per_outcome(found: list[Outcome]) -> None:
    """With the names and types of SCHEMA."""
    frame = frame_of(found)
    assert frame.schema == SCHEMA
    assert len(frame) == len(found)
    assert frame["saving_percent"].to_list() == [one.saving_percent for one in found]
    assert json.loads(frame["parameters"][0]) == dict(found[0].parameters)
    assert frame_of([]).schema == SCHEMA


def test_files_hold_the_frame(found: list[Outcome], tmp_path: Path) -> None:
    """CSV and Parquet can be read back."""
    frame = frame_of(found)
    write_parquet(frame, tmp_path / "x.parquet")
    assert_frame_equal(pl.read_parquet(tmp_path / "x.parquet"), frame)
    write_csv(frame, tmp_path / "x.csv")
    assert_frame_equal(pl.read_csv(tmp_path / "x.csv", schema=SCHEMA), frame)
    with pytest.raises(OutputError, match="cannot be written: No such file"):
        write_csv(frame, tmp_path / "no such folder" / "x.csv")
    with pytest.raises(OutputError, match="cannot be written: No such file"):
        write_parquet(frame, tmp_path / "no such folder" / "x.parquet")


def test_the_lab_compares_in_one_call() -> None:
    """``saactors.lab.compare``: names, parameters, a share of slots; a frame comes back."""
    frame = saactors.lab.compare(
        SMALL,
        rules=["metric", "never"],
        parameters={"metric": {"threshold": 7}},
        profile="netdevsim",
        slots="20%",
        seeds=2,
    )
    assert frame["rule"].to_list() == ["metric", "never"] * 2
    assert frame["seed"].to_list() == [0, 0, 1, 1]
    assert json.loads(frame["parameters"][0])["threshold"] == 7.0
    assert frame["slots"].to_list() == [math.ceil(sas / 5) for sas in frame["sas"]]


def test_a_trace_that_is_not_there_is_told() -> None:
    """By the error of whoever reads it."""
    with pytest.raises(CaptureError, match="nowhere"):
        saactors.lab.compare(["nowhere.pcap"], rules=["never"])


def test_importing_the_lab_is_cheap() -> None:
    """Numba and Polars come with the first call."""
    code = "import saactors.lab, sys; print({'numba', 'polars', 'numpy'} & set(sys.modules))"
    told_by = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert told_by.stdout == b"set()\n"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        saactors.lab.nothing  # noqa: B018 - looking is what fails


def outcome(rule: str, savings: Sequence[float], **other: object) -> list[Outcome]:
    """Outcomes of a rule, one per seed, with these savings in %."""
    trace = lab_trace(load_trace("synth:zipf,sas=3,packets=10"))
    base = evaluate(trace, "never", {}, PROFILES["nfp"], HOST)
    best = Best("prefetch", 0.0, 1.0, 0.001)
    return [
        replace(
            base, rule=rule, seed=seed, never_ns=100.0, software_ns=100.0 - saving, nic_ns=0.0,
            loads_ns=0.0, optimum=best, **other,
        )
        for seed, saving in enumerate(savings)
    ]  # fmt: skip


def test_the_table_tells_means_intervals_and_the_optimum() -> None:
    """What a reader decides by stands in the row; how sure it is stands beside it."""
    found = [*outcome("lru", [-3400.0, -3404.0]), *outcome("metric", [90.0, 92.0], loads=8)]
    (group,) = groups_of(found)
    (table, note) = told(group)
    assert [row[0] for row in table.rows] == ["metric", "lru"]
    assert table.rows[0][1] == "91.0 ± 12.7 %"
    assert table.rows[1][1] == "-3,402.0 ± 25.4 %"
    assert "the optimum (prefetch) saves 100.0 % of it, certified to 0.1 %" in note
    assert note.startswith("10 packets of 2 SAs in 40.5 µs, the first of 2 seeds. ")


def test_names_from_outside_cannot_become_markup_in_the_page() -> None:
    """A trace's or a rule's name is text, in the page and in its data."""
    evil = "</script><script>alert(1)</script>"
    text = html_of(page_of(outcome(evil, [50.0], trace=evil)))
    assert "<script>alert" not in text


def test_the_page_fetches_nothing_and_shows_every_rule(found: list[Outcome]) -> None:
    """Its policy forbids requests, its plots name axes and units, its tables have all rows."""
    text = html_of(page_of(found))
    head, _, rest = text.partition("<script>")
    assert "default-src 'none'" in head
    for fetched in ("src=", "href=", "@import", "url("):
        assert fetched not in head
    assert text.count("plotly.js v") == 1
    start = rest.index('<script type="application/json" id="charts">')
    charts, _ = json.JSONDecoder().raw_decode(rest[rest.index("[", start) :])
    names = [chart["name"] for chart in charts]
    assert names == [
        "savings", "slots-0", "slots-1", "split-0", "split-1", "split-2", "split-3", "latency",
    ]  # fmt: skip
    assert {chart["layout"]["xaxis"]["title"]["text"] for chart in charts} == {
        "saving, % of achievable",
        "slots of the card (log scale)",
        "host time, % of all in software",
        "p99 latency, µs (log scale)",
    }
    assert head.count("<tr>") == 4 * (1 + len(RIVALS))
    savings = charts[0]
    assert savings["layout"]["yaxis"]["categoryarray"][0] in RIVALS
    assert np.array([trace["x"] for trace in savings["traces"]]).shape == (4, 3)
