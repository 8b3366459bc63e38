"""The check of a rule: sound rules pass, and each broken one is caught for what it breaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from saactors.errors import ParameterError
from saactors.lab.rule_check import (
    COMPILES,
    DRIVERS,
    FAULTS,
    LAWS,
    MEMORY,
    NO_SLOTS,
    OPTIMUM,
    REPEATS,
    RUNS,
    TIME,
    Finding,
    check_rule,
)
from saactors.lab.rule_watch import LOADS, ROUTES, SLOTS, BrokenLawError, Command, Holding
from saactors.model.packets import NO_SA
from saactors.placement.policy import Policy
from saactors.placement.seats import Table

BROKEN = Path(__file__).with_name("broken_rules.py")
EXAMPLE = Path(__file__).parents[2] / "examples" / "rules" / "frequent.py"

# Rule, the law that it breaks, and what is said of it.
QUICK = [
    ("misspelt", COMPILES, "Field 'lst' was not found in record .* (broken_rules.py, line "),
    ("outside", RUNS, "IndexError: index 8 is out of bounds"),
    ("endless", RUNS, "it does not end: 1,000,000 lines of Python for one burst (broken_rules.py"),
    ("raising", RUNS, "ZeroDivisionError: integer division or modulo by zero (broken_rules.py"),
    ("takes_from_the_loading", SLOTS, "which is still being loaded"),
    ("overfilling", SLOTS, "5 SAs hold 4 slots"),
    ("claiming", SLOTS, "but the card holds"),
    ("misrouting", ROUTES, "goes to the card, while the SA is not on the card"),
    ("hasty", LOADS, "3 under way, at most 2"),
    ("loads_without_slots", NO_SLOTS, "IndexError"),
    ("forgets_in_a_reset", FAULTS, "which is still being loaded"),
]
THOROUGH = [
    ("chancy", REPEATS, "then"),
    ("moody", REPEATS, "then"),
    ("two_faced", DRIVERS, "in the lab"),
    ("large", MEMORY, "80 bytes, at most 64"),
]


def findings_of(name: str, seed: int = 0) -> dict[str, Finding]:
    """What the check says of a rule, by law."""
    found = list(check_rule(name, seed))
    assert sorted(finding.law for finding in found) == sorted(LAWS)
    return {finding.law: finding for finding in found}


def broken_by(name: str) -> dict[str, Finding]:
    """The laws that one of the broken rules is found to break."""
    found = findings_of(f"{BROKEN}:{name}")
    return {law: finding for law, finding in found.items() if finding.kept is False}


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "law", "told"), QUICK)
def test_a_rule_that_might_do_harm_is_stopped_by_the_law_that_it_breaks(
    rule: str, law: str, told: str
) -> None:
    """One law is broken, in words that say how, and nothing is tried after it."""
    found = findings_of(f"{BROKEN}:{rule}")
    assert found[law].kept is False
    start, _, end = told.partition(".* ")
    assert start in found[law].found
    assert end in found[law].found
    assert {finding.kept for finding in found.values()} <= {True, False, None}
    assert [finding.law for finding in found.values() if finding.kept is False] == [law]
    assert found[DRIVERS].found == found[TIME].found == "not tried"


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "law", "told"), THOROUGH)
def test_a_rule_that_harms_nobody_is_caught_all_the_same(rule: str, law: str, told: str) -> None:
    """What it breaks is said, and the other laws are tried too."""
    found = broken_by(rule)
    assert law in found
    assert told in found[law].found
    assert found.keys() <= {REPEATS, DRIVERS, MEMORY}


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["metric", "never", "lru-ski-rental", "adaptive", "static-top-k"])
def test_rules_of_the_table_pass(rule: str) -> None:
    """A law is kept or, as the time of a packet, only reported."""
    found = findings_of(rule)
    assert {law for law, finding in found.items() if finding.kept is not True} == {TIME}


@pytest.mark.slow
def test_the_example_passes_on_other_traffic_too() -> None:
    """With another seed it gets other packets, and decides otherwise."""
    found = [findings_of(f"{EXAMPLE}:frequent", seed) for seed in (0, 1)]
    for each in found:
        assert all(finding.kept for law, finding in each.items() if law != TIME)
    assert found[0][SLOTS].found != found[1][SLOTS].found
    assert "loads in" in found[0][ROUTES].found
    assert "more" in found[0][OPTIMUM].found


def test_a_rule_that_does_not_exist_is_no_finding() -> None:
    """The caller has made a mistake, not the rule."""
    with pytest.raises(ParameterError, match="did you mean lru"):
        list(check_rule("lruu"))


def test_whoever_holds_a_slot_is_told_from_commands_and_answers() -> None:
    """A load takes a slot at once, its victim's with it; a lost one gives it back."""
    holding = Holding(slots=2, loads_max=2)
    holding.command(Command(0, 7, NO_SA))
    holding.command(Command(0, 8, NO_SA))
    assert (holding.held, holding.loading) == ({7: False, 8: False}, 2)
    holding.answer(7, True)
    holding.answer(8, False)
    assert (holding.held, holding.loading) == ({7: True}, 0)
    holding.command(Command(9, 8, 7))
    assert holding.held == {8: False}
    holding.answer(8, True)
    holding.reset()
    assert holding.held == {}


@pytest.mark.parametrize(
    ("command", "law"),
    [
        (Command(0, 3, 2), SLOTS),  # 2 is being loaded
        (Command(0, 3, 5), SLOTS),  # 5 is not on the card
        (Command(0, 1, NO_SA), SLOTS),  # 1 is there already
        (Command(0, 3, 1), LOADS),  # two at once
    ],
)
def test_a_command_that_cannot_be_is_broken_law(command: Command, law: str) -> None:
    """On a card of two slots that holds SA 1 and is loading SA 2, one at a time."""
    holding = Holding(slots=2, loads_max=1, held={1: True, 2: False})
    with pytest.raises(BrokenLawError) as broken:
        holding.command(command)
    assert broken.value.law == law


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mine", "eager"])
def test_the_rule_in_the_docs_passes(name: str, tmp_path: Path) -> None:
    """Both ways to write it: as a policy, and with an entry that adds a gate."""
    page = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
    _, _, after = page.partition("```python\n")
    (tmp_path / "mine.py").write_text(after.partition("```")[0], encoding="utf-8")
    found = findings_of(f"{tmp_path}/mine.py:{name}")
    assert {law for law, finding in found.items() if finding.kept is not True} == {TIME}


def test_the_docs_name_every_law_and_every_function() -> None:
    """In their tables, so that a new one is explained too."""
    page = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
    assert [law for law in LAWS if f"| {law} |" not in page] == []
    assert [part for part in Policy._fields if f"| `{part}(table, " not in page] == []
    assert [array for array in Table._fields if f"| `{array}` |" not in page] == ["heap"]
