"""``[rule]``: the placement rule's name and, beside it, its parameters.

The names and values are those of ``saactors.placement.table``; what it refuses is reported under
the key it came from.
"""

from __future__ import annotations

from saactors.errors import ParameterError
from saactors.placement.entry import RuleEntry
from saactors.placement.table import RULES, rule_entry
from saactors.placement.user_file import is_in_file
from saactors.scenario.tables import DEFAULT_RULE, Scenario
from saactors.scenario.wording import Location, Problem, closest, dotted, listed, unknown_key, wrong


def rule_problems(scenario: Scenario) -> list[Problem]:
    """Whatever is wrong with ``[rule]``."""
    name: object = scenario.rule.get("name", DEFAULT_RULE)
    entry = entry_or_problem(("rule", "name"), name)
    if isinstance(entry, Problem):
        return [entry]
    known = [parameter.name for parameter in entry.parameters]
    problems = []
    for key, value in scenario.rule_parameters.items():
        if key not in known:
            problems.append(unknown_key(("rule", key), ["name", *known]))
        elif not isinstance(value, str | int | float) or _is_huge(value):
            problems.append(wrong(("rule", key), value, "text or a number below 2^63"))
        else:
            problems += _refusal(entry, key, value)
    return problems


def entry_or_problem(where: Location, name: object) -> RuleEntry | Problem:
    """The rule of that name, or what is wrong with the name, which stands at ``where``."""
    if isinstance(name, str) and (name in RULES or is_in_file(name)):
        try:
            return rule_entry(name)
        except ParameterError as error:
            return Problem(dotted(where), f"found {name!r}, expected {error.expected}")
    hint = closest(name, RULES) if isinstance(name, str) else ""
    return wrong(where, name, f"one of {listed(map(repr, RULES))}", hint)


def _refusal(entry: RuleEntry, key: str, value: object) -> list[Problem]:
    """What the rule itself says of one parameter; no parameter's range depends on another's."""
    try:
        entry.parameters_type.from_mapping({key: value})
    except ParameterError as error:
        return [wrong(("rule", key), value, error.expected)]
    return []


def _is_huge(value: object) -> bool:
    """TOML's whole numbers have no bound, while the rules' arrays are of 64 bits."""
    return isinstance(value, int) and value.bit_length() > 63
