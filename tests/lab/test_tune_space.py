"""Where a search for parameters looks: the table, and what its users make of it."""

from __future__ import annotations

import pytest

from nicmodel.presets import HOST, PROFILES
from saactors.errors import ParameterError
from saactors.lab.run import cost_model
from saactors.lab.tune_space import SPACES, Dimension, Space, Value, read_dimension, space_of
from saactors.placement.cost import CostModel
from saactors.placement.table import RULES, read_parameters

COST = cost_model(PROFILES["netdevsim"], HOST)
FREE_LOADS = CostModel(2000, 0.0, 800, 0.0, 0)


def names_of(rule: str) -> list[str]:
    """A rule's parameters."""
    return [parameter.name for parameter in RULES[rule].parameters]


def test_every_rule_with_parameters_has_a_space() -> None:
    """Whoever adds one says where to look for them."""
    assert SPACES.keys() == {rule for rule in RULES if names_of(rule)}


@pytest.mark.parametrize("rule", SPACES)
def test_every_parameter_is_varied_or_has_its_reason(rule: str) -> None:
    """So that nobody wonders why a search left one alone, and a new one is thought about."""
    space = SPACES[rule]
    varied = {name for axis in space.dimensions for name in axis.parameters}
    assert varied | space.left_out.keys() == set(names_of(rule))
    assert not varied & space.left_out.keys()


@pytest.mark.parametrize("cost", [COST, FREE_LOADS], ids=["loads cost", "loads are free"])
@pytest.mark.parametrize("rule", SPACES)
def test_every_corner_of_a_space_is_a_rule_that_can_be(rule: str, cost: CostModel) -> None:
    """A search that ends in an error half-way through would be a search for nothing."""
    space = SPACES[rule]
    middle: dict[str, Value] = {axis.name: axis.steps(3)[1] for axis in space.dimensions}
    for axis in space.dimensions:
        for value in axis.steps(4):
            read_parameters(rule, space.parameters({**middle, axis.name: value}, cost), cost)


@pytest.mark.parametrize("rule", SPACES)
def test_a_search_starts_at_the_rules_defaults(rule: str) -> None:
    """To the digits that a search gives, so that nothing worse is ever found."""
    start = SPACES[rule].start()
    assert start is not None
    found = read_parameters(rule, SPACES[rule].parameters(start, COST), COST)
    defaults = read_parameters(rule, {}, COST)
    for name in names_of(rule):
        value, default = getattr(found, name), getattr(defaults, name)
        assert value == (
            pytest.approx(default, rel=1e-3) if isinstance(default, float) else default
        )


def test_the_threshold_is_searched_in_the_unit_of_the_weight() -> None:
    """As many bytes, or saved ns, as the packets that a load is worth."""
    space = SPACES["metric"]
    in_packets, in_bytes, in_ns = (
        float(str(space.parameters({"threshold": 2.0, "weight": weight}, COST)["threshold"]))
        for weight in ("packets", "bytes", "saved-ns")
    )
    assert in_bytes == pytest.approx(1500 * in_packets, rel=1e-3)
    assert in_ns == pytest.approx(2 * COST.load_host_ns, rel=1e-3)


def test_memory_is_ten_periods() -> None:
    """Period ÷ (1 − factor), as the rule's defaults have it."""
    found = SPACES["metric"].parameters({"memory_ns": 5e8}, COST)
    assert found == {"period_ns": 50_000_000, "decay": "factor:0.9"}


def test_a_fixed_parameter_is_not_varied() -> None:
    """It has its value at every point; what depends on more than it stays."""
    space = space_of("metric", names_of("metric"), {"threshold": 7.0, "decay": "factor:0.5"})
    names = [axis.name for axis in space.dimensions]
    assert "threshold" not in names
    assert "memory_ns" in names  # it still decides the period
    found = space.parameters({"memory_ns": 1e9}, COST)
    assert found == {"threshold": 7.0, "decay": "factor:0.5", "period_ns": 100_000_000}


def test_a_dimension_that_was_asked_for_takes_the_tables_place() -> None:
    """In the rule's own unit, not as a multiple of the cost analysis."""
    space = space_of("metric", names_of("metric"), {}, [read_dimension("threshold=3..30")])
    (axis,) = (axis for axis in space.dimensions if axis.name == "threshold")
    assert (axis.low, axis.high, axis.whole) == (3, 30, True)
    assert space.parameters({"threshold": 12}, COST) == {"threshold": 12}
    assert space.start() is None


def test_a_rule_without_a_space_can_be_searched_over_what_is_asked_for() -> None:
    """Whoever writes a rule can tune it."""
    space = space_of("mine", ["patience"], {}, [read_dimension("patience=1..9:log")])
    assert [axis.name for axis in space.dimensions] == ["patience"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("threshold=1..1000:log", Dimension("threshold", 1, 1000, log=True, whole=True)),
        ("threshold=0.5..2", Dimension("threshold", 0.5, 2)),
        ("bonus=0..1e3", Dimension("bonus", 0, 1000)),
        ("weight=packets|bytes", Dimension("weight", choices=("packets", "bytes"))),
    ],
)
def test_dimensions_can_be_written(text: str, expected: Dimension) -> None:
    """A range, on a log scale or not, of whole numbers or not; or a choice."""
    assert read_dimension(text) == expected


@pytest.mark.parametrize(
    "text",
    ["threshold", "threshold=", "=1..2", "threshold=1", "threshold=1..2:exp", "threshold=a..b",
     "threshold=2..1", "threshold=0..9:log", "threshold=1..inf", "threshold=nan..3"],
)  # fmt: skip
def test_what_is_no_dimension_is_refused(text: str) -> None:
    """Before a trace is read."""
    with pytest.raises(ParameterError):
        read_dimension(text)


@pytest.mark.parametrize(
    ("rule", "fixed", "asked", "named"),
    [
        ("metric", {"treshold": 3}, (), "treshold"),
        ("metric", {}, ("treshold=1..2",), "treshold"),
        ("never", {}, (), "never"),
        ("never", {"threshold": 3}, (), "threshold"),
    ],
)
def test_what_a_rule_does_not_have_cannot_be_searched(
    rule: str, fixed: dict[str, object], asked: tuple[str, ...], named: str
) -> None:
    """The error names it."""
    with pytest.raises(ParameterError, match=named):
        space_of(rule, names_of(rule), fixed, [read_dimension(text) for text in asked])


def test_steps_cover_a_range_on_its_scale() -> None:
    """Both ends are among them; whole numbers come once."""
    assert Dimension("a", 1, 100, log=True).steps(3) == pytest.approx((1, 10, 100))
    assert Dimension("a", 0, 4).steps(3) == (0, 2, 4)
    assert Dimension("a", 1, 3, whole=True).steps(9) == (1, 2, 3)
    assert Dimension("a", choices=("x", "y")).steps(9) == ("x", "y")


def test_a_point_is_given_in_figures_that_people_can_write() -> None:
    """Four digits; what is written into a scenario is what was judged."""
    found = Space((Dimension("a", 0, 1),)).parameters({"a": 0.123456789, "b": 123456789}, COST)
    assert found == {"a": 0.1235, "b": 123_500_000}
