"""Every model of synthetic traffic: what all have in common."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.errors import ParameterError
from saactors.model.packets import NO_SA
from saactors.traces.columns import TraceColumns
from saactors.traces.synthetic.parameters import Model
from saactors.traces.synthetic.sizes import MIXES
from saactors.traces.synthetic.table import MODELS, read_synth_text, synth_text, synthesise

COLUMNS = ("time_ns", "sa", "length_bytes", "chunk_stops", "predecessors")
# Figures that somebody else has measured or uses need no "assumption", but a name.
SOURCES = re.compile(r"strongSwan|cloud gateways")


def columns_of(trace: TraceColumns) -> list[bytes]:
    """All that a trace is, but its name."""
    return [getattr(trace, name).tobytes() for name in COLUMNS]


@pytest.mark.parametrize("model", MODELS)
def test_the_same_seed_makes_the_same_bytes(model: str) -> None:
    """And another seed makes others: law 7 begins with the traffic."""
    first = synthesise(model, {"packets": 5000}, seed=7)
    again = synthesise(model, {"packets": 5000}, seed=7)
    other = synthesise(model, {"packets": 5000}, seed=8)
    assert columns_of(first) == columns_of(again)
    assert columns_of(first) != columns_of(other)


@pytest.mark.parametrize("model", MODELS)
@settings(deadline=None, max_examples=25)
@given(
    packets=st.integers(1, 3000), packets_per_s=st.floats(1, 1e8), seed=st.integers(0, 2**64 - 1)
)
def test_a_trace_is_well_formed(model: str, packets: int, packets_per_s: float, seed: int) -> None:
    """As many packets as asked for, in order, SAs numbered by their first packets."""
    asked = {"packets": packets, "packets_per_s": packets_per_s}
    if model in ("on-off", "secgw"):
        asked["sas"] = 50  # that a trace of an hour may have, too
    trace = synthesise(model, asked, seed)
    assert len(trace) == packets
    assert trace.time_ns[0] == 0
    assert (np.diff(trace.time_ns) >= 0).all()
    _, first_rows = np.unique(trace.sa, return_index=True)
    assert trace.sa[np.sort(first_rows)].tolist() == list(range(trace.sa_count))
    assert 28 <= trace.length_bytes.min() <= trace.length_bytes.max() <= 1500
    assert trace.chunk_stops.tolist() == [packets]


@pytest.mark.parametrize("model", MODELS)
def test_packets_come_at_the_rate_asked_for(model: str) -> None:
    """On average over the trace; within 2 % that is no accident of the seed."""
    trace = synthesise(model, {"packets": 200_000, "packets_per_s": 40_000}, seed=1)
    assert trace.duration_ns == pytest.approx(5e9, rel=0.02)


@pytest.mark.parametrize("model", MODELS)
def test_every_figure_of_the_list_has_a_source_or_is_called_an_assumption(model: str) -> None:
    """Nobody is to take our guesses for measurements."""
    for parameter in MODELS[model].parameters:
        told = parameter.why
        assert told.startswith("Assumption: ") or SOURCES.search(told), (parameter.name, told)
    assert MODELS[model].source
    assert MODELS[model].summary.count("\n") == 1


@pytest.mark.parametrize("model", MODELS)
def test_every_default_is_within_its_own_range(model: str) -> None:
    """What ``--list`` shows can be typed back as it stands."""
    typed = {parameter.name: parameter.default for parameter in MODELS[model].parameters}
    assert MODELS[model].model.from_mapping(typed) == MODELS[model].model()


@pytest.mark.parametrize(("sizes", "mean_bytes"), [("mobile", 370.4), ("imix", 340.3)])
def test_packet_sizes_have_the_mean_of_their_mix(sizes: str, mean_bytes: float) -> None:
    """Means worked out from the published weights; every size of the mix comes up."""
    trace = synthesise("zipf", {"packets": 500_000, "sizes": sizes}, seed=2)
    assert trace.length_bytes.mean() == pytest.approx(mean_bytes, rel=0.01)
    assert tuple(np.unique(trace.length_bytes)) == MIXES[sizes].lengths_bytes


def test_a_fixed_size_is_that_of_every_packet() -> None:
    """For studies in which size is to play no part."""
    trace = synthesise("uniform", {"packets": 100, "sizes": "fixed:1400"}, seed=2)
    assert np.unique(trace.length_bytes).tolist() == [1400]


@pytest.mark.parametrize(
    ("model", "given", "name"),
    [
        ("zopf", {}, "model"),
        ("zipf", {"alpha": 1}, "parameter"),
        ("zipf", {"packets": 0}, "packets"),
        ("zipf", {"packets": 1.5}, "packets"),
        ("zipf", {"packets": True}, "packets"),
        ("zipf", {"packets": "many"}, "packets"),
        ("zipf", {"packets": "inf"}, "packets"),
        ("zipf", {"packets": [1]}, "packets"),
        ("zipf", {"packets_per_s": 0.0}, "packets_per_s"),
        ("zipf", {"packets_per_s": float("nan")}, "packets_per_s"),
        ("zipf", {"packets_per_s": 10**400}, "packets_per_s"),
        ("zipf", {"packets": 2000, "packets_per_s": 0.001}, "packets_per_s"),
        ("zipf", {"exponent": -1}, "exponent"),
        ("zipf", {"sizes": "jumbo"}, "sizes"),
        ("zipf", {"sizes": "fixed:27"}, "sizes"),
        ("zipf", {"sizes": "fixed:²⁸"}, "sizes"),
        ("zipf", {"sizes": 1400}, "sizes"),
        ("zipf-churn", {"churn_per_s": 6e6}, "churn_per_s"),
        ("rekeying", {"jitter": 1.0}, "jitter"),
        ("rekeying", {"lifetime_ns": "5"}, "lifetime_ns"),
        ("on-off", {"shape": 1}, "shape"),
        ("on-off", {"phase_min_ns": "2s", "phase_max_ns": "1s"}, "phase_min_ns"),
        ("on-off", {"sas": 80_000}, "sas"),
        ("flows", {"distribution": "webserch"}, "distribution"),
        ("threshold", {"threshold": 0}, "threshold"),
    ],
)
def test_what_cannot_be_is_refused_by_name(model: str, given: dict[str, Any], name: str) -> None:
    """The error says which parameter, so that a command line can name its option."""
    with pytest.raises(ParameterError) as refused:
        synthesise(model, given, seed=0)
    assert refused.value.name == name


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_out_of_range_is_refused(seed: int) -> None:
    """Seeds are those of every other command."""
    with pytest.raises(ParameterError, match="seed"):
        synthesise("zipf", {}, seed)


def test_values_may_be_typed_as_people_type_them() -> None:
    """Exponents, underscores, units of time."""
    typed = MODELS["rekeying"].model.from_mapping(
        {"packets": "2e3", "sas": "1_000", "lifetime_ns": "1.5s", "jitter": "0"}
    )
    exact: Model = MODELS["rekeying"].model.from_mapping(
        {"packets": 2000, "sas": np.int32(1000), "lifetime_ns": 1_500_000_000, "jitter": 0.0}
    )
    assert typed == exact


def test_a_trace_is_named_by_words_that_make_it_again() -> None:
    """``synth:`` texts stand for traffic wherever a trace is asked for."""
    given = {"packets": 500, "exponent": 1.2}
    trace = synthesise("zipf", given, seed=3)
    assert trace.name == synth_text("zipf", given) == "synth:zipf,packets=500,exponent=1.2"
    again = synthesise(*read_synth_text(trace.name), seed=3)
    assert columns_of(again) == columns_of(trace)


@pytest.mark.parametrize("text", ["synth:zipf,", "zipf,sas", "zipf,=3", "zipf,sas=1,sas=2"])
def test_words_that_assign_nothing_are_refused(text: str) -> None:
    """A comma too many is a parameter forgotten."""
    with pytest.raises(ParameterError):
        read_synth_text(text)


def test_only_rekeying_names_predecessors() -> None:
    """Whoever sees one may pass on what the old SA has earned."""
    for model in MODELS:
        trace = synthesise(model, {"packets": 3000, "packets_per_s": 300}, seed=4)
        has_heirs = model in ("rekeying", "remote-access")
        assert (trace.predecessors != NO_SA).any() == has_heirs, model
