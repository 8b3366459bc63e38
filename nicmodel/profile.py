"""What a card is: slots, latencies, rates and queues, and what its use costs the host.

A profile is figures only; ``nicmodel.card`` turns them into behaviour and ``nicmodel.presets`` has
the cards we know. A figure knows its unit, the values it may take and, in ``sources``, where it
comes from; ``describe`` lists all of that for people.

How the figures act:

- A load takes ``load_latency_ns`` once it runs; ``loads_at_once`` run side by side, and
  ``load_queue_max`` more commands may wait on the card. Beyond that the driver does what
  ``load_full`` says: give up for now (``refuse``) or wait (``wait``, which is backpressure).
- The engine serves packets one after the other, a packet of b bytes (its IP packet) in
  ``engine_packet_ns + b * engine_byte_ns``, both taken to the picosecond. For a rate of p packets/s
  the first is 1e9 / p; for a link of g Gb/s the second is 8 / g, and the Ethernet overhead of 38
  bytes a packet (preamble, header, frame check sequence and gap, IEEE 802.3 §4.4.2) belongs to the
  first.
- A packet costs the host ``nic_packet_ns + b * nic_byte_ns`` if the card encrypts it and
  ``software_packet_ns + b * software_byte_ns`` if not; a load costs it ``load_host_ns``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from nicmodel.errors import ProfileError

LOAD_FULL: Final = ("refuse", "wait")

# The distributions of the load latency, and what ``load_latency_shape`` is to each. The mean is
# ``load_latency_ns`` for all, so that a study of the spread leaves the cost of a load alone.
DISTRIBUTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "fixed": "0 (fixed has no shape)",
        "uniform": "a half width, as a part of the mean: more than 0, at most 1",
        "exponential": "0 (exponential has no shape)",
        "lognormal": "the standard deviation of the latency's logarithm: more than 0",
        "pareto": "the tail index: more than 1, or there is no mean",
    }
)


# Of any type, as dataclasses.field is.
def _figure(unit: str, *, least: float = 0, default: object = None) -> Any:  # noqa: ANN401
    """A field with its unit and its least value."""
    metadata = {"unit": unit, "least": least}
    if default is None:
        return field(metadata=metadata)
    return field(metadata=metadata, default=default)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardProfile:
    """A card in figures. Raises ProfileError for figures that describe no card."""

    name: str
    slots_max: int = _figure("SAs", least=1)
    context_bytes: int = _figure("bytes", least=1)  # of one SA on the card
    load_latency_ns: int = _figure("ns")  # from the fetch's start until the card may use the SA
    load_timeout_ns: int = _figure("ns", least=1)  # when the driver gives a load up for lost
    load_host_ns: int = _figure("ns")  # host time that a load costs
    loads_at_once: int = _figure("loads", least=1)
    load_queue_max: int = _figure("loads")  # commands that wait on the card beyond those
    engine_packet_ns: float = _figure("ns/packet")
    engine_byte_ns: float = _figure("ns/byte")
    engine_queue_packets_max: int = _figure("packets", least=1)
    nic_packet_ns: float = _figure("ns/packet")  # HOST time of a packet that the card encrypts
    nic_byte_ns: float = _figure("ns/byte")  # ditto
    load_full: str = _figure("", default="wait")
    load_blocks_engine: bool = _figure("", default=False)  # no new packet starts during a fetch
    load_latency_distribution: str = _figure("", default="fixed")
    load_latency_shape: float = _figure("", default=0.0)
    sources: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def loads_outstanding_max(self) -> int:
        """Load commands that a driver may have unanswered at any time.

        A card whose driver gives up when the load queue is full never sees more than it has room
        for; one whose driver waits may be asked for as many loads as it has slots.
        """
        if self.load_full == "wait":
            return self.slots_max
        return self.loads_at_once + self.load_queue_max

    def __post_init__(self) -> None:
        _check_figures(self)
        _check_choice("load_full", self.load_full, LOAD_FULL)
        _check_choice(
            "load_latency_distribution", self.load_latency_distribution, tuple(DISTRIBUTIONS)
        )
        if not _shape_fits(self.load_latency_distribution, self.load_latency_shape):
            raise ProfileError(
                "load_latency_shape",
                self.load_latency_shape,
                DISTRIBUTIONS[self.load_latency_distribution],
            )
        if self.load_timeout_ns < self.load_latency_ns:
            raise ProfileError(
                "load_timeout_ns",
                self.load_timeout_ns,
                f"at least load_latency_ns ({self.load_latency_ns}), or no load ever succeeds",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class HostProfile:
    """What software crypto costs the host. Raises ProfileError for impossible figures."""

    name: str
    software_packet_ns: float = _figure("ns/packet")
    software_byte_ns: float = _figure("ns/byte")
    sources: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        _check_figures(self)


class Row(NamedTuple):
    """One figure of a profile, for people."""

    field: str
    value: int | float | bool | str
    unit: str
    source: str


def describe(profile: CardProfile | HostProfile) -> tuple[Row, ...]:
    """Every figure of ``profile`` with its unit and where it comes from."""
    return tuple(
        Row(
            figure.name,
            getattr(profile, figure.name),
            figure.metadata["unit"],
            profile.sources.get(figure.name, "given by the user"),
        )
        for figure in fields(profile)
        if figure.metadata
    )


def customised(profile: CardProfile, **changes: object) -> CardProfile:
    """``profile`` with some figures changed, which lose their source.

    Raises ProfileError for a figure that no card has, or with a value outside its range.
    """
    known = [figure.name for figure in fields(profile) if figure.name != "sources"]
    for name in changes:
        _check_choice("figure of a card", name, known)
    kept = {name: source for name, source in profile.sources.items() if name not in changes}
    values: dict[str, Any] = {**changes, "sources": MappingProxyType(kept)}
    return replace(profile, **values)


def _check_figures(profile: CardProfile | HostProfile) -> None:
    """Every figure has its field's type and at least its field's least value."""
    for figure in fields(profile):
        if not figure.metadata:
            continue
        value = getattr(profile, figure.name)
        least = figure.metadata["least"]
        if figure.type == "bool" and not isinstance(value, bool):
            raise ProfileError(figure.name, value, "true or false")
        if figure.type == "int" and not (_is_number(value, whole=True) and value >= least):
            raise ProfileError(figure.name, value, f"a whole number, at least {least}")
        if figure.type == "float" and not (_is_number(value, whole=False) and value >= least):
            raise ProfileError(figure.name, value, f"a number, at least {least}")


def _is_number(value: object, *, whole: bool) -> bool:
    """A finite number; True and False, although Python counts them as integers, are none."""
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return True
    return not whole and isinstance(value, float) and math.isfinite(value)


def _check_choice(name: str, found: object, choices: tuple[str, ...] | list[str]) -> None:
    if found not in choices:
        raise ProfileError(name, found, f"one of {', '.join(choices)}")


def _shape_fits(distribution: str, shape: float) -> bool:
    if distribution == "uniform":
        return 0 < shape <= 1
    if distribution == "lognormal":
        return shape > 0
    if distribution == "pareto":
        return shape > 1
    return shape == 0
