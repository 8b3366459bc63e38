"""Extended sequence numbers: the high half is authenticated and inferred (RFC 4303 appendix A)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from saactors.esp.open_layout import infer_high
from saactors.esp.suites import SUITES
from saactors.esp.window import ReplayWindows
from saactors.model.verdicts import Verdict

EPOCH = 2**32


def nearest_above_the_bottom(highest: int, low: int, window: int) -> int:
    """The model: the least number with this low half that is not below the window."""
    bottom = max(highest - window + 1, 0)
    number = bottom // EPOCH * EPOCH + low
    return number if number >= bottom else number + EPOCH


@settings(deadline=None)  # the first example compiles
@given(
    st.one_of(
        st.integers(0, 2**63),
        st.builds(
            lambda epoch, offset: max(epoch * EPOCH + offset, 0),
            st.integers(0, 5),
            st.integers(-5000, 5000),
        ),
    ),
    st.one_of(
        st.integers(0, EPOCH - 1), st.integers(0, 5000), st.integers(EPOCH - 5000, EPOCH - 1)
    ),
    st.sampled_from([1, 32, 128, 4096]),
)
@example(0, EPOCH - 20, 128)
@example(EPOCH - 21, EPOCH - 20, 128)
@example(EPOCH - 1, 0, 128)
@example(EPOCH, EPOCH - 1, 128)
@example(127, EPOCH - 1, 128)
@example(126 + EPOCH, EPOCH - 1, 128)
def test_the_inferred_number_is_the_least_not_below_the_window(
    highest: int, low: int, window: int
) -> None:
    """That is what both cases of appendix A2.2 come to."""
    expected = nearest_above_the_bottom(highest, low, window)
    assert infer_high(np.uint64(highest), low, window) == expected >> 32


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_a_stream_crosses_two_to_the_32(esp: Any, suite: Any) -> None:
    """Burst by burst, with replay windows, out of order and with losses; replays stay out."""
    sas = esp.table(esp.Form(suite.name, extended=True))
    windows, opener = ReplayWindows(), esp.opener(sas)
    windows.resume(0, EPOCH - 151)
    sequences = [n for n in range(EPOCH - 150, EPOCH + 150) if n % 7]
    sequences[::2], sequences[1::2] = sequences[1::2], sequences[::2]
    packets = [esp.ipv4(n.to_bytes(8)) for n in sequences]
    sealed = esp.seal(sas, packets, sequences)
    for at in range(0, len(sealed), 16):
        burst = sealed[at : at + 16]
        highest = windows.highest(np.zeros(len(burst), np.int32))
        lengths = np.array([len(each) for each in burst], np.int32)
        opened = opener.open_burst(
            np.frombuffer(b"".join(burst), np.uint8),
            np.cumsum(lengths, dtype=np.int64) - lengths,
            lengths,
            np.zeros(len(burst), np.int32),
            highest,
        )
        assert opened.sequences.tolist() == sequences[at : at + 16]
        for verdict in (Verdict.PASSED, Verdict.REPLAYED):
            verdicts = opened.verdicts.copy()
            windows.check_and_update(np.zeros(len(burst), np.int32), opened.sequences, verdicts)
            assert verdicts.tolist() == [verdict] * len(burst)


def test_a_number_of_the_wrong_epoch_is_no_authentic_packet(esp: Any) -> None:
    """The high half is not sent, but the ICV covers it."""
    sas = esp.table(esp.Form(extended=True))
    sealed = esp.seal(sas, [esp.ipv4(b"data")] * 2, [5, 5 + EPOCH])
    assert esp.open(sas, sealed, [1, 1])[1] == Verdict.ICV_FAILED
    assert esp.open(sas, sealed, [EPOCH, EPOCH])[0] == Verdict.ICV_FAILED


def test_sas_with_and_without_extended_numbers_share_a_burst(esp: Any) -> None:
    """Each has its own form of associated data."""
    sas = esp.table(esp.Form(), esp.Form(extended=True, spi=2), esp.Form(spi=3))
    packets = [esp.ipv4(bytes([n])) for n in range(9)]
    numbers = [0, 1, 2] * 3
    sequences = [7, 7 + EPOCH, 7] * 3
    sealed = esp.seal(sas, packets, sequences, numbers)
    assert esp.open(sas, sealed, sequences, numbers) == packets
