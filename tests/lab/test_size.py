"""Sizing: saving against slots, the knee, and the rules that need one run for all sizes."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import saactors.lab
from nicmodel.presets import HOST, PROFILES
from nicmodel.profile import CardProfile, customised
from saactors.errors import ParameterError
from saactors.lab.comparison import Question
from saactors.lab.equipment import with_slots
from saactors.lab.load import load_trace
from saactors.lab.outcome import evaluate
from saactors.lab.page import html_of
from saactors.lab.size_page import page_of
from saactors.lab.size_tables import told
from saactors.lab.sizing import Sizing, knee_of, sas_worth_a_load, size_up, usual_rules
from saactors.lab.trace import lab_trace
from saactors.placement.table import RULES

ZIPF = "synth:zipf,sas=120,packets=20000"
RIVALS = ("metric", "first-come", "never")


@pytest.fixture(scope="module")
def found() -> Sizing:
    """A small Zipf trace on the 82599, all sizes of the grid."""
    return size_up(ZIPF, Question(rules=RIVALS))


def test_the_grid_goes_from_one_slot_to_one_per_sa(found: Sizing) -> None:
    """In even steps on a log axis, and through every profile's number of slots on the way."""
    slots = found.slots
    assert slots[0] == 1
    assert slots[-1] == found.sas
    assert list(slots) == sorted(set(slots))
    assert {33, found.sas_worth_a_load} <= set(slots)
    assert all(after <= 2 * before for before, after in pairwise(slots))


@pytest.mark.parametrize("rule", RIVALS)
def test_each_size_is_what_a_run_with_so_many_slots_gives(found: Sizing, rule: str) -> None:
    """Also of the rules that had one run for all sizes."""
    trace = lab_trace(load_trace(ZIPF))
    for size in found.curves[rule]:
        alone = evaluate(trace, rule, {}, with_slots(PROFILES["82599"], size.slots), HOST)
        assert size.loads == alone.loads
        assert size.saving_ns == pytest.approx(alone.never_ns - alone.rule_ns, abs=1)


# Cards that load one after another, refuse what they have no room for, or stall meanwhile.
CARDS = (
    customised(PROFILES["82599"], load_latency_ns=50_000),
    customised(PROFILES["nfp"], load_queue_max=1),
    customised(PROFILES["connectx6"], load_blocks_engine=True, load_queue_max=0),
)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(CARDS), st.integers(0, 1000), st.sampled_from([1, 8, 256]))
def test_first_come_at_all_sizes_is_one_run_with_room_for_all(
    card: CardProfile, seed: int, burst_max: int
) -> None:
    """The first k loads of it are all that a card of k slots makes, whatever the card."""
    name = "synth:zipf,sas=25,packets=400"
    question = Question(
        rules=("first-come",), card=card, slots=tuple(range(1, 27)), seeds=(seed,),
        burst_max=burst_max,
    )  # fmt: skip
    found = size_up(name, question)
    trace = lab_trace(load_trace(name, seed=seed), burst_max)
    for size in found.curves["first-come"]:
        alone = evaluate(trace, "first-come", {}, with_slots(card, size.slots), HOST)
        assert size.loads == alone.loads
        assert size.saving_ns == pytest.approx(alone.never_ns - alone.rule_ns, abs=1)


def test_the_optimum_never_saves_less_with_more_slots(found: Sizing) -> None:
    """Nor does any rule save more than its bound, at any size."""
    bounds = [found.never_ns - best.lower_ns for best in found.optima.values()]
    gaps = [best.upper_ns - best.lower_ns for best in found.optima.values()]
    for before, after, gap in zip(bounds, bounds[1:], gaps[1:], strict=False):
        assert before <= after + gap + 1
    for curve in found.curves.values():
        for size, bound in zip(curve, bounds, strict=True):
            assert size.saving_ns <= bound + 1


def test_the_knee_is_where_a_slot_earns_what_slots_earn_on_average() -> None:
    """Of 10 slots that earn 10, 8, 6, 4, 2, 0 … the first four earn more than 3 each."""
    earned = [10.0, 18.0, 24.0, 28.0, 30.0, 30.0, 30.0, 30.0, 30.0, 30.0]
    assert knee_of(range(1, 11), earned, 10) == 4
    assert knee_of(range(1, 11), earned, 6) == 3
    assert knee_of(range(1, 11), [1000 * one for one in earned], 10) == 4


def test_there_is_no_knee_without_saving() -> None:
    """Nothing is worth a load, or the rule loses with as many slots as could help."""
    assert knee_of([1, 2, 3], [0.0, 0.0, 0.0], 3) is None
    assert knee_of([1, 2, 3], [5.0, 1.0, -1.0], 3) is None
    assert knee_of([1, 2, 3], [5.0, 6.0, 7.0], 0) is None
    assert knee_of([4, 8], [5.0, 6.0], 3) is None


def test_an_sa_is_worth_a_load_if_all_its_packets_together_pay_for_one() -> None:
    """As no schedule could do better than that, no more slots than such SAs can help."""
    trace = lab_trace(load_trace(ZIPF))
    counts = sorted(int(n) for n in saved_packets(trace.columns.sa.tolist()))
    card = customised(PROFILES["82599"], nic_packet_ns=0, load_host_ns=1)
    assert sas_worth_a_load(trace, card, HOST) == len(counts)
    dear = customised(card, load_host_ns=10**12)
    assert sas_worth_a_load(trace, dear, HOST) == 0


def saved_packets(sas: list[int]) -> list[int]:
    """Packets per SA."""
    return [sas.count(sa) for sa in set(sas)]


def test_the_result_is_told_as_json_table_and_page(found: Sizing) -> None:
    """The same sizes in all of them; knees and profiles are marked."""
    told_json = json.loads(json.dumps(found.to_json_object(), allow_nan=False))
    assert [size["slots"] for size in told_json["sizes"]] == list(found.slots)
    assert told_json["knee"]["optimum"] == found.knee
    assert told_json["knee"]["never"] is None
    assert told_json["profile_slots"]["nfp"] == 16_384
    at_33 = next(size for size in told_json["sizes"] if size["slots"] == 33)
    assert 0 < at_33["rules"]["metric"]["saving_percent"] <= 100
    table, note = told(found)
    assert len(table.rows) == len(found.slots)
    assert next(row for row in table.rows if "netdevsim" in row[-1])[0] == "33"
    assert f"The knee is at {found.knee} slots" in note
    text = html_of(page_of(found))
    assert '"text":"knee' in text
    assert '"text":"host time saved, % of all in software"' in text


def test_sizes_can_be_given() -> None:
    """As counts or shares of the SAs."""
    found = size_up(ZIPF, Question(rules=("never",), slots=(7, "50%", 7)))
    assert found.slots == (7, -(-found.sas // 2))


def test_a_trace_that_nothing_can_be_saved_on_has_no_knee() -> None:
    """The table says so."""
    card = customised(PROFILES["82599"], nic_packet_ns=9000)
    found = size_up(ZIPF, Question(rules=("metric",), card=card))
    assert found.knee is None
    assert told(found).note.endswith("There is nothing to save.")
    html_of(page_of(found))


def test_the_usual_rules_exist() -> None:
    """A few, for each takes a run per size."""
    assert {"metric", "first-come"} <= set(usual_rules()) <= set(RULES)


def test_the_lab_sizes_in_one_call() -> None:
    """``saactors.lab.size``: a frame with the optimum's curve first."""
    frame = saactors.lab.size(ZIPF, rules=["metric"], slots=[2, 20])
    assert frame["rule"].to_list() == ["optimum", "optimum", "metric", "metric"]
    assert frame["slots"].to_list() == [2, 20, 2, 20]
    assert frame["saving_ns"].is_between(0, 1e12).all()
    with pytest.raises(ParameterError, match="slots"):
        saactors.lab.size(ZIPF, slots=["many"])
