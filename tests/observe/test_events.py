"""The vocabulary: what an event may hold."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import get_type_hints

import pytest

from saactors.observe.events import (
    EVENTS,
    FIELDS,
    USUAL_EVENTS,
    VERBOSE_EVENTS,
    Event,
    LoadIssued,
    SaAdded,
    Scalar,
    reason_to_replace,
)

# Law 10: numbers, text, and flat mappings of those. Nothing that could be key bytes.
ALLOWED = {int, float, str, int | None, Mapping[str, Scalar]}


@pytest.mark.parametrize("event_type", EVENTS.values(), ids=EVENTS.keys())
def test_no_field_of_an_event_can_hold_bytes(event_type: type[Event]) -> None:
    """A key in an event would have to be bytes or an array: no annotation admits either."""
    hints = get_type_hints(event_type)
    assert {hints[name] for name in FIELDS[event_type.kind]} <= ALLOWED


@pytest.mark.parametrize("event_type", EVENTS.values(), ids=EVENTS.keys())
def test_no_field_is_named_after_a_secret(event_type: type[Event]) -> None:
    """Nor is there a field that asks for one, as text or as a number."""
    assert not [name for name in FIELDS[event_type.kind] if re.search("key|salt|secret", name)]


@pytest.mark.parametrize("event_type", EVENTS.values(), ids=EVENTS.keys())
def test_events_are_frozen_slotted_and_begin_with_their_time(event_type: type[Event]) -> None:
    """Listeners share one object, so none of them can change it for the others."""
    assert event_type.__dataclass_params__.frozen
    assert not hasattr(event_type, "__dict__") or "__slots__" in vars(event_type)
    assert dataclasses.fields(event_type)[0].name == "time_ns"


def test_kinds_are_the_table_s_keys_in_snake_case() -> None:
    """The table is what users name kinds by."""
    assert all(re.fullmatch("[a-z]+(_[a-z]+)*", kind) for kind in EVENTS)
    assert [event_type.kind for event_type in EVENTS.values()] == list(EVENTS)


def test_verbose_events_are_told_only_to_those_who_ask() -> None:
    """An event per burst or per period would drown the rest."""
    assert {event_type.kind for event_type in VERBOSE_EVENTS} == {
        "tick",
        "burst_placed",
        "burst_handled",
        "edge_depth",
        "metric_sampled",
        "packet_traced",
    }
    assert frozenset(EVENTS.values()) == USUAL_EVENTS | VERBOSE_EVENTS


def test_an_event_cannot_be_changed() -> None:
    """Frozen means frozen."""
    event = SaAdded(0, 0, 1, "aes-gcm-128", "tunnel", "out", "10.0.0.1", "10.0.0.2")
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.spi = 2


def test_a_load_names_both_metrics_the_threshold_the_saving_and_the_load_cost() -> None:
    """Issue item 8: an eviction or a load carries its reason."""
    needed = {"metric", "victim_metric", "threshold", "saving_ns", "load_host_ns", "reason"}
    assert needed <= set(FIELDS[LoadIssued.kind])
    needed = {"metric", "successor_metric", "threshold", "saving_ns", "load_host_ns", "reason"}
    assert needed <= set(FIELDS["evicted"])


def test_the_metric_rule_s_reason_reads_as_a_comparison() -> None:
    """Whole numbers stay whole; a free slot is named as such."""
    assert (
        reason_to_replace(812.0, 310.0, 500.0, slot_free=False)
        == "metric 812 ≥ lowest 310 + threshold 500"
    )
    assert (
        reason_to_replace(12.25, 0.0, 12.0, slot_free=True)
        == "metric 12.25 ≥ free slot's 0 + threshold 12"
    )
