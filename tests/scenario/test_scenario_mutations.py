"""Whatever is done to a scenario file, it is a scenario or a ScenarioError."""

from __future__ import annotations

import copy
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.errors import ScenarioError
from saactors.model.selector import selector_columns
from saactors.scenario import (
    Scenario,
    card_profile,
    fault_plan,
    host_profile,
    load_scenario,
    scenario_of,
    spd_entries,
    templates,
)
from saactors.scenario.tables import GivenSa, Policy, Replay

EXAMPLE = Path(__file__).parents[2] / "examples" / "branch-office.toml"
TEXT = EXAMPLE.read_bytes()
DOCUMENT = tomllib.loads(TEXT.decode())


def accepted(document: dict[str, Any]) -> Scenario | None:
    """The scenario, of which everything can then be asked; None if it was refused."""
    try:
        scenario = scenario_of("mutated.toml", document)
    except ScenarioError:
        return None
    card_profile(scenario)
    host_profile(scenario)
    fault_plan(scenario)
    columns = selector_columns(spd_entries(scenario))
    assert (columns["target"] < max(1, len(scenario.sas), len(templates(scenario)))).all()
    return scenario


def test_the_example_itself_is_accepted() -> None:
    """Without which the mutations below would be of something already broken."""
    assert accepted(DOCUMENT) is not None


@settings(max_examples=300, deadline=None)
@given(
    at=st.integers(0, len(TEXT)),
    removed=st.integers(0, 40),
    inserted=st.binary(max_size=4) | st.sampled_from([b"[", b"]]", b'"', b"\n", b"=", b"-", b"0"]),
)
def test_mutated_text_is_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, at: int, removed: int, inserted: bytes
) -> None:
    """Bytes taken out and put in anywhere."""
    path = tmp_path_factory.getbasetemp() / "mutated.toml"
    path.write_bytes(TEXT[:at] + inserted + TEXT[at + removed :])
    with suppress(ScenarioError):
        assert isinstance(load_scenario(path), Scenario)


words = st.sampled_from(
    [
        *("any", "tcp", "in", "out", "protect", "bypass", "discard", "flow", "subnet"),
        *("tunnel", "transport", "to-office-1", "192.0.2.9", "::1", "10.0.0.0/8", "0-1"),
        *("0x00", "metric", "never", "82599", "wait", "pareto", "factor:0.1", "{}", "%s"),
    ]
)
scalars = (
    st.booleans()
    | st.integers()
    | st.sampled_from([0, 1, 255, 256, 2**32, 2**63, 2**64, -1, 10**400])
    | st.floats()
    | words
    | st.text(max_size=8)
    | st.dates()
    | st.times()
)
key_names = st.sampled_from(
    [
        *Scenario.model_fields,
        *Replay.model_fields,
        *Policy.model_fields,
        *GivenSa.model_fields,
        *DOCUMENT["card"],
        *DOCUMENT["card"]["faults"],
        *DOCUMENT["rule"],
        "",
        "a.b",
    ]
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(key_names, inner, max_size=4),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_a_mutated_document_is_refused_or_means_something(data: st.DataObject) -> None:
    """Values replaced, keys renamed, added and dropped, as deep as the example goes."""
    document = copy.deepcopy(DOCUMENT)
    for _ in range(data.draw(st.integers(1, 3), label="mutations")):
        mutate(data, document)
    accepted(document)


def mutate(data: st.DataObject, node: dict[str, Any] | list[Any]) -> None:
    """One change, somewhere below ``node``."""
    while True:
        places = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not places:
            break
        place = data.draw(st.sampled_from(places), label="place")
        child = node[place]  # type: ignore[index]  # a key of the dict or an index of the list
        if not isinstance(child, dict | list) or data.draw(st.integers(0, 4), label="stop") == 0:
            break
        node = child
    change = data.draw(st.sampled_from(["replace", "drop", "add"]), label="change")
    if isinstance(node, list):
        node.append(data.draw(values, label="item"))
    elif change == "add" or not places:
        node[data.draw(key_names, label="key")] = data.draw(values, label="value")
    elif change == "drop":
        del node[place]
    else:
        node[place] = data.draw(values, label="value")


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(key_names, values, max_size=5))
def test_any_document_is_refused_or_means_something(document: dict[str, Any]) -> None:
    """Not even like a scenario."""
    accepted(document)
