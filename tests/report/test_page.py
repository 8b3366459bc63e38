"""The page: complete in itself, safe, and readable without its plots."""

from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from saactors.errors import OutputError
from saactors.report.page import page, write_page
from saactors.report.result import HostTime, RunResult


class Reader(HTMLParser):
    """Elements, text by element, and whatever would be fetched."""

    FETCHING = frozenset({"src", "href", "srcset", "action", "data", "poster", "background"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[tuple[str, str, str | None]] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the element and its references."""
        self.elements.append((tag, dict(attrs)))
        self.fetched += [(tag, name, value) for name, value in attrs if name in self.FETCHING]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Every element is closed in its turn."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Collect text by the innermost element."""
        if self.open:
            self.text[self.open[-1]] = self.text.get(self.open[-1], "") + data


@pytest.fixture(scope="module")
def text(result: RunResult) -> str:
    return page(result)


@pytest.fixture(scope="module")
def reader(text: str) -> Reader:
    return Reader(text)


def charts(text: str) -> list[dict[str, object]]:
    found = re.search(
        r'<script type="application/json" id="charts">(.*?)</script>', text, re.DOTALL
    )
    assert found is not None
    charts: list[dict[str, object]] = json.loads(found[1])
    return charts


def test_the_page_is_well_formed(reader: Reader) -> None:
    """What was opened has been closed, in order."""
    assert reader.open == []


def test_nothing_in_the_page_is_fetched(reader: Reader) -> None:
    """No element refers to anything outside the file, and no style does."""
    assert reader.fetched == []
    assert not [tag for tag, _ in reader.elements if tag in {"link", "iframe", "base", "object"}]
    assert "url(" not in reader.text["style"]
    assert "@import" not in reader.text["style"]


def test_the_browser_is_told_to_fetch_nothing(reader: Reader) -> None:
    """Plotly's own source has addresses for maps in it; the policy forbids every request."""
    (policy,) = (
        attributes["content"] or ""
        for tag, attributes in reader.elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    allowed = dict(directive.strip().split(" ", 1) for directive in policy.split(";"))
    assert allowed["default-src"] == "'none'"
    assert not re.search(r"https?:|\*|'self'", policy)


def test_plotly_stands_in_the_page_once(text: str) -> None:
    """It is most of the page's size."""
    assert text.count("plotly.js v") == 1
    assert len(text) < 6_000_000


def test_names_from_outside_cannot_become_markup(result: RunResult) -> None:
    """A capture's name, a warning or an SA's address is text, in the page and in its data."""
    evil = "</script><script>alert(1)</script>"
    hot = (dataclasses.replace(result.hottest[0], source=evil), *result.hottest[1:])
    edges = {evil: result.edges["arbiter→nic"]}
    timeline = dataclasses.replace(
        result.timeline,
        waited_ns={evil: result.timeline.waited_ns["arbiter→nic"]},
    )
    text = page(
        dataclasses.replace(
            result, capture=evil, warnings=(evil,), hottest=hot, edges=edges, timeline=timeline
        )
    )
    assert "<script>alert" not in text
    assert Reader(text).open == []
    assert any(trace["name"] == evil for trace in charts(text)[-1]["traces"])


def test_every_plot_of_the_issue_is_there(text: str, reader: Reader) -> None:
    """Packets by component, occupancy and moves, metrics against the lowest, waiting per edge."""
    names = [chart["name"] for chart in charts(text)]
    assert names == ["packets", "cache", "metrics", "waiting"]
    places = [attributes for tag, attributes in reader.elements if attributes.get("role") == "img"]
    assert [place["id"] for place in places] == names
    assert all(place["aria-label"] for place in places)
    traces = {chart["name"]: [trace["name"] for trace in chart["traces"]] for chart in charts(text)}
    assert traces["packets"] == ["nic", "software", "dropped"]
    assert traces["cache"] == ["resident SAs", "slots", "loads", "evictions"]
    assert len(traces["metrics"]) == 12
    assert traces["metrics"][-2:] == ["lowest resident", "lowest + threshold 12"]
    assert traces["waiting"] == ["arbiter→nic"]


def test_every_colour_of_a_plot_is_in_the_style_sheet_for_light_and_dark(text: str) -> None:
    """A colour that only one of them has would be black on black."""
    style = text[text.index("<style>") : text.index("</style>")]
    light, dark = style.split("@media (prefers-color-scheme: dark)", 1)
    dark = dark[: dark.index("}")]
    used = set(re.findall(r"var\((--[\w-]+)\)", json.dumps(charts(text))))
    assert used
    for colour in used:
        assert f"{colour}:" in light, colour
        assert f"{colour}:" in dark, colour


def test_the_tables_say_what_the_summary_says(text: str) -> None:
    """Also for those who cannot see or run the plots."""
    for expected in (
        "office&lt;1&gt;.pcap",
        "0x17315d7d",
        "rx_ring_full",
        "2.76 µs",
        "14,400 ns ÷ 1,200 ns per packet = 12 packets",
        "demo/esp.pcap",
        "the capture is cut off mid-record",
    ):
        assert expected in text


def test_a_run_without_a_timeline_is_a_page_of_tables(result: RunResult) -> None:
    """And carries no megabytes of script for nothing."""
    text = page(dataclasses.replace(result, timeline=None))
    assert charts(text) == []
    assert len(text) < 50_000
    assert "0x17315d7d" in text


def test_a_threshold_that_is_none_draws_no_line(result: RunResult) -> None:
    """Infinity has no place on an axis, nor in JSON."""
    rule = dataclasses.replace(result.rule, parameters={"threshold": float("inf")})
    (metrics,) = (
        c for c in charts(page(dataclasses.replace(result, rule=rule))) if c["name"] == "metrics"
    )
    assert metrics["traces"][-1]["name"] == "lowest resident"


def test_a_loss_of_host_time_is_called_a_loss(result: RunResult) -> None:
    """In words, not by a minus sign alone."""
    lost = HostTime(total_ns=3e6, all_software_ns=2e6)
    assert "Host time lost" in page(dataclasses.replace(result, host_time=lost))


def test_a_page_that_cannot_be_written_is_an_output_error(
    result: RunResult, tmp_path: Path
) -> None:
    """With the path and the operating system's word for it."""
    write_page(result, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    with pytest.raises(OutputError, match="No such file"):
        write_page(result, tmp_path / "nowhere" / "report.html")
