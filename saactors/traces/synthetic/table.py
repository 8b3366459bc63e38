"""Every traffic model by name: the one place that knows them all.

    trace = synthesise("zipf", {"sas": 1000, "exponent": 1.2}, seed=1)
    trace = synthesise(*read_synth_text("zipf,sas=1000,exponent=1.2"), seed=1)

The same model, parameters and seed give the same columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from saactors.errors import ParameterError
from saactors.traces.columns import TraceColumns, trace_columns
from saactors.traces.synthetic.adversaries import (
    AllAdversaries,
    OnePacket,
    Scan,
    Threshold,
    Uniform,
)
from saactors.traces.synthetic.bursts import OnOff
from saactors.traces.synthetic.flow_sizes import FLOW_SIZES
from saactors.traces.synthetic.flows import Flows
from saactors.traces.synthetic.parameters import Model, expected_names
from saactors.traces.synthetic.presets import Branch, RemoteAccess, SecurityGateway
from saactors.traces.synthetic.steady import Rekeying, Zipf, ZipfChurn

SYNTH_PREFIX: Final = "synth:"
SEED_MAX: Final = 2**64 - 1


class Parameter(NamedTuple):
    """A parameter of a model, for people."""

    name: str
    unit: str
    default: str
    why: str  # the reason for that default; says so where the figure is an assumption


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """What the table knows of a model."""

    summary: str  # what it does, in two lines
    source: str  # where the idea is from
    model: type[Model]
    preset: bool = False  # a model under another name, with the figures of an installation

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters, each with unit, default and the reason for the default."""
        return tuple(
            Parameter(
                field.name,
                field.metadata["unit"],
                str(field.default),
                ("Assumption: " if field.metadata["assumed"] else "") + field.metadata["why"],
            )
            for field in fields(self.model)
        )


MODELS: Final[Mapping[str, ModelEntry]] = MappingProxyType(
    {
        "zipf": ModelEntry(
            "Each packet's SA is drawn by Zipf weights, independently;\n"
            "arrivals are Poisson, and the popular stay popular.",
            "the independent reference model of cache studies",
            Zipf,
        ),
        "zipf-churn": ModelEntry(
            "Zipf traffic in which SAs are replaced by fresh ones at a rate;\n"
            "a newcomer takes over the popularity of the one who leaves.",
            "the independent reference model with arrivals and departures",
            ZipfChurn,
        ),
        "on-off": ModelEntry(
            "Each SA sends in Pareto distributed bursts, within sessions of seconds;\n"
            "bursty at every time scale, and who is hot changes all the time.",
            "Willinger et al., Self-similarity through high-variability, 1997",
            OnOff,
        ),
        "rekeying": ModelEntry(
            "Zipf traffic of tunnels whose SAs are replaced at the end of a jittered lifetime;\n"
            "the trace names each SA's predecessor. With exponent=0 all tunnels are alike.",
            "RFC 7296 §2.8; rekey_time and rand_time of strongSwan's swanctl.conf",
            Rekeying,
        ),
        "flows": ModelEntry(
            "Paced flows with sizes from a published distribution, an SA per host pair;\n"
            "flows arrive by a Poisson process, pairs by Zipf weights.",
            "; ".join(f"{name}: {sizes.source}" for name, sizes in FLOW_SIZES.items()),
            Flows,
        ),
        "uniform": ModelEntry(
            "Adversary: each packet's SA is any of all, evenly;\n"
            "no SA is worth more than another, so loads only cost.",
            "the independent reference model without skew",
            Uniform,
        ),
        "scan": ModelEntry(
            "Adversary: SAs send in a circle;\n"
            "with one slot too few, least-recently-used misses every time.",
            "the sequential scan of cache studies",
            Scan,
        ),
        "one-packet": ModelEntry(
            "Adversary: each SA sends one packet;\nwhatever is loaded never comes back.",
            "a port scan through a gateway with an SA per flow",
            OnePacket,
        ),
        "threshold": ModelEntry(
            "Adversary: each SA sends exactly so many packets, then falls silent;\n"
            "a rule that loads at that threshold always loads too late.",
            "the lower bound of ski rental: Karlin et al., Competitive snoopy caching, 1988",
            Threshold,
        ),
        "branch": ModelEntry(
            "Preset of flows: a branch office with a few dozen tunnels;\n"
            "users' flows of the campus distribution.",
            "the tunnels of cloud gateways; campus-2015",
            Branch,
            preset=True,
        ),
        "remote-access": ModelEntry(
            "Preset of rekeying: thousands of thin tunnels that differ little;\n"
            "their SAs are replaced at the end of a jittered lifetime.",
            "see rekeying",
            RemoteAccess,
            preset=True,
        ),
        "secgw": ModelEntry(
            "Preset of on-off: a mobile operator's security gateway;\n"
            "tens of thousands of SAs in bursts, packets of the 5G/4G size mix.",
            "see on-off; the size mix of a public tunnel benchmark",
            SecurityGateway,
            preset=True,
        ),
        "adversary": ModelEntry(
            "Preset of all adversaries at once, each on SAs of its own:\n"
            "uniform, scan, one-packet and threshold get a quarter of the packets each.",
            "see uniform, scan, one-packet and threshold",
            AllAdversaries,
            preset=True,
        ),
    }
)


def synthesise(model: str, parameters: Mapping[str, object], seed: int) -> TraceColumns:
    """Traffic of the model or preset of that name; see ``MODELS``.

    Raises:
        ParameterError: no such model or parameter, or a value of the wrong kind or out of range;
            its ``name`` is that of the parameter.
    """
    if model not in MODELS:
        raise ParameterError("model", model, expected_names(model, list(MODELS)))
    if not 0 <= seed <= SEED_MAX:
        raise ParameterError("seed", seed, f"a whole number, 0 to {SEED_MAX}")
    drawn = MODELS[model].model.from_mapping(parameters)
    # Each model has random numbers of its own, whatever the seed.
    rng = np.random.Generator(np.random.PCG64([seed, *model.encode()]))
    return trace_columns(synth_text(model, parameters), *drawn.generate(rng))


def synth_text(model: str, parameters: Mapping[str, object]) -> str:
    """The traffic in words that ``read_synth_text`` takes: ``synth:zipf,sas=1000``."""
    given = (f"{name}={value}" for name, value in parameters.items())
    return SYNTH_PREFIX + ",".join([model, *given])


def read_synth_text(text: str) -> tuple[str, dict[str, str]]:
    """Model and parameters from ``zipf,sas=1000``, with or without the prefix ``synth:``.

    Raises:
        ParameterError: a part that is no ``name=value``.
    """
    model, *given = text.removeprefix(SYNTH_PREFIX).split(",")
    return model.strip(), read_assignments(given)


def read_assignments(texts: Iterable[str]) -> dict[str, str]:
    """Parameters from texts such as ``sas=1000``.

    Raises:
        ParameterError: one that is no ``name=value``, or names a parameter again.
    """
    given: dict[str, str] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            raise ParameterError("parameter", text, "name=value, for instance sas=1000")
        if name in given:
            raise ParameterError(name, value, f"one value, not {given[name]} too")
        given[name] = value
    return given
