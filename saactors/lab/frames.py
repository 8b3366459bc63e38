"""Outcomes as a Polars frame: a row for each rule, trace, seed and number of slots."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

import polars as pl

from saactors.lab.outcome import Outcome

SCHEMA: Final = pl.Schema(
    {
        "trace": pl.String,
        "seed": pl.UInt64,  # null where no seed made the trace
        "profile": pl.String,
        "slots": pl.Int64,
        "slots_wanted": pl.String,  # as asked for, such as 10%; null: the profile's
        "rule": pl.String,
        "parameters": pl.String,  # resolved, as a JSON object
        "saving_percent": pl.Float64,  # of the achievable saving; null where there is none
        "optimum_kind": pl.String,
        "optimum_lower_ns": pl.Float64,
        "optimum_upper_ns": pl.Float64,
        "optimum_gap": pl.Float64,
        "never_ns": pl.Float64,
        "rule_ns": pl.Float64,
        "software_ns": pl.Float64,
        "nic_ns": pl.Float64,
        "loads_ns": pl.Float64,
        "offload_packets": pl.Float64,
        "offload_bytes": pl.Float64,
        "loads": pl.Int64,
        "loads_per_s": pl.Float64,
        "wasted_loads": pl.Int64,
        "refused": pl.Int64,
        "bypassed_loading": pl.Int64,
        "busiest_software_sa": pl.Int64,
        "busiest_software_ns": pl.Float64,
        "busiest_software_load": pl.Float64,  # of one core
        "latency_p50_ns": pl.Int64,
        "latency_p99_ns": pl.Int64,
        "packets": pl.Int64,
        "sas": pl.Int64,
        "duration_ns": pl.Int64,
        "wall_s": pl.Float64,
        "packets_per_s": pl.Float64,  # of the run itself
    }
)


def frame_of(outcomes: Iterable[Outcome]) -> pl.DataFrame:
    """A frame of ``SCHEMA`` with a row for each outcome, in their order."""
    return pl.DataFrame([_row(outcome) for outcome in outcomes], schema=SCHEMA, orient="row")


def _row(outcome: Outcome) -> list[object]:
    best = outcome.optimum
    elsewhere: dict[str, object] = {
        "parameters": json.dumps(dict(outcome.parameters)),
        "optimum_kind": best.kind if best else None,
        "optimum_lower_ns": best.lower_ns if best else None,
        "optimum_upper_ns": best.upper_ns if best else None,
        "optimum_gap": best.gap if best else None,
    }
    return [
        elsewhere[name] if name in elsewhere else getattr(outcome, name) for name in SCHEMA.names()
    ]
