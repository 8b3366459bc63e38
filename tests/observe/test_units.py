"""Numbers as people read them, durations as they type them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saactors.observe.units import (
    byte_size,
    count,
    duration,
    instant,
    parse_duration_ns,
    percent,
    plain,
)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (count(0), "0"),
        (count(9_999), "9999"),
        (count(20_481), "20.5 k"),
        (count(999_600), "1.00 M"),
        (count(2.5e18), "2500 P"),
        (byte_size(999), "999 B"),
        (byte_size(4_512_345), "4.51 MB"),
        (byte_size(1e9), "1.00 GB"),
        (duration(0), "0 ns"),
        (duration(238), "238 ns"),
        (duration(99.5), "99.5 ns"),
        (duration(1_234_567), "1.23 ms"),
        (duration(54_000), "54.0 µs"),
        (duration(119_400_000_000), "119 s"),
        (duration(125_000_000_000), "2 min 5 s"),
        (duration(3_720_000_000_000), "1 h 2 min"),
        (duration(-1_500_000), "-1.50 ms"),
        (percent(0.8731), "87.3 %"),
        (plain(812.0), "812"),
        (plain(0.0), "0"),
        (plain(12.3456), "12.346"),
        (instant(1_234_567), "0.001 234 567 s"),
    ],
)
def test_numbers_read_as_people_write_them(shown: str, expected: str) -> None:
    """Three digits and a unit, exact where that is as short."""
    assert shown == expected


@given(st.floats(1, 1e17))
def test_what_is_shown_is_within_half_a_percent_of_what_is_meant(value: float) -> None:
    """Rounding never picks the wrong unit."""
    number, _, unit = byte_size(value).partition(" ")
    assert math.isclose(
        float(number) * 1000 ** ("B", "kB", "MB", "GB", "TB", "PB").index(unit), value, rel_tol=5e-3
    )


@pytest.mark.parametrize(
    ("text", "expected_ns"),
    [
        ("1.5s", 1_500_000_000),
        ("20ms", 20_000_000),
        ("3us", 3_000),
        ("3 µs", 3_000),
        ("100ns", 100),
        (".5ms", 500_000),
        ("0", 0),
        ("4.000000001s", 4_000_000_001),  # a float of seconds would be off by one here and there
    ],
)
def test_durations_are_read_exactly(text: str, expected_ns: int) -> None:
    """To the nanosecond, whatever the unit."""
    assert parse_duration_ns(text) == expected_ns


@pytest.mark.parametrize("text", ["", "5", "5 minutes", "-1s", "1e3s", "s", "1.2.3s"])
def test_a_duration_without_a_unit_or_sense_is_refused(text: str) -> None:
    """A bare 5 could be anything; the message says what would do."""
    with pytest.raises(ValueError, match=r"expected a duration such as 1\.5s"):
        parse_duration_ns(text)


@given(st.integers(0, 10**15))
def test_every_number_of_nanoseconds_survives(value_ns: int) -> None:
    """As nanoseconds and as seconds with nine decimals."""
    assert parse_duration_ns(f"{value_ns}ns") == value_ns
    seconds, rest_ns = divmod(value_ns, 10**9)
    assert parse_duration_ns(f"{seconds}.{rest_ns:09d}s") == value_ns
