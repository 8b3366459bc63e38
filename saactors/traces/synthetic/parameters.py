"""Parameters of traffic models: each with its unit, its range and the reason for its default.

A model is a frozen dataclass of its parameters with a ``generate``. Fields are made by
``parameter``, which keeps beside the default what people want to know of it, and whether the figure
was measured by somebody or is our **assumption**. Values may come as numbers or, from a command
line, as text: ``2e6`` packets, ``5s`` or ``20ms`` where the name ends in ``_ns``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any, Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from saactors.errors import ParameterError
from saactors.observe.units import parse_duration_ns

SECOND_NS: Final = 1_000_000_000
DURATION_NS_MAX: Final = 10**15  # 11 days: below 2^53, so that floats hold every nanosecond
PACKETS_MAX: Final = 1_000_000_000  # 16 GB of columns
SAS_MAX: Final = 100_000_000  # a card of today knows 10^4, a lab asks for 10^7


class Traffic(NamedTuple):
    """Packets before their SAs are numbered, in any order; ``n`` of each column."""

    time_ns: npt.NDArray[np.int64]
    keys: npt.NDArray[np.int64]  # which SA: any number from 0
    length_bytes: npt.NDArray[np.int32]
    predecessor_of: dict[int, int]  # the key of an SA → that of the one it took over from


def parameter(
    default: float | str,
    unit: str,
    why: str,
    *,
    assumed: bool = True,
    least: float = 0,
    most: float = math.inf,
) -> Any:  # noqa: ANN401 - what dataclasses.field returns, too
    """A dataclass field that knows its unit, its range and the reason for its default.

    ``assumed`` says that the figure is ours; False wants a source in ``why``.
    """
    told = {"unit": unit, "why": why, "assumed": assumed, "least": least, "most": most}
    return field(default=default, metadata=told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(ABC):
    """What every model is: so many packets at so many packets a second.

    Raises:
        ParameterError: a value outside its range.
    """

    packets: int = parameter(
        2_000_000,
        "packets",
        "long enough for a lab's figures to settle, short enough to try a hundred rules",
        least=1,
        most=PACKETS_MAX,
    )
    packets_per_s: float = parameter(
        100_000.0,
        "packets/s",
        "some 0.3 Gb/s in packets of 370 bytes, what one core encrypts with ease",
        least=1e-3,
        most=1e9,
    )

    @abstractmethod
    def generate(self, rng: np.random.Generator) -> Traffic:
        """The traffic that this generator draws."""

    @property
    def duration_ns(self) -> float:
        """How long ``packets`` take on average."""
        return self.packets / self.packets_per_s * SECOND_NS

    def __post_init__(self) -> None:
        for known in fields(self):
            value, told = getattr(self, known.name), known.metadata
            if isinstance(value, str):
                continue
            if not told["least"] <= value <= told["most"]:
                expected = f"{told['least']:,g} to {told['most']:,g}"
                if told["most"] == math.inf:
                    expected = f"a finite number, {told['least']:,g} or more"
                raise ParameterError(known.name, value, f"{expected} {told['unit']}".rstrip())
            if not math.isfinite(value):
                raise ParameterError(known.name, value, "a finite number")
        if self.duration_ns > DURATION_NS_MAX:
            expected = f"{self.packets / (DURATION_NS_MAX / SECOND_NS):g} or more: for 11 days"
            raise ParameterError("packets_per_s", self.packets_per_s, expected)
        self.check()

    def check(self) -> None:  # noqa: B027 - most models have nothing more to check
        """Check what no single range says.

        Raises:
            ParameterError: values that do not go together.
        """

    @classmethod
    def from_mapping(cls, given: Mapping[str, object]) -> Self:
        """Read what a caller or a command line gives; None means the default.

        Raises:
            ParameterError: an unknown name, or a value of the wrong kind or outside its range.
        """
        known = {field.name: field.default for field in fields(cls)}
        for name in given:
            if name not in known:
                raise ParameterError("parameter", name, expected_names(name, list(known)))
        read: dict[str, Any] = {
            name: _read(name, value, known[name])
            for name, value in given.items()
            if value is not None
        }
        return cls(**read)


def expected_names(found: str, known: list[str]) -> str:
    """What to tell of a name that does not exist."""
    close = get_close_matches(found, known, n=1)
    meant = f"; did you mean {close[0]}?" if close else ""
    return f"one of {', '.join(known)}{meant}"


def _read(name: str, value: object, default: object) -> float | str:
    """The value as the kind of number, or text, that the default is."""
    if isinstance(default, str):
        if not isinstance(value, str):
            raise ParameterError(name, value, f"text such as {default}")
        return value
    number = _number(name, value)
    if isinstance(default, float):
        try:
            return float(number)
        except OverflowError:  # a whole number of hundreds of digits
            raise ParameterError(name, value, "a number below 1e308") from None
    if number % 1 != 0:  # of infinity, too
        raise ParameterError(name, value, "a whole number")
    return int(number)


def _number(name: str, value: object) -> float:
    is_time = name.endswith("_ns")
    expected = "a time such as 5s, 20ms or 100ns" if is_time else "a number"
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, int | float | np.floating) and not isinstance(value, bool):
        return value if isinstance(value, int) else float(value)
    if isinstance(value, str):
        for read in (int, float, parse_duration_ns) if is_time else (int, float):
            try:
                return read(value)
            except ValueError:
                continue
    raise ParameterError(name, value, expected)
