"""The reference and the examples are true."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from nicmodel.faults import FaultPlan, Stall
from nicmodel.presets import HOST, PROFILES
from nicmodel.profile import CardProfile, HostProfile
from saactors.errors import ScenarioError
from saactors.placement.table import RULES
from saactors.scenario import Scenario, load_scenario
from saactors.scenario.tables import (
    GivenSa,
    Headers,
    Limits,
    Policy,
    Replay,
    Template,
    UdpEncapsulation,
)
from saactors.scenario.values import PROTOCOLS

CHECKOUT = Path(__file__).parents[2]
REFERENCE = (CHECKOUT / "docs" / "scenario.md").read_text(encoding="utf-8")
PARAMETERS = {parameter.name for entry in RULES.values() for parameter in entry.parameters}
EXAMPLES = [
    path
    for path in sorted((CHECKOUT / "examples").glob("*.toml"))
    if "[gateway]" not in path.read_text(encoding="utf-8")  # tests/gateway has that of a gateway
]


def blocks(language: str) -> list[str]:
    """The reference's code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", REFERENCE, re.DOTALL | re.MULTILINE)


def section(title: str) -> str:
    """A section of the reference, from its heading to the next."""
    _, _, rest = REFERENCE.partition(f"\n## {title}\n")
    assert rest, f"the reference has a section {title}"
    return rest.partition("\n## ")[0]


def figures(*shapes: type) -> set[str]:
    """The settings of dataclasses."""
    return {field.name for shape in shapes for field in fields(shape)} - {"sources"}


def test_the_references_complete_example_is_complete(load: Callable[[str], Scenario]) -> None:
    """It loads, and it shows every table there is."""
    (text,) = blocks("toml")
    scenario = load(text)
    assert scenario.model_fields_set == set(Scenario.model_fields)
    assert "faults" in scenario.card


def test_the_references_error_is_what_a_user_sees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Word by word."""
    monkeypatch.chdir(tmp_path)
    (wrong,), (message,) = blocks("toml wrong"), blocks("text")
    Path("scenario.toml").write_text(wrong)
    with pytest.raises(ScenarioError) as caught:
        load_scenario("scenario.toml")
    assert str(caught.value) == message.rstrip("\n")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_file_loads(path: Path) -> None:
    """Whoever copies it begins with something that works."""
    assert load_scenario(path).policies


def test_there_are_example_files() -> None:
    """Lest the test above test nothing."""
    assert EXAMPLES


@pytest.mark.parametrize(
    ("title", "keys"),
    [
        ("Top level", Scenario.model_fields),
        ("`[replay]`", Replay.model_fields),
        ("`[[policies]]`", [*Policy.model_fields, *Template.model_fields, *PROTOCOLS]),
        (
            "`[[sas]]`",
            [
                *GivenSa.model_fields,
                *UdpEncapsulation.model_fields,
                *Headers.model_fields,
                *Limits.model_fields,
            ],
        ),
        (
            "`[card]` and `[card.faults]`",
            figures(CardProfile, FaultPlan) | {"profile"},
        ),
        ("`[host]`", figures(HostProfile)),
        ("`[rule]`", ["name", *PARAMETERS]),
    ],
)
def test_the_reference_names_every_key(title: str, keys: list[str]) -> None:
    """A key that is added somewhere is missed here."""
    documented = set(re.findall(r"`([\w.-]+)`", section(title)))
    assert set(keys) <= documented


def test_the_reference_names_nothing_that_is_not_there() -> None:
    """The first column of each table holds keys, and all of them exist."""
    rows = re.findall(r"^\| (`[^|]*`) \|", REFERENCE, re.MULTILINE)
    documented = {key for row in rows for key in re.findall(r"`([^`]+)`", row)}
    tables = (Scenario, Replay, Policy, GivenSa, Headers, Limits)
    known = {key for table in tables for key in table.model_fields}
    known |= figures(CardProfile, FaultPlan, HostProfile) | {"profile"}
    known |= PARAMETERS | {f'"{name}"' for name in RULES} | {"name"}
    assert documented <= known


def test_the_reference_gives_each_rule_its_parameters() -> None:
    """In the order of the code; those of the metric rule have a table of their own."""
    rows = re.findall(r'^\| (`"[^|]*`) \|[^|]*\| (.*) \|$', section("`[rule]`"), re.MULTILINE)
    documented = {
        name: re.findall("`([a-z_]+)`", parameters)
        for names, parameters in rows
        for name in re.findall('"([^"]+)"', names)
    }
    assert documented == {
        name: [parameter.name for parameter in entry.parameters] if name != "metric" else []
        for name, entry in RULES.items()
        if not entry.clairvoyant
    }


@pytest.mark.parametrize("name", [*PROFILES, *RULES])
def test_the_reference_names_every_choice(name: str) -> None:
    """Cards and rules; suites have a page of their own, docs/suites.md."""
    assert f'`"{name}"`' in REFERENCE


def test_the_references_defaults_are_the_codes() -> None:
    """Figures that stand in the text and in the code."""
    metric = {parameter.name: parameter.default for parameter in RULES["metric"].parameters}
    assert HOST.software_packet_ns == 1685
    assert HOST.software_byte_ns == 0.21
    assert "1685 ns and 0.21 ns/byte" in section("Top level")
    for name, default in metric.items():
        row = re.search(rf"^\| `{name}` \|.*\| (.*) \|$", section("`[rule]`"), re.MULTILINE)
        assert row is not None
        assert row[1].replace(" ", "").replace("`", "").strip('"') in (
            default.replace(" ", ""),
            default.removesuffix(".0"),
        )


def test_a_stall_is_documented_with_its_keys() -> None:
    """Both keys of the one nested table of the faults."""
    row = "{ " + ", ".join(field.name for field in fields(Stall)) + " }"
    assert row in section("`[card]` and `[card.faults]`")
