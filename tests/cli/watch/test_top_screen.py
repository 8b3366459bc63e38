"""The picture of ``saactors top`` on terminals of all sizes, and what its keys change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saactors.cli.top_keys import KeyReader, changed, within
from saactors.cli.top_screen import Reading, View, draw, rows_of

Status: TypeAlias = Callable[..., dict[str, Any]]
Sa: TypeAlias = Callable[[int], dict[str, Any]]


@pytest.fixture
def reading(status: Status, sa: Sa) -> Reading:
    """Two seconds in, a second after the last reading; a page of 200 SAs."""
    page = {"total": 200, "matched": 200, "rows": [sa(index) for index in range(17)]}
    return Reading(status(2 * 10**9), status(10**9), page)


def test_a_wide_screen_shows_everything(reading: Reading) -> None:
    """The gateway, rates by component, the card, drops; SAs; edges by pressure."""
    lines = [line.text for line in draw(reading, View(), 160, 30)]
    assert lines[:4] == [
        "edge-1  card 8/8  rule metric (threshold 500)  up 2.00 s  200 SAs  saactors 9.9",
        "nic 1000/s 8.00 Mb/s  software 0/s 0 b/s  bypass 0/s 0 b/s  in flight 4",
        "82599  loading 1  loads 50  evictions 40  pinned 1  refused 2  engine queue 12",
        "drops 3  replayed 3",
    ]
    assert lines[4].startswith("SAs 1–17 of 200  by packets/s ↓  sort: p b m s v i r")
    assert lines[5].split() == [
        *["SPI", "where", "pkt/s", "bit/s", "metric", "saved", "moves", "dir", "name", "from", "→"],
        *["to", "suite"],
    ]
    assert lines[6].split() == [
        *["0x00001000", "nic", "20.0", "k", "8.00", "M", "900", "31.0", "ms", "0", "out"],
        *["branch-0", "192.0.2.1", "→", "2001:db8::1", "aes-gcm-128"],
    ]
    assert lines[7].split()[1] == "nic!"
    assert lines[-6].split()[:2] == ["edge", "queued"]
    assert [line.split()[3] for line in lines[-5:]] == ["8/8", "1/8", "1/8", "1/8", "0/8"]
    assert lines[-4].startswith("classifier → keeper ")


def test_a_narrow_short_screen_shows_what_matters_most(reading: Reading) -> None:
    """Forty columns and ten rows: five SAs with rates and metric, and the fullest edge."""
    assert rows_of(10, 5) == 5
    lines = [line.text for line in draw(reading, View(), 40, 10)]
    assert lines[0] == "edge-1  card 8/8"
    assert lines[1] == "nic 1000/s 8.00 Mb/s  software 0/s 0 b/s"
    assert lines[3].split() == ["SPI", "where", "pkt/s", "bit/s", "metric"]
    assert [line.split()[0] for line in lines[4:9]] == [f"0x0000100{index}" for index in range(5)]
    assert lines[9] == "arbiter → nic  8/8  5 waits"


def test_without_an_earlier_reading_it_shows_counts(status: Status) -> None:
    """There is no rate yet."""
    page: dict[str, Any] = {"total": 0, "matched": 0, "rows": []}
    lines = [line.text for line in draw(Reading(status(10**9), None, page), View(), None, None)]
    assert lines[1].startswith("packets so far:  nic 1000  software 0")
    assert lines[4] == "no SA  by packets/s ↓"


def test_what_goes_wrong_stands_out(status: Status) -> None:
    """A gateway that drains, packets that are dropped."""
    page: dict[str, Any] = {"total": 0, "matched": 0, "rows": []}
    draining = status(2 * 10**9, dropped=4) | {"draining": True}
    lines = draw(Reading(draining, status(10**9), page), View(), 100, 30)
    assert [line.style for line in lines[:4]] == ["warning", "plain", "plain", "warning"]
    assert "draining" in lines[0].text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # they are functions
@given(
    width=st.integers(1, 200), height=st.integers(1, 60), rows=st.integers(0, 60),
    typing=st.booleans(), where=st.sampled_from([None, "nic"]),
)  # fmt: skip
def test_it_fits_whatever_the_terminal(
    status: Status, sa: Sa, width: int, height: int, rows: int, typing: bool, where: str | None
) -> None:
    """No line is longer than the terminal is wide, and there are no more than it has rows."""
    now, before = status(2 * 10**9), status(10**9)
    page = {"total": 200, "matched": 200, "rows": [sa(index) for index in range(rows)]}
    view = View(typing=typing, where=where)
    lines = draw(Reading(now, before, page), view, width, height)
    assert len(lines) <= height
    assert all(len(line.text) <= width for line in lines)


def test_keys_sort_filter_and_scroll() -> None:
    """Ten SAs on the screen, of a hundred."""

    def after(*keys: str) -> View:
        view = View(offset=40)
        for key in keys:
            view = changed(view, key, 10, 100)
        return view

    assert (after("m").sort, after("m").descending, after("m").offset) == ("metric", True, 0)
    assert [after(key).sort for key in "pbmsvi"] == [
        "packets_per_s", "bits_per_s", "metric", "saved_ns", "moves", "spi",
    ]  # fmt: skip
    assert not after("i").descending
    assert after("i", "r").descending
    assert [after(*"w" * times).where for times in range(1, 5)] == [
        "nic", "software", "loading", None,
    ]  # fmt: skip
    assert [after(key).offset for key in ("up", "down", "page up", "page down", "home", "end")] == [
        39, 41, 30, 50, 0, 90,
    ]  # fmt: skip
    assert after("page down", "page down", "page down", "page down", "page down").offset == 90
    assert within(View(offset=40), 10, 5).offset == 0
    assert after("x") == View(offset=40)


def test_a_search_is_typed_until_enter_and_forgotten_with_escape() -> None:
    """Letters that are keys elsewhere are text here."""
    view = View(offset=3)
    for key in ["/", "w", "e", "s", "erase"]:
        view = changed(view, key, 10, 100)
    assert (view.search, view.typing, view.offset, view.where) == ("we", True, 0, None)
    assert view.arguments(9)["search"] == "we"
    kept = changed(view, "enter", 10, 100)
    assert (kept.search, kept.typing) == ("we", False)
    assert changed(view, "escape", 10, 100) == View()
    assert changed(kept, "escape", 10, 100) == View()
    assert changed(view, "clear", 10, 100).search == ""


def test_keys_are_read_from_what_terminals_send() -> None:
    """Also if a sequence comes in two parts, and what is none of ours is left out."""
    reader = KeyReader()
    assert list(reader.keys(b"m/\x1b[A\x1bOB\x1b[5~\x1b[6~\x1b[1~\x1b[F\r\x7f")) == [
        "m", "/", "up", "down", "page up", "page down", "home", "end", "enter", "erase",
    ]  # fmt: skip
    assert list(reader.keys(b"\x1b[15~\x1b[1;5C\x01z")) == ["z"]
    assert list(reader.keys(b"a\x1b[6")) == ["a"]
    assert list(reader.keys(b"~b")) == ["page down", "b"]
    assert list(reader.keys(b"\x1b")) == ["escape"]
