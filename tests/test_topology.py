"""The picture in code: every edge has its reason, nothing flows in a circle, the docs show it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from nicmodel.presets import PROFILES
from nicmodel.residency import drawing
from saactors.runtime.edges import Edge
from saactors.topology import draw, edges

ARCHITECTURE = Path(__file__).parent.parent / "docs" / "architecture.md"

ACTORS = {"source", "classifier", "keeper", "signals", "decay", "arbiter", "nic", "egress"}
SYSTEMS = [(profile, workers) for profile in sorted(PROFILES) for workers in (1, 2, 5)]


@pytest.fixture(params=SYSTEMS, ids=lambda system: f"{system[0]} with {system[1]} workers")
def system(request: pytest.FixtureRequest) -> tuple[Sequence[Edge], int]:
    """The edges of a system and how many software workers it has."""
    profile, workers = request.param
    return edges(PROFILES[profile], workers), workers


def test_no_two_edges_have_the_same_ends_or_name(system: tuple[Sequence[Edge], int]) -> None:
    """An edge is named for its ends, and whoever reads a summary must know which one is meant."""
    drawn, _ = system
    ends = [(edge.source, edge.target) for edge in drawn]
    assert len(set(ends)) == len(ends)
    assert [edge.name for edge in drawn] == [f"{source}_{target}" for source, target in ends]


def test_every_edge_is_bounded_and_says_why(system: tuple[Sequence[Edge], int]) -> None:
    """What it carries, how much of it, why so much, and what happens when it is full (law 9)."""
    drawn, _ = system
    for edge in drawn:
        assert edge.capacity >= 1, edge.name
        assert all((edge.carries, edge.when_full, edge.why)), edge.name


def test_every_actor_is_connected_and_nobody_else_is(system: tuple[Sequence[Edge], int]) -> None:
    """Each software worker has its own edges from the arbiter and to the egress."""
    drawn, workers = system
    software = {f"software_{number}" for number in range(workers)}
    assert {end for edge in drawn for end in (edge.source, edge.target)} == ACTORS | software
    names = {edge.name for edge in drawn}
    for worker in software:
        assert {f"arbiter_{worker}", f"{worker}_egress"} <= names


def test_only_the_cards_reports_flow_back(system: tuple[Sequence[Edge], int]) -> None:
    """Without them there is no circle, so a trace ends by every actor closing its outlets."""
    drawn, _ = system
    forward: dict[str, set[str]] = {}
    back = {edge.name for edge in drawn if edge.carries == "completions"}
    for edge in drawn:
        if edge.name not in back:
            forward.setdefault(edge.target, set()).add(edge.source)
    order = list(TopologicalSorter(forward).static_order())
    assert back == {"nic_arbiter", "nic_keeper"}
    assert order[-1] == "egress"


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_reports_never_have_to_wait(name: str) -> None:
    """Their edges hold an answer to every load that may be unanswered, and every reset."""
    profile = PROFILES[name]
    with_resets = {edge.name: edge for edge in edges(profile, resets=3)}
    loads = profile.loads_outstanding_max
    assert with_resets["nic_arbiter"].capacity == loads + 3
    assert with_resets["nic_keeper"].capacity > with_resets["nic_arbiter"].capacity
    expected = (
        profile.slots_max
        if profile.load_full == "wait"
        else profile.loads_at_once + profile.load_queue_max
    )
    assert loads == expected


def drawings() -> list[str]:
    """What the architecture document draws: the contents of its Mermaid blocks."""
    return re.findall(
        r"^```mermaid\n(.*?)^```$", ARCHITECTURE.read_text(), re.DOTALL | re.MULTILINE
    )


def test_the_docs_show_the_edges_as_they_are() -> None:
    """Of a system with an 82599 and one worker. If this fails, paste what ``draw`` returns."""
    assert draw(edges(PROFILES["82599"])) + "\n" in drawings()


def test_the_docs_show_the_residency_table_as_it_is() -> None:
    """If this fails, paste what ``nicmodel.residency.drawing`` returns."""
    assert drawing() in drawings()


def test_a_drawing_names_every_edge_once() -> None:
    """In the order of the tuple, with what it carries."""
    drawn = edges(PROFILES["nfp"], 2)
    first, *lines = draw(drawn).splitlines()
    assert first == "flowchart LR"
    assert lines == [f"    {edge.source} -->|{edge.carries}| {edge.target}" for edge in drawn]
