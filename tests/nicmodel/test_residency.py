"""The SA cache moves SAs by its table and by nothing else."""

from __future__ import annotations

import itertools
import re

import pytest

from nicmodel.residency import (
    TRANSITIONS,
    Happening,
    Residency,
    SaCache,
    after,
    drawing,
)


@pytest.mark.parametrize(
    ("residency", "happening"), list(itertools.product(Residency, Happening)), ids=str
)
def test_what_the_table_does_not_have_cannot_happen(
    residency: Residency, happening: Happening
) -> None:
    """An illegal transition is a defect, and the message names both halves."""
    if (residency, happening) in TRANSITIONS:
        assert after(residency, happening) == TRANSITIONS[residency, happening]
    else:
        with pytest.raises(AssertionError, match=f"{happening.name}.*{residency.name}"):
            after(residency, happening)


def test_only_a_completed_load_leads_to_resident() -> None:
    """Law 4: an SA encrypts on the card only while RESIDENT."""
    ways = [way for way, following in TRANSITIONS.items() if following == Residency.RESIDENT]
    assert ways == [(Residency.LOADING, Happening.LOADED)]


def test_every_state_can_be_reached_and_left() -> None:
    """No SA is stuck on the card for good."""
    assert {residency for residency, _ in TRANSITIONS} == set(Residency)
    assert set(TRANSITIONS.values()) == set(Residency)


def test_the_drawing_shows_exactly_the_table() -> None:
    """The documentation is made from it; an arrow per transition and none besides."""
    arrows = re.findall(r"^    (\w+) --> (\w+): (\w+)$", drawing(), re.MULTILINE)
    drawn = {
        (Residency[source], Happening[label.upper()]): Residency[target]
        for source, target, label in arrows
    }
    assert drawn == dict(TRANSITIONS)
    assert drawing().startswith("stateDiagram-v2\n    [*] --> ABSENT\n")


def test_a_cache_refuses_to_hold_more_than_its_slots() -> None:
    """The last line of defence for law 4, whatever the card above decides."""
    cache = SaCache(1)
    cache.begin_load(7, in_place=False)
    with pytest.raises(AssertionError, match="2 SAs in 1 slots"):
        cache.begin_load(8, in_place=False)


def test_a_cache_grows_with_its_handles_and_forgets_nobody() -> None:
    """Handles are indices of SAs: dense, and up to millions."""
    cache = SaCache(3)
    for handle in (3, 63, 1_000_000):
        cache.begin_load(handle, in_place=False)
        cache.end(handle, Happening.LOADED, frees_slot=False)
    assert cache.residents().tolist() == [3, 63, 1_000_000]
    assert cache.residency(2_000_000) == Residency.ABSENT
    assert cache.residency(-1) == Residency.ABSENT
    assert cache.slots_free == 0
