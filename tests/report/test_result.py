"""The JSON object: the keys that users build on."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np

from saactors.report.result import HostTime, RuleUsed, RunResult

REQUIRED = {
    "packets": {"in", "out", "software", "nic", "bypass"},
    "bytes": {"in", "software", "nic"},
    "offload_ratio": {"packets", "bytes"},
    "host_time_ns": {"total", "all_software", "saved"},
    "latency_ns": {"software", "nic"},
    "verify": {"checked", "failed"},
    "lifetimes": {"soft_expired_sas", "hard_expired_sas"},
    "rule": {"name", "parameters", "calculation"},
}
PLAIN = {
    *("capture", "direction", "duration_ns", "wall_s", "seed", "profile", "slots_max", "streams"),
    *("sas", "drops", "loads", "evictions", "loads_refused", "loads_lost", "edges", "hottest"),
    *("outputs", "interrupted", "warnings"),
}


def test_the_object_has_exactly_the_promised_keys(result: RunResult) -> None:
    """Issue item 7, and what we added to it; a key that goes or comes must be changed here too."""
    found = result.to_json_object()
    assert set(found) == set(REQUIRED) | PLAIN
    for name, keys in REQUIRED.items():
        assert set(found[name]) == keys, name
    for latency in found["latency_ns"].values():
        assert set(latency) == {"p50", "p99", "p999"}
    for edge in found["edges"].values():
        assert set(edge) == {"capacity", "high_water", "waits", "waited_ns"}
    for sa in found["hottest"]:
        assert {"sa", "spi", "source", "destination", "metric", "residency", "loads"} <= set(sa)


def test_the_object_is_strict_json(result: RunResult) -> None:
    """No NaN, no Infinity, nothing that json cannot write, even from careless figures."""
    rule = RuleUsed(name="metric", parameters={"threshold": math.inf, "bonus": np.float32(0.5)})
    careless = dataclasses.replace(result, rule=rule, loads=np.int64(18))
    text = json.dumps(careless.to_json_object(), allow_nan=False)
    found = json.loads(text)
    assert found["rule"]["parameters"] == {"threshold": None, "bonus": 0.5}
    assert found["loads"] == 18


def test_only_reasons_that_dropped_a_packet_are_listed(result: RunResult) -> None:
    """The fixture's drops name a reason with no packets, too."""
    assert set(result.drops) == {"rx_ring_full", "not_ip"}
    assert set(result.to_json_object()["drops"]) == {"rx_ring_full"}


def test_a_component_without_packets_has_no_latency(result: RunResult) -> None:
    """Null, not 0."""
    found = dataclasses.replace(result, nic_latency=None).to_json_object()
    assert found["latency_ns"]["nic"] == {"p50": None, "p99": None, "p999": None}


def test_the_offload_ratio_counts_packets_that_needed_crypto(result: RunResult) -> None:
    """Bypassed packets make it neither better nor worse; no packets at all is 0, not an error."""
    packets = dataclasses.replace(result.packets, software=25, nic=75, bypass=1000)
    assert dataclasses.replace(result, packets=packets).packets_offloaded == 0.75
    none = dataclasses.replace(result.packets, software=0, nic=0)
    assert dataclasses.replace(result, packets=none).packets_offloaded == 0.0


def test_host_time_saved_may_be_negative() -> None:
    """Loads can cost more than they bring, and the figures say so."""
    assert HostTime(total_ns=150.0, all_software_ns=100.0).saved_ns == -50.0
