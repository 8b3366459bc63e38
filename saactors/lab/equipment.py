"""The card of a comparison: a profile, other figures, and as many slots as a trace calls for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

from nicmodel.errors import ProfileError
from nicmodel.presets import PROFILES
from nicmodel.profile import CardProfile, customised
from saactors.errors import ParameterError

Slots = int | str  # a count, or a share of the trace's SAs such as "10%"

_PERCENT_MAX: Final = 10_000  # more slots than SAs serve nobody


def card_of(profile: str, changes: Mapping[str, object] | None = None) -> CardProfile:
    """The card of that profile, with other figures.

    Raises:
        ParameterError: no such profile, no such figure, or a value that it cannot have.
    """
    if profile not in PROFILES:
        raise ParameterError("profile", profile, f"one of {', '.join(PROFILES)}")
    if not changes:
        return PROFILES[profile]
    return _changed(PROFILES[profile], {"name": f"{profile} (changed)", **changes})


def with_slots(card: CardProfile, slots: int) -> CardProfile:
    """The same card with that many slots; it keeps its name, for every result tells the slots.

    Raises:
        ParameterError: less than one slot.
    """
    return card if card.slots_max == slots else _changed(card, {"slots_max": slots})


def cards_for(
    wanted: Sequence[Slots], card: CardProfile, sas: int
) -> Iterator[tuple[str | None, CardProfile]]:
    """The card with each wanted number of slots for a trace of so many SAs; as it is if none is.

    A share is rounded up, to one slot at least.

    Raises:
        ParameterError: neither a count above 0 nor a percentage above 0.
    """
    check_slots(wanted)
    if not wanted:
        yield None, card
    for one in dict.fromkeys(wanted):
        slots = one if isinstance(one, int) else max(1, math.ceil(_percent(one) * sas / 100))
        yield str(one), with_slots(card, slots)


def check_slots(wanted: Sequence[Slots]) -> None:
    """Raises ParameterError for what is neither a count above 0 nor a percentage above 0."""
    for one in wanted:
        if (one if isinstance(one, int) else _percent(one)) <= 0:
            raise ParameterError("slots", one, "a whole number above 0, or a percentage as in 10%")


def _percent(text: str) -> Decimal:
    """10% as 10, exactly; 0 for what is no percentage."""
    try:
        percent = Decimal(text.removesuffix("%")) if text.endswith("%") else Decimal(0)
    except InvalidOperation:
        return Decimal(0)
    return percent if percent.is_finite() and percent < _PERCENT_MAX else Decimal(0)


def _changed(card: CardProfile, figures: Mapping[str, object]) -> CardProfile:
    try:
        return customised(card, **figures)
    except ProfileError as problem:
        raise ParameterError(problem.field, problem.found, problem.expected) from None
