"""What each model promises, measured on what it makes."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from saactors.model.packets import NO_SA
from saactors.traces.columns import TraceColumns
from saactors.traces.synthetic.bursts import OnOff
from saactors.traces.synthetic.popularity import busiest_share
from saactors.traces.synthetic.table import synthesise


def packets_per_sa(trace: TraceColumns) -> npt.NDArray[np.int64]:
    """Packets of each SA, busiest first."""
    return np.sort(np.bincount(trace.sa, minlength=trace.sa_count))[::-1]


def likeliest_exponent(counts: npt.NDArray[np.int64], ranks: int) -> float:
    """The Zipf exponent that explains the counts best, to two decimals."""
    logs = np.log(np.arange(1, ranks + 1))
    padded = np.pad(counts, (0, ranks - len(counts)))

    def likelihood(exponent: float) -> float:
        return float(-exponent * (padded * logs).sum() - padded.sum() * _log_sum(exponent, logs))

    return max(np.arange(0, 2, 0.01).tolist(), key=likelihood)


def _log_sum(exponent: float, logs: npt.NDArray[np.float64]) -> float:
    return math.log(np.exp(-exponent * logs).sum())


def variance_to_mean(times_ns: npt.NDArray[np.int64], bin_ns: int) -> float:
    """Index of dispersion of packets per bin: 1 for a Poisson process, whatever the bin."""
    counts = np.bincount(times_ns // bin_ns)[:-1]  # the last bin is cut short
    return float(counts.var() / counts.mean())


@pytest.mark.parametrize("exponent", [0.8, 1.0, 1.2])
def test_zipf_traffic_has_the_exponent_asked_for(exponent: float) -> None:
    """Estimated from the packets of each SA by maximum likelihood."""
    trace = synthesise("zipf", {"packets": 500_000, "sas": 1000, "exponent": exponent}, seed=1)
    assert likeliest_exponent(packets_per_sa(trace), 1000) == pytest.approx(exponent, abs=0.02)


def test_zipf_arrivals_are_poisson() -> None:
    """As dispersed as a Poisson process in short bins and in long ones."""
    trace = synthesise("zipf", {"packets": 500_000}, seed=1)
    for bin_ns in (10**6, 10**7, 10**8):
        bins = trace.duration_ns / bin_ns
        three_deviations = 3 * math.sqrt(2 / bins)
        assert variance_to_mean(trace.time_ns, bin_ns) == pytest.approx(1, abs=three_deviations)


def test_churn_replaces_sas_at_its_rate_and_keeps_the_skew() -> None:
    """With as many packets a rank, almost every newcomer is seen."""
    given = {"packets": 1_000_000, "sas": 100, "exponent": 0.5, "churn_per_s": 20}
    trace = synthesise("zipf-churn", given, seed=1)
    assert trace.sa_count - 100 == pytest.approx(20 * 10, abs=45)  # 10 s; three deviations
    # Who sends at the end did not at the beginning, for the most part.
    early, late = np.unique(trace.sa[:100_000]), np.unique(trace.sa[-100_000:])
    assert len(np.intersect1d(early, late)) < 60
    for part in (trace.sa[:100_000], trace.sa[-100_000:]):
        busiest = np.sort(np.bincount(part))[::-1][:20].sum() / len(part)
        assert busiest == pytest.approx(1 / math.sqrt(5), rel=0.15)  # ∫₀²⁰ x^-½ ÷ ∫₀¹⁰⁰ x^-½


def test_no_churn_is_plain_zipf() -> None:
    """A hundred SAs stay a hundred SAs."""
    given = {"packets": 100_000, "sas": 100, "exponent": 0.5, "churn_per_s": 0}
    assert synthesise("zipf-churn", given, seed=1).sa_count == 100


def test_on_off_times_have_the_published_means_and_a_heavy_tail() -> None:
    """Of Pareto times with shape 1.5 a share of 10^-1.5 is longer than ten times the least."""
    model = OnOff(sas=2000, packets=1000, packets_per_s=10)
    times_ns = model._pareto(20e6, (1000, 1000), np.random.default_rng(1))
    assert times_ns.mean() == pytest.approx(20e6, rel=0.1)  # the variance is infinite
    assert (times_ns > 10 * 20e6 / 3).mean() == pytest.approx(10**-1.5, rel=0.02)


def test_an_on_off_sa_is_silent_most_of_the_time_and_bursts_in_between() -> None:
    """One SA is on for 20 of 220 ms, in phases of which about half are active."""
    trace = synthesise("on-off", {"sas": 20, "packets": 300_000, "packets_per_s": 1000}, seed=3)
    occupied = []
    for sa in range(trace.sa_count):
        times_ns = trace.time_ns[trace.sa == sa]
        if len(times_ns) > 5000:
            occupied.append(len(np.unique(times_ns // 1_000_000)) / (trace.duration_ns / 1e6))
    assert len(occupied) > 10
    assert 0.01 < np.mean(occupied) < 0.09  # duty 1/11, active half of the time, gaps in between


def test_on_off_traffic_is_bursty_at_every_time_scale() -> None:
    """Where Poisson traffic has a dispersion of 1, and keeps it, this has more and more."""
    trace = synthesise("on-off", {"sas": 100, "packets": 500_000, "packets_per_s": 10_000}, seed=1)
    dispersions = [variance_to_mean(trace.time_ns, bin_ns) for bin_ns in (10**6, 10**7, 10**8)]
    assert 1.5 < dispersions[0] < dispersions[1] < dispersions[2]


def test_an_on_off_sa_sends_at_one_rate_whenever_it_is_on() -> None:
    """Long on times have more packets than short ones, but no denser ones."""
    trace = synthesise("on-off", {"sas": 1, "packets": 200_000, "packets_per_s": 1000}, seed=1)
    edges = np.flatnonzero(np.diff(trace.time_ns) > 2_000_000)
    bursts = [burst for burst in np.split(trace.time_ns, edges + 1) if len(burst) > 50]
    lengths_ns = np.array([burst[-1] - burst[0] for burst in bursts])
    packets_per_ns = np.array([len(burst) for burst in bursts]) / lengths_ns
    assert len(bursts) > 100
    assert lengths_ns.max() > 10 * lengths_ns.min()
    median = np.median(packets_per_ns)
    assert packets_per_ns == pytest.approx(np.full(len(bursts), median), rel=0.5)


def test_on_off_sas_differ_by_zipf_weights() -> None:
    """Over a thousand seconds the bursts and sessions of ten SAs have evened out."""
    given = {"sas": 10, "packets": 500_000, "packets_per_s": 500, "exponent": 1.0}
    counts = packets_per_sa(synthesise("on-off", given, seed=1))
    assert counts[0] / counts.sum() == pytest.approx(1 / 2.929, rel=0.2)  # 1 ÷ Σ 1/r


def test_on_off_phases_silence_an_sa_for_seconds() -> None:
    """Without them the longest silence of a busy SA would be far below five seconds."""
    given = {"sas": 10, "packets": 600_000, "packets_per_s": 10_000, "exponent": 0}
    trace = synthesise("on-off", given, seed=5)
    longest_ns = [
        np.diff(trace.time_ns[trace.sa == sa], append=trace.duration_ns, prepend=0).max()
        for sa in range(trace.sa_count)
    ]
    assert np.median(longest_ns) > 5e9


def test_every_predecessor_exists_and_has_sent_its_last_packet_before() -> None:
    """An heir takes over at once and for good."""
    given = {"packets": 200_000, "sas": 200, "lifetime_ns": "200ms"}
    trace = synthesise("rekeying", given, seed=1)
    heirs = np.flatnonzero(trace.predecessors != NO_SA)
    assert len(heirs) > 1000
    assert len(np.unique(trace.predecessors[heirs])) == len(heirs)  # nobody has two heirs
    rows = np.arange(len(trace))
    first, last = np.full(trace.sa_count, len(trace)), np.zeros(trace.sa_count, np.int64)
    np.minimum.at(first, trace.sa, rows)
    np.maximum.at(last, trace.sa, rows)
    assert (last[trace.predecessors[heirs]] < first[heirs]).all()


def test_tunnels_rekey_once_a_lifetime_but_not_in_step() -> None:
    """Two seconds of busy tunnels with a lifetime of 100 ms, a tenth of it jittered."""
    given = {"packets": 200_000, "sas": 50, "exponent": 0, "lifetime_ns": "100ms"}
    trace = synthesise("rekeying", given, seed=1)
    rekeyings = (trace.predecessors != NO_SA).sum() / 50
    assert rekeyings == pytest.approx(2 / 0.095, rel=0.03)
    _, first_rows = np.unique(trace.sa, return_index=True)
    births_ns = trace.time_ns[first_rows][trace.predecessors != NO_SA]
    in_each_part = np.bincount(births_ns // 20_000_000)[:-1]
    assert in_each_part.min() > 2


def test_an_sa_never_lives_longer_than_its_lifetime() -> None:
    """Hence no burst of packets crosses a hard lifetime."""
    given = {"packets": 50_000, "sas": 20, "lifetime_ns": "50ms", "jitter": 0.5}
    trace = synthesise("rekeying", given, seed=2)
    for sa in range(trace.sa_count):
        times_ns = trace.time_ns[trace.sa == sa]
        assert times_ns[-1] - times_ns[0] <= 50_000_000


def test_uniform_traffic_prefers_nobody() -> None:
    """The busiest of 1000 SAs are busy by accident only."""
    trace = synthesise("uniform", {"packets": 500_000, "sas": 1000}, seed=1)
    assert trace.sa_count == 1000
    assert busiest_share(trace, 0.1) == pytest.approx(0.1, abs=0.01)


def test_a_scan_goes_in_a_circle() -> None:
    """Row after row the next SA."""
    trace = synthesise("scan", {"packets": 250, "sas": 100}, seed=1)
    assert trace.sa.tolist() == [*range(100), *range(100), *range(50)]


def test_one_packet_sas_never_come_back() -> None:
    """As many SAs as packets."""
    trace = synthesise("one-packet", {"packets": 250}, seed=1)
    assert trace.sa.tolist() == list(range(250))


def test_threshold_sas_stop_at_the_threshold() -> None:
    """All but the last group send exactly so many packets, in turns, and then no more."""
    given = {"packets": 1000, "threshold": 7, "at_once": 10}
    trace = synthesise("threshold", given, seed=1)
    counts = np.bincount(trace.sa)
    assert counts[:140].tolist() == [7] * 140  # 14 groups of 10
    assert counts[140:].sum() == 20
    assert trace.sa[:30].tolist() == [*range(10)] * 3
    assert set(trace.sa[:70]).isdisjoint(trace.sa[70:])


def test_the_adversary_preset_has_all_four_at_once() -> None:
    """A quarter of the packets each: told apart by how often their SAs send."""
    trace = synthesise("adversary", {"packets": 400_000, "sas": 1000, "threshold": 50}, seed=1)
    counts = packets_per_sa(trace)
    assert (counts == 1).sum() == pytest.approx(100_000, rel=0.02)  # one-packet
    assert (counts == 50).sum() == pytest.approx(100_000 / 50, rel=0.05)  # threshold
    assert (counts > 60).sum() == pytest.approx(2000, rel=0.02)  # uniform and scan
    halves = [np.bincount(half) for half in np.split(trace.sa, 2)]
    assert len(halves[0]) < len(halves[1])


def test_shares_of_the_busiest_leave_packets_without_sa_out() -> None:
    """One SA of two with three of four packets; the fifth packet has none."""
    trace = TraceColumns(
        "by hand",
        np.arange(5),
        np.array([0, NO_SA, 1, 0, 0], np.int32),
        np.full(5, 100, np.int32),
        2,
        np.array([5]),
    )
    assert busiest_share(trace, 0.5) == 0.75
    assert busiest_share(trace.part(1, 2), 0.5) == 0
