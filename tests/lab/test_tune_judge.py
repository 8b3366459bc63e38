"""How sure a search can be that what it found beats the defaults."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import t as student

from nicmodel.presets import HOST
from nicmodel.profile import CardProfile
from saactors.lab.equipment import card_of, with_slots
from saactors.lab.outcome import evaluate
from saactors.lab.run import run_rule
from saactors.lab.trace import LabTrace, lab_trace
from saactors.lab.tune_judge import (
    JUDGED_MAX,
    WINDOWS,
    Verdict,
    held_out,
    interval,
    saved_by_window,
)
from saactors.traces.columns import trace_columns


@pytest.fixture(scope="module")
def card() -> CardProfile:
    """Four slots, and a load that is worth four packets."""
    return with_slots(card_of("netdevsim", {"load_host_ns": 5000}), 4)


def traffic(packets: int = 4000, sas: int = 40) -> LabTrace:
    """A packet every 100 µs, of an SA that is more popular the lower its number."""
    rng = np.random.default_rng(5)
    time_ns = np.arange(packets, dtype=np.int64) * 100_000
    sa = np.minimum(rng.geometric(0.2, packets) - 1, sas - 1)
    size = rng.integers(64, 1500, packets, dtype=np.int32)
    return lab_trace(trace_columns("popular", time_ns, sa.astype(np.int64), size))


def test_windows_add_up_to_what_the_whole_trace_saved(card: CardProfile) -> None:
    """Packets and loads are each counted once, as the outcome counts them."""
    trace = traffic()
    part = held_out(trace, 0)
    saved = saved_by_window(run_rule(trace, "metric", {}, card, HOST), part)
    outcome = evaluate(trace, "metric", {}, card, HOST)
    assert outcome.loads > 0
    assert saved.shape == (WINDOWS,)
    assert saved.sum() == pytest.approx(outcome.never_ns - outcome.rule_ns)


def test_only_the_held_out_part_counts(card: CardProfile) -> None:
    """What came before its first packet, loads too, is the search's affair."""
    trace = traffic()
    run = run_rule(trace, "metric", {}, card, HOST)
    first, later = (saved_by_window(run, held_out(trace, row)).sum() for row in (0, 2000))
    cost = run.rule.cost
    rows = trace.packets[:2000]
    on_card = rows["length_bytes"][rows["route"] == 1]
    early = (cost.saving_packet_ns + cost.saving_byte_ns * on_card).sum()
    early -= (run.loads["before_row"] <= 2000).sum() * cost.load_host_ns
    assert first - later == pytest.approx(early)


def test_windows_are_of_equal_time() -> None:
    """And the last packet is in the last of them."""
    part = held_out(traffic(), 1600)
    assert np.bincount(part.window, minlength=WINDOWS).tolist() == [2400 // WINDOWS] * WINDOWS
    assert part.windows_used == WINDOWS


def test_a_gap_leaves_windows_without_traffic() -> None:
    """All packets at both ends of the part: two windows have something to say."""
    time_ns = np.array([0, 1, 2, 10**9, 10**9 + 1], np.int64)
    columns = trace_columns("gap", time_ns, np.zeros(5, np.int64), np.full(5, 100, np.int32))
    assert held_out(lab_trace(columns), 0).windows_used == 2


@pytest.mark.parametrize("comparisons", range(1, JUDGED_MAX + 1))
def test_the_quantiles_are_students(comparisons: int) -> None:
    """7 degrees of freedom; 5 % shared by all comparisons and both sides."""
    differences = np.arange(WINDOWS, dtype=float)
    found = interval(differences, comparisons, WINDOWS)
    error = differences.std(ddof=1) * np.sqrt(WINDOWS)
    expected = student.ppf(1 - 0.05 / (2 * comparisons), WINDOWS - 1)
    assert (found.high_ns - found.mean_ns) / error == pytest.approx(expected, abs=1e-3)
    assert found.mean_ns - found.low_ns == pytest.approx(found.high_ns - found.mean_ns)


@pytest.mark.parametrize(
    ("differences", "used", "verdict"),
    [
        ([10.0] * WINDOWS, WINDOWS, Verdict.BEYOND_DOUBT),
        ([9.0, 11.0] * (WINDOWS // 2), WINDOWS, Verdict.BEYOND_DOUBT),
        ([-50.0, 60.0] * (WINDOWS // 2), WINDOWS, Verdict.LIKELY),
        ([0.0] * (WINDOWS - 1) + [1000.0], WINDOWS, Verdict.LIKELY),
        ([0.0] * WINDOWS, WINDOWS, Verdict.NO_BETTER),
        ([-1.0] * WINDOWS, WINDOWS, Verdict.NO_BETTER),
        ([10.0] * 3 + [0.0] * (WINDOWS - 3), 3, Verdict.TOO_LITTLE),
    ],
)
def test_doubt_goes_by_windows(differences: list[float], used: int, verdict: Verdict) -> None:
    """One lucky window is no proof, eight that agree are."""
    assert interval(np.array(differences), 5, used).verdict is verdict


def steps(rng: np.random.Generator, correlation: float) -> npt.NDArray[np.float64]:
    """32 differences that are nothing most of the time and 5 now and then, less their mean."""
    noise = rng.standard_normal(82)
    state = np.zeros(82)
    for step in range(1, 82):
        state[step] = correlation * state[step - 1] + np.sqrt(1 - correlation**2) * noise[step]
    return np.where(state[50:] > 1.28155, 5.0, 0.0) - 0.5


def test_eight_windows_cover_the_truth_where_thirty_two_do_not() -> None:
    """The table's column of rare bursts at a correlation of 0.3: 94 % against 78 %."""
    rng = np.random.default_rng(1)
    eight = many = 0
    quantile = student.ppf(0.975, 31)
    for _ in range(1000):
        found = steps(rng, 0.3)
        windows = interval(found.reshape(WINDOWS, -1).sum(axis=1), 1, WINDOWS)
        eight += windows.low_ns <= 0 <= windows.high_ns
        many += abs(found.mean()) <= quantile * found.std(ddof=1) / np.sqrt(32)
    assert 0.90 < eight / 1000 < 0.98
    assert many / 1000 < 0.85
