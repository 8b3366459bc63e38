"""Replay windows (RFC 4303 §3.4.3, RFC 6479) against the plainest model: a set of the taken."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.errors import ParameterError
from saactors.esp.window import WINDOW_PACKETS, WINDOW_PACKETS_MAX, ReplayWindows
from saactors.model.verdicts import Verdict

SIZES = [1, 2, 31, 32, 63, 64, 65, 100, 127, 128, 129, 1000, 4096]
CASES = st.sampled_from(SIZES)


class Model:
    """One SA's window as the RFC words it."""

    def __init__(self, size: int) -> None:
        self.size, self.highest, self.taken = size, 0, set[int]()

    def take(self, sequence: int) -> Verdict:
        """The verdict on one number."""
        if sequence == 0:
            return Verdict.SEQUENCE_ZERO
        if sequence <= self.highest - self.size:
            return Verdict.TOO_OLD
        if sequence in self.taken:
            return Verdict.REPLAYED
        self.taken.add(sequence)
        self.highest = max(self.highest, sequence)
        return Verdict.PASSED


def check(windows: ReplayWindows, sas: list[int], sequences: list[int]) -> list[int]:
    """Verdicts on numbers that have all been authentic."""
    verdicts = np.zeros(len(sas), np.uint8)
    windows.grow(max(sas, default=0) + 1)
    windows.check_and_update(np.array(sas, np.int32), np.array(sequences, np.uint64), verdicts)
    return [int(verdict) for verdict in verdicts]


@st.composite
def walks(draw: st.DrawFn) -> list[int]:
    """Numbers that jump about a rising line, by steps near the words' and windows' sizes."""
    steps = st.one_of(
        st.integers(-70, 70),
        st.sampled_from([n + d for n in (64, 128, 192, 1000, 4096) for d in (-1, 0, 1)]),
        st.sampled_from([-(n + d) for n in (64, 128, 192, 1000, 4096) for d in (-1, 0, 1)]),
    )
    at = draw(st.sampled_from([1, 60, 2**32 - 30, 2**63 - 30, 2**64 - 3000]))
    walk = []
    for step in draw(st.lists(steps, max_size=60)):
        at = min(max(at + step, 0), 2**64 - 1)
        walk.append(at)
    return walk


@settings(max_examples=300, deadline=None)
@given(CASES, walks())
def test_every_verdict_is_that_of_a_plain_set(size: int, sequences: list[int]) -> None:
    """Any walk, any window size, 64-bit numbers."""
    model = Model(size)
    windows = ReplayWindows(size)
    assert check(windows, [0] * len(sequences), sequences) == [model.take(s) for s in sequences]
    assert windows.highest(np.zeros(1, np.int32)).tolist() == [model.highest]


@settings(deadline=None)  # the first example compiles
@given(CASES, st.integers(1, 2**64 - 5000), st.randoms(use_true_random=False))
def test_any_permutation_within_the_window_is_accepted_once_each(
    size: int, first: int, shuffler: random.Random
) -> None:
    """And once only."""
    sequences = list(range(first, first + size))
    shuffler.shuffle(sequences)
    windows = ReplayWindows(size)
    assert check(windows, [0] * size, sequences) == [Verdict.PASSED] * size
    shuffler.shuffle(sequences)
    assert check(windows, [0] * size, sequences) == [Verdict.REPLAYED] * size


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("jump", [1, 63, 64, 65, 127, 128, 129, 191, 192, 193, 4096, 4224, 10**6])
def test_after_a_jump_all_numbers_that_were_jumped_over_are_free(size: int, jump: int) -> None:
    """The ring's words hold nothing of a turn ago, wherever in a word the jump begins and ends."""
    for last in (size + 64, size + 100, size + 127):
        windows = ReplayWindows(size)
        taken = list(range(1, last + 1))
        assert check(windows, [0] * last, taken) == [Verdict.PASSED] * last
        rest = list(range(max(last + 1, last + jump - size + 1), last + jump))
        assert check(windows, [0], [last + jump]) == [Verdict.PASSED]
        assert check(windows, [0] * len(rest), rest) == [Verdict.PASSED] * len(rest)
        assert Verdict.PASSED not in check(windows, [0] * last, taken)


@settings(deadline=None)  # the first example compiles
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 300)), max_size=100))
def test_sas_have_windows_of_their_own(rows: list[tuple[int, int]]) -> None:
    """What one SA takes, another may take too, in one burst or over many."""
    models = [Model(64) for _ in range(4)]
    expected = [models[sa].take(sequence) for sa, sequence in rows]
    windows = ReplayWindows(64)
    half = len(rows) // 2
    found = []
    for part in (rows[:half], rows[half:]):
        found += check(windows, [sa for sa, _ in part], [sequence for _, sequence in part])
    assert found == expected


def test_refused_packets_do_not_touch_the_window() -> None:
    """A forged packet must not move it, and keeps the verdict it has."""
    windows = ReplayWindows()
    windows.grow(1)
    verdicts = np.array([Verdict.ICV_FAILED, Verdict.PASSED], np.uint8)
    windows.check_and_update(np.zeros(2, np.int32), np.array([9, 9], np.uint64), verdicts)
    assert verdicts.tolist() == [Verdict.ICV_FAILED, Verdict.PASSED]
    assert windows.highest(np.zeros(1, np.int32)).tolist() == [9]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("highest", [1, 63, 64, 65, 4096, 2**32 - 21, 2**40])
def test_a_resumed_window_takes_only_what_is_new(size: int, highest: int) -> None:
    """All numbers up to ``highest`` count as taken."""
    windows = ReplayWindows(size)
    windows.resume(3, highest)
    assert windows.highest(np.array([3], np.int32)).tolist() == [highest]
    old = list(range(max(1, highest - 2 * size), highest + 1))
    new = list(range(highest + 1, highest + 2 * size + 2))
    assert Verdict.PASSED not in check(windows, [3] * len(old), old)
    assert check(windows, [3] * len(new), new) == [Verdict.PASSED] * len(new)


def test_windows_keep_what_they_know_when_they_grow() -> None:
    """New SAs have accepted nothing."""
    windows = ReplayWindows()
    assert check(windows, [0], [5]) == [Verdict.PASSED]
    assert check(windows, [1000, 0], [5, 5]) == [Verdict.PASSED, Verdict.REPLAYED]
    assert windows.highest(np.array([0, 999, 1000], np.int32)).tolist() == [5, 0, 5]


def test_an_idle_window_costs_little_memory() -> None:
    """32 bytes per SA at the default size; law 9 is kept by the table's growth alone."""
    windows = ReplayWindows()
    windows.grow(100_000)
    held = windows._highest.nbytes + windows._bitmaps.nbytes
    assert held == 32 * 100_000
    assert windows.window_packets == WINDOW_PACKETS


@pytest.mark.parametrize("size", [0, -1, WINDOW_PACKETS_MAX + 1])
def test_a_size_out_of_range_is_refused(size: int) -> None:
    """By name, with what was found and expected."""
    with pytest.raises(ParameterError, match=f"window_packets: found {size}, expected 1 to 4096"):
        ReplayWindows(size)


def test_the_repr_says_how_large_it_is() -> None:
    """For a person at a debugger."""
    windows = ReplayWindows(64)
    windows.grow(10)
    assert repr(windows) == "ReplayWindows(64 packets, room for 10 SAs)"
