"""A profile takes figures that describe a card, names what is wrong with others, and explains."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from nicmodel.errors import ModelError, ProfileError
from nicmodel.presets import HOST, PROFILES
from nicmodel.profile import CardProfile, HostProfile, customised, describe

CARD = PROFILES["82599"]


def test_a_profile_cannot_be_changed() -> None:
    """Card, rule and report read one and the same profile."""
    with pytest.raises(FrozenInstanceError):
        CARD.slots_max = 1  # type: ignore[misc]  # the very thing under test


@pytest.mark.parametrize(
    ("field", "found", "expected"),
    [
        ("slots_max", 0, "a whole number, at least 1"),
        ("slots_max", 2.0, "a whole number, at least 1"),
        ("slots_max", True, "a whole number, at least 1"),
        ("slots_max", "33", "a whole number, at least 1"),
        ("load_latency_ns", -1, "a whole number, at least 0"),
        ("loads_at_once", 0, "a whole number, at least 1"),
        ("load_queue_max", -1, "a whole number, at least 0"),
        ("engine_queue_packets_max", 0, "a whole number, at least 1"),
        ("engine_byte_ns", -0.1, "a number, at least 0"),
        ("engine_packet_ns", float("nan"), "a number, at least 0"),
        ("nic_packet_ns", float("inf"), "a number, at least 0"),
        ("nic_byte_ns", False, "a number, at least 0"),
        ("load_blocks_engine", 1, "true or false"),
        ("load_full", "drop", "one of refuse, wait"),
        ("load_latency_distribution", "normal", "one of fixed, uniform, exponential, lognormal"),
        ("slot_max", 5, "one of name, slots_max"),
    ],
)
def test_a_figure_that_no_card_has_is_named(field: str, found: object, expected: str) -> None:
    """The error carries field, value and range, and says all three."""
    with pytest.raises(ProfileError) as caught:
        customised(CARD, **{field: found})
    assert expected in caught.value.expected
    assert expected in str(caught.value)
    assert field in str(caught.value)
    if field != "slot_max":
        assert caught.value.field == field
        assert repr(caught.value.found) == repr(found)
    assert isinstance(caught.value, ModelError)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("distribution", "shape", "fits"),
    [
        ("fixed", 0.0, True),
        ("fixed", 0.5, False),
        ("uniform", 1.0, True),
        ("uniform", 0.0, False),
        ("uniform", 1.1, False),
        ("exponential", 0.0, True),
        ("exponential", 1.0, False),
        ("lognormal", 0.5, True),
        ("lognormal", 0.0, False),
        ("pareto", 1.5, True),
        ("pareto", 1.0, False),
    ],
)
def test_the_shape_must_fit_its_distribution(distribution: str, shape: float, fits: bool) -> None:
    """A shape that would do nothing, or leave the latency without a mean, is refused."""
    changes: dict[str, Any] = {
        "load_latency_distribution": distribution,
        "load_latency_shape": shape,
    }
    if fits:
        assert customised(CARD, **changes).load_latency_shape == shape
    else:
        with pytest.raises(ProfileError, match="load_latency_shape"):
            customised(CARD, **changes)


def test_a_timeout_shorter_than_a_load_is_refused() -> None:
    """With such a card every load would be lost."""
    with pytest.raises(ProfileError, match=r"load_timeout_ns.*at least load_latency_ns \(2550\)"):
        customised(CARD, load_timeout_ns=2549)
    assert customised(CARD, load_timeout_ns=2550).load_timeout_ns == 2550


def test_host_figures_are_checked_too() -> None:
    """Software crypto does not run in negative time."""
    with pytest.raises(ProfileError, match="software_byte_ns"):
        HostProfile(name="odd", software_packet_ns=1, software_byte_ns=-1)


def test_a_description_lists_every_figure_with_unit_and_source() -> None:
    """What ``describe`` leaves out could not be questioned."""
    rows = {row.field: row for row in describe(CARD)}
    assert set(rows) == {field.name for field in fields(CardProfile)} - {"name", "sources"}
    assert rows["slots_max"].value == 1024
    assert rows["slots_max"].unit == "SAs"
    assert rows["load_latency_ns"].unit == "ns"
    assert "IXGBE_IPSEC_MAX_SA_COUNT" in rows["slots_max"].source


def test_a_customised_figure_loses_its_source_and_the_others_keep_theirs() -> None:
    """A user's number must not look like a data sheet's."""
    rows = {row.field: row for row in describe(customised(CARD, name="mine", slots_max=64))}
    assert rows["slots_max"].value == 64
    assert rows["slots_max"].source == "given by the user"
    assert "ixgbe_ipsec" in rows["load_latency_ns"].source


@pytest.mark.parametrize("profile", [*PROFILES.values(), HOST], ids=lambda profile: profile.name)
def test_every_figure_of_a_preset_has_a_source(profile: CardProfile | HostProfile) -> None:
    """No number of ours comes from nowhere."""
    for row in describe(profile):
        assert row.source not in ("", "given by the user"), row.field
    assert set(profile.sources) == {row.field for row in describe(profile)}


def test_the_presets_are_the_cards_that_the_design_cites() -> None:
    """Slots and load latencies as Linux's drivers have them; names are keys."""
    assert {name: card.slots_max for name, card in PROFILES.items()} == {
        "82599": 1024,
        "netdevsim": 33,
        "nfp": 16_384,
        "connectx6": 32_768,
    }
    assert PROFILES["82599"].load_latency_ns == 2550
    assert PROFILES["nfp"].load_latency_ns == 54_400
    assert PROFILES["connectx6"].load_latency_ns == 91_000
    assert all(card.name == name for name, card in PROFILES.items())


def test_host_costs_add_up_to_the_measured_packet_of_1500_bytes() -> None:
    """2.0 µs in software, 0.80 with crypto offload, 0.43 with packet offload (the cover letter)."""
    assert HOST.software_packet_ns + 1500 * HOST.software_byte_ns == pytest.approx(2000)
    for name, cost_ns in (("82599", 800), ("netdevsim", 800), ("nfp", 800), ("connectx6", 430)):
        card = PROFILES[name]
        assert card.nic_packet_ns + 1500 * card.nic_byte_ns == pytest.approx(cost_ns)


@pytest.mark.parametrize("card", PROFILES.values(), ids=lambda card: card.name)
def test_a_preset_saves_host_time_for_every_size_of_packet(card: CardProfile) -> None:
    """Otherwise no rule could ever earn anything with that card."""
    for length in (20, 64, 576, 1500, 9000):
        software_ns = HOST.software_packet_ns + length * HOST.software_byte_ns
        assert software_ns > card.nic_packet_ns + length * card.nic_byte_ns
