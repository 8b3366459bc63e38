"""Fetches start when a unit and the slot are ready, and take what the profile says on average."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nicmodel.loader import draw_latency_ns, fetch
from nicmodel.presets import PROFILES
from nicmodel.profile import customised


def test_fetches_run_side_by_side_until_the_units_are_taken() -> None:
    """Two units: the third fetch waits for the first to end."""
    units_free_ns = np.zeros(2, np.int64)
    started = [fetch(units_free_ns, 100, duration) for duration in (50, 70, 10, 10)]
    assert started == [100, 100, 150, 160]


def test_a_fetch_waits_for_its_slot() -> None:
    """A victim's packets may still be on their way when the command comes."""
    units_free_ns = np.zeros(1, np.int64)
    assert fetch(units_free_ns, 500, 10) == 500
    assert fetch(units_free_ns, 100, 10) == 510


@settings(deadline=None)  # the first example may have to compile
@given(
    units=st.integers(1, 4),
    commands=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 50)), max_size=40),
)
def test_no_more_fetches_run_at_once_than_there_are_units(
    units: int, commands: list[tuple[int, int]]
) -> None:
    """The compiled function and its source agree, and neither overbooks a unit."""
    compiled, interpreted = np.zeros(units, np.int64), np.zeros(units, np.int64)
    now_ns, running = 0, []
    for pause_ns, duration_ns in commands:
        now_ns += pause_ns
        started_ns = fetch(compiled, now_ns, duration_ns)
        assert started_ns == fetch.py_func(interpreted, now_ns, duration_ns)
        assert started_ns >= now_ns
        running.append((started_ns, started_ns + duration_ns))
    for instant, _ in running:
        assert sum(start <= instant < end for start, end in running) <= units


@pytest.mark.parametrize(
    ("distribution", "shape", "least", "most"),
    [
        ("uniform", 0.5, 0.5, 1.5),
        ("uniform", 1.0, 0.0, 2.0),
        ("exponential", 0.0, 0.0, np.inf),
        ("lognormal", 0.5, 0.0, np.inf),
        ("pareto", 3.0, 2 / 3, np.inf),
    ],
)
def test_latencies_vary_about_the_mean_of_the_profile(
    distribution: str, shape: float, least: float, most: float
) -> None:
    """Whatever the distribution, its mean is ``load_latency_ns`` (20 000 draws, 4 % apart)."""
    profile = _varying(distribution, shape)
    generator = np.random.default_rng(1)
    draws = np.array([draw_latency_ns(profile, generator) for _ in range(20_000)])
    assert draws.mean() == pytest.approx(100_000, rel=0.04)
    assert draws.min() >= round(least * 100_000)
    assert draws.max() <= most * 100_000
    assert len(np.unique(draws)) > 1000


def test_a_fixed_latency_draws_nothing() -> None:
    """A run without chance needs no generator."""
    assert draw_latency_ns(PROFILES["connectx6"], None) == 91_000


def test_a_varying_latency_without_a_generator_is_a_defect() -> None:
    """The seed is the run's, so nicmodel makes no generator of its own."""
    with pytest.raises(AssertionError, match="seeded generator"):
        draw_latency_ns(_varying("exponential", 0.0), None)


def _varying(distribution: str, shape: float) -> Any:
    return customised(
        PROFILES["connectx6"],
        load_latency_ns=100_000,
        load_latency_distribution=distribution,
        load_latency_shape=shape,
    )
