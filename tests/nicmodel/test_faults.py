"""Faults happen as often as the plan says, from the generator given, and never by themselves."""

from __future__ import annotations

import numpy as np
import pytest

from nicmodel.errors import FaultPlanError
from nicmodel.faults import FaultPlan, Faults, Stall

NONE_REFUSED = np.empty(0, np.int32)


class _Untouchable:
    """Stands for a generator that nobody may draw from."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"drew from the generator: {name}")


@pytest.mark.parametrize("probability", [-0.1, 1.1, float("nan"), float("inf")])
@pytest.mark.parametrize(
    "name", ["load_refused_probability", "load_lost_probability", "bit_flip_probability"]
)
def test_a_probability_lies_between_0_and_1(name: str, probability: float) -> None:
    """The error names which one does not."""
    with pytest.raises(FaultPlanError, match=f"{name}.*a probability from 0 to 1"):
        FaultPlan(**{name: probability})  # type: ignore[arg-type]  # one of the float fields


def test_resets_and_stalls_come_after_the_start() -> None:
    """The trace begins at 0."""
    with pytest.raises(FaultPlanError, match="resets_ns"):
        FaultPlan(resets_ns=(5, -1))
    with pytest.raises(FaultPlanError, match="stalls"):
        FaultPlan(stalls=(Stall(-1, 5),))
    with pytest.raises(FaultPlanError, match="stalls"):
        FaultPlan(stalls=(Stall(1, 0),))


def test_a_plan_without_faults_leaves_the_generator_alone() -> None:
    """So a run without faults draws the same numbers as before faults existed."""
    faults = Faults(FaultPlan(), _Untouchable())  # type: ignore[arg-type]  # never drawn from
    assert not faults.refuses_load()
    assert not faults.loses_load()
    rows, bits = faults.flips(np.full(100, 60, np.int32), NONE_REFUSED)
    assert len(rows) == len(bits) == 0


def test_a_random_plan_without_a_generator_is_a_defect() -> None:
    """The run owns the seed; the model makes no generator of its own."""
    with pytest.raises(AssertionError, match="generator"):
        Faults(FaultPlan(load_lost_probability=0.1), None)


def test_faults_happen_about_as_often_as_planned() -> None:
    """10 000 draws each, within four standard deviations."""
    plan = FaultPlan(
        load_refused_probability=0.1, load_lost_probability=0.3, bit_flip_probability=0.2
    )
    faults = Faults(plan, np.random.default_rng(7))
    refused = sum(faults.refuses_load() for _ in range(10_000))
    lost = sum(faults.loses_load() for _ in range(10_000))
    flipped = len(faults.flips(np.full(10_000, 60, np.int32), NONE_REFUSED)[0])
    assert refused == pytest.approx(1000, abs=120)
    assert lost == pytest.approx(3000, abs=184)
    assert flipped == pytest.approx(2000, abs=160)


def test_a_flipped_bit_lies_within_its_packet() -> None:
    """Row and bit are enough to find it."""
    lengths = np.arange(1, 501, dtype=np.int32)
    rows, bits = Faults(FaultPlan(bit_flip_probability=1.0), np.random.default_rng(3)).flips(
        lengths, NONE_REFUSED
    )
    assert rows.tolist() == list(range(500))
    assert rows.dtype == bits.dtype == np.int32
    assert (bits >= 0).all()
    assert (bits < 8 * lengths).all()
    assert bits.max() > 8 * 60
