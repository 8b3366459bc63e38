"""Numbers as people read them, with three digits and a unit; durations as people type them.

Units step by 1000 (1 kB is 1000 bytes). What fits in four digits stays exact.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

COUNT_UNITS: Final = ("", "k", "M", "G", "T", "P")
BYTE_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")
DURATION_UNITS: Final = ("ns", "µs", "ms", "s")

_DURATION: Final = re.compile(r"(?P<number>\d+(?:\.\d*)?|\.\d+)\s*(?P<unit>ns|us|µs|ms|s)?")
_UNIT_NS: Final = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000}


def count(value: float) -> str:
    """20481 → ``20.5 k``; 812 → ``812``."""
    return _scaled(value, COUNT_UNITS, exact_below=10_000)


def byte_size(value: float) -> str:
    """4512345 → ``4.51 MB``."""
    return _scaled(value, BYTE_UNITS)


def duration(value_ns: float) -> str:
    """1234567 → ``1.23 ms``; from two minutes on ``2 min 5 s`` and ``1 h 2 min``."""
    seconds = round(value_ns / 1e9)
    if seconds >= 3600:
        return f"{seconds // 3600} h {seconds % 3600 // 60} min"
    if seconds >= 120:
        return f"{seconds // 60} min {seconds % 60} s"
    return _scaled(value_ns, DURATION_UNITS)


def percent(share: float) -> str:
    """0.8731 → ``87.3 %``."""
    return f"{share * 100:.1f} %"


def plain(value: float) -> str:
    """A number without a unit, such as a metric: at most three decimals, none that say nothing."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def instant(time_ns: int) -> str:
    """Seconds from the start to the nanosecond: 1234567 → ``0.001 234 567 s``."""
    seconds, rest_ns = divmod(time_ns, 1_000_000_000)
    digits = f"{rest_ns:09d}"
    return f"{seconds}.{digits[:3]} {digits[3:6]} {digits[6:]} s"


def parse_duration_ns(text: str) -> int:
    """``1.5s``, ``20ms``, ``3us`` or ``100ns`` as nanoseconds, exactly; only 0 needs no unit.

    Raises ``ValueError`` with what was expected.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None or (found["unit"] is None and Decimal(found["number"]) != 0):
        raise ValueError(f"found {text!r}, expected a duration such as 1.5s, 20ms, 3us or 100ns")
    return int(Decimal(found["number"]) * _UNIT_NS[found["unit"] or "s"])


def _scaled(value: float, units: tuple[str, ...], exact_below: float = 999.5) -> str:
    if abs(value) < exact_below and value == round(value):
        return f"{value:.0f} {units[0]}".rstrip()
    for unit in units:
        if abs(value) < 999.5 or unit == units[-1]:
            break
        value /= 1000
    decimals = 0 if abs(value) >= 99.95 else 1 if abs(value) >= 9.995 else 2
    return f"{value:.{decimals}f} {unit}".rstrip()
