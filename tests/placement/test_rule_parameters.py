"""The metric rule's parameters: what they accept, what they refuse, what they become."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saactors.errors import ParameterError
from saactors.placement.cost import CostModel, Weight
from saactors.placement.parameters import Decay, DecayForm, MetricParameters
from saactors.placement.rule import Decide

COST = CostModel(2000, 0, 400, 0, 8000)  # a load is worth 5 packets


@given(
    form=st.sampled_from(DecayForm),
    step=st.floats(0, 1, exclude_min=True).map(lambda step: float(f"{step:g}")),
)
def test_a_decay_reads_back_as_it_is_written(form: DecayForm, step: float) -> None:
    """``factor:0.9`` and ``amount:2`` are both how a decay is read and how it is shown."""
    assert Decay.parse(str(Decay(form, step))) == Decay(form, step)


def test_a_decay_multiplies_or_subtracts() -> None:
    """The other of the two operations leaves a metric as it is."""
    by_factor, by_amount = Decay.parse("factor:0.5"), Decay.parse("amount:3")
    assert (by_factor.factor, by_factor.amount) == (0.5, 0)
    assert (by_amount.factor, by_amount.amount) == (1, 3)


@pytest.mark.parametrize(
    "text", ["", "0.9", "factor", "factor:", "factor:x", "half:0.5", "factor:0", "factor:1.1",
             "amount:-1", "amount:inf", "factor:nan", "amount:nan"],
)  # fmt: skip
def test_what_is_no_decay_is_refused(text: str) -> None:
    """The message names the parameter."""
    with pytest.raises(ParameterError, match=r"^decay: found "):
        Decay.parse(text)


@pytest.mark.parametrize("text", ["factor:0.5", "factor:0.999", "factor:1e-9", "factor:1",
                                  "amount:1", "amount:1e12", "amount:0"])  # fmt: skip
def test_order_keys_stay_finite_until_they_are_re_based(text: str) -> None:
    """The largest scale and the largest offset that a key meets leave room in a double."""
    decay = Decay.parse(text)
    assert decay.factor ** float(-decay.rebase_ticks) <= 2.0**500
    assert decay.amount * decay.rebase_ticks <= 1e9


def test_nothing_given_means_the_defaults() -> None:
    """A name that is given as None counts as not given."""
    assert MetricParameters.from_mapping({}) == MetricParameters()
    assert MetricParameters.from_mapping({"bonus": None, "decay": None}) == MetricParameters()


def test_every_parameter_can_be_given() -> None:
    """As a scenario writes them: numbers and words."""
    given: Mapping[str, object] = {
        "initial": 1,
        "increment": 2.5,
        "bonus": 3,
        "decay": "amount:4",
        "period_ns": 5,
        "threshold": 6,
        "weight": "saved-ns",
        "decide": "periodic",
        "reference_packet_bytes": 7,
    }
    assert MetricParameters.from_mapping(given) == MetricParameters(
        initial=1.0,
        increment=2.5,
        bonus=3.0,
        decay=Decay(DecayForm.AMOUNT, 4.0),
        period_ns=5,
        threshold=6.0,
        weight=Weight.SAVED_NS,
        decide=Decide.PERIODIC,
        reference_packet_bytes=7,
    )
    quarter = Decay(DecayForm.FACTOR, 0.25)
    assert MetricParameters.from_mapping({"decay": quarter}).decay == quarter


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("initial", -1),
        ("initial", math.inf),
        ("initial", "1"),
        ("initial", True),
        ("increment", 0),
        ("increment", math.inf),
        ("bonus", -0.5),
        ("bonus", math.nan),
        ("decay", 0.5),
        ("decay", "factor:2"),
        ("period_ns", 0),
        ("period_ns", 1.5),
        ("period_ns", True),
        ("threshold", -1),
        ("threshold", math.nan),
        ("weight", "kilograms"),
        ("weight", 1),
        ("decide", "sometimes"),
        ("reference_packet_bytes", 0),
    ],
)
def test_a_value_outside_its_range_is_refused_by_name(name: str, value: object) -> None:
    """The error's fields say which parameter it was."""
    with pytest.raises(ParameterError) as refusal:
        MetricParameters.from_mapping({name: value})
    assert refusal.value.name == name


def test_an_unknown_parameter_is_refused_with_the_names_that_there_are() -> None:
    """So that a slip of the pen is found and mended."""
    with pytest.raises(ParameterError, match=r"found 'treshold', expected one of .*threshold"):
        MetricParameters.from_mapping({"treshold": 3})


def test_the_cost_analysis_fills_in_threshold_and_bonus() -> None:
    """Both are the load cost as a metric, unless they are given."""
    resolved = MetricParameters().resolved(COST)
    assert (resolved.threshold, resolved.bonus) == (5, 5)
    resolved = MetricParameters(threshold=2, bonus=0).resolved(COST)
    assert (resolved.threshold, resolved.bonus) == (2, 0)


def test_where_no_load_pays_the_threshold_is_infinite_and_the_bonus_none() -> None:
    """An infinite bonus would make a metric that never decays."""
    resolved = MetricParameters().resolved(CostModel(400, 0, 400, 0, 8000))
    assert (resolved.threshold, resolved.bonus) == (math.inf, 0)
