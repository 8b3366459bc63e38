"""The table of rules, and the one way to make one."""

from __future__ import annotations

import pytest

from saactors.errors import ParameterError
from saactors.placement.cost import CostModel
from saactors.placement.parameters import MetricParameters
from saactors.placement.rivals import RIVALS
from saactors.placement.table import RULES, make_rule, read_parameters

COST = CostModel(2000, 0, 400, 0, 8000)


def test_the_table_names_every_rule() -> None:
    """In the order in which ``saactors rules`` lists them: ours, today's, and the rivals."""
    assert list(RULES)[:3] == ["metric", "never", "first-come"]
    caches = ("lru", "fifo", "clock", "sieve", "s3-fifo", "arc", "lfu")
    costed = ("lru-coin", "lru-ski-rental", "landlord", "tinylfu", "ewma")
    offloads = ("ovs", "ovs-fast", "rate", "nru", "elixir", "static-top-k")
    gated = tuple(f"{name}-gated" for name in caches[1:])
    assert set(RIVALS) == {*caches, *gated, *costed, *offloads}
    assert set(RIVALS) < set(RULES)


@pytest.mark.parametrize("name", RULES)
def test_an_entry_says_what_the_rule_does_and_whose_idea_it_is(name: str) -> None:
    """In two lines, within a terminal's width."""
    lines = RULES[name].summary.splitlines()
    assert len(lines) == 2
    assert all(len(line) <= 80 for line in lines)
    assert RULES[name].source


@pytest.mark.parametrize("name", RULES)
def test_a_rule_of_the_table_can_be_made_without_parameters(name: str) -> None:
    """Every parameter has a default."""
    rule = make_rule(name, {}, 10, 2, COST)
    assert rule.name == name
    rule.keeper.receive(3)
    rule.arbiter.receive(3)
    assert rule.arbiter.residents().tolist() == []


def test_each_parameter_has_a_unit_and_a_reason_for_its_default() -> None:
    """Those of the metric rule, for instance, and of every other that has any."""
    for entry in RULES.values():
        assert all(parameter.unit and parameter.why for parameter in entry.parameters)
    parameters = {parameter.name: parameter for parameter in RULES["metric"].parameters}
    assert set(parameters) == set(MetricParameters.__dataclass_fields__)
    assert parameters["decay"].default == "factor:0.9"
    assert parameters["threshold"].default == "from the cost analysis"
    assert RULES["never"].parameters == RULES["first-come"].parameters == ()


def test_an_unknown_rule_is_refused_with_the_names_that_there_are() -> None:
    """And with the one that was probably meant, if any is close."""
    with pytest.raises(
        ParameterError, match=r"'metrik', expected one of metric, .*; did you mean metric\?"
    ):
        make_rule("metrik", {}, 10, 2, COST)
    with pytest.raises(ParameterError, match=rf"expected one of {', '.join(RULES)}$"):
        make_rule("xyzzy", {}, 10, 2, COST)


@pytest.mark.parametrize(
    ("card_slots", "loads_outstanding_max", "name"),
    [(-1, 1, "card_slots"), (1, 0, "loads_outstanding_max")],
)
def test_a_card_that_cannot_be_is_refused(
    card_slots: int, loads_outstanding_max: int, name: str
) -> None:
    """A card may have no slot, but its loader takes at least one load."""
    with pytest.raises(ParameterError) as refusal:
        make_rule("metric", {}, card_slots, loads_outstanding_max, COST)
    assert refusal.value.name == name


def test_the_rule_carries_the_cost_analysis_behind_its_threshold() -> None:
    """And shows it though the threshold is given."""
    rule = make_rule("metric", {"threshold": 3}, 10, 2, COST)
    assert isinstance(rule.parameters, MetricParameters)
    assert rule.parameters.threshold == 3
    assert rule.analysis is not None
    assert rule.analysis.threshold == 5
    rule.follow({"weight": "saved-ns"})
    assert rule.analysis.threshold == rule.parameters.threshold == 8000


def test_parameters_are_read_with_what_the_cost_analysis_decides() -> None:
    """So that an actor that holds one half can follow a message."""
    assert read_parameters("metric", {"initial": 1}, COST) == MetricParameters(
        initial=1, threshold=5, bonus=5
    )
