"""Keys derived from a seed: the same whatever else was asked for, and different between seeds."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.esp.keys import derive_keys


@settings(deadline=None)  # the first example compiles
@given(st.integers(0, 2**64), st.integers(0, 10**9), st.integers(0, 40), st.integers(0, 40))
def test_a_row_does_not_depend_on_how_many_were_asked_for(
    seed: int, first: int, before: int, count: int
) -> None:
    """Row i is byte 36 i of one key stream."""
    together = derive_keys(seed, first, before + count)
    assert together.shape == (before + count, 36)
    assert np.array_equal(together[before:], derive_keys(seed, first + before, count))


def test_keys_of_different_sas_and_seeds_differ() -> None:
    """No row occurs twice among 3 seeds of 5000 SAs."""
    rows = np.concatenate([derive_keys(seed, 0, 5000) for seed in (0, 1, -1)])
    assert len(np.unique(rows, axis=0)) == len(rows)


def test_the_keys_of_a_seed_are_the_same_in_every_version() -> None:
    """A capture and its key table made from one seed can be made again."""
    digest = sha256(derive_keys(1, 0, 1000).tobytes()).hexdigest()
    assert digest == "9d3d8d431ec8f835f8698b6401659abc120337eaf1848fbbce2eb8c1611be216"
