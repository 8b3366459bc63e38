"""``[rule]``: the placement rule's name and, beside it, its parameters.

The names and values are those of ``saactors.placement.table``; what it refuses is reported under
the key it came from.
"""

from __future__ import annotations

from saactors.errors import ParameterError
from saactors.placement.table import RULES
from saactors.scenario.tables import DEFAULT_RULE, Scenario
from saactors.scenario.wording import Problem, closest, listed, unknown_key, wrong


def rule_problems(scenario: Scenario) -> list[Problem]:
    """Whatever is wrong with ``[rule]``."""
    name: object = scenario.rule.get("name", DEFAULT_RULE)
    if not isinstance(name, str) or name not in RULES:
        hint = closest(name, RULES) if isinstance(name, str) else ""
        return [wrong(("rule", "name"), name, f"one of {listed(map(repr, RULES))}", hint)]
    known = [parameter.name for parameter in RULES[name].parameters]
    problems = []
    for key, value in scenario.rule_parameters.items():
        if key not in known:
            problems.append(unknown_key(("rule", key), ["name", *known]))
        elif not isinstance(value, str | int | float) or _is_huge(value):
            problems.append(wrong(("rule", key), value, "text or a number below 2^63"))
        else:
            problems += _refusal(name, key, value)
    return problems


def _refusal(name: str, key: str, value: object) -> list[Problem]:
    """What the rule itself says of one parameter; no parameter's range depends on another's."""
    try:
        RULES[name].parameters_type.from_mapping({key: value})
    except ParameterError as error:
        return [wrong(("rule", key), value, error.expected)]
    return []


def _is_huge(value: object) -> bool:
    """TOML's whole numbers have no bound, while the rules' arrays are of 64 bits."""
    return isinstance(value, int) and value.bit_length() > 63
