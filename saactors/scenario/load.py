"""From a file to a ``Scenario``, or to one error that lists everything wrong with it.

In order: the file is TOML; each table has the keys and values that it may have; the tables agree
with each other. Each step lists all that it finds, and stops the next.

Law 10 shapes the code: pydantic's errors hold what was found, and the parser's the whole document,
so ours are raised where those are gone, not "from" them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from saactors.errors import ScenarioError
from saactors.placement.user_file import beside
from saactors.scenario.checks import cross_problems
from saactors.scenario.document import read_document
from saactors.scenario.equipment import equipment_problems
from saactors.scenario.gateway_checks import gateway_problems
from saactors.scenario.gateway_tables import Live
from saactors.scenario.rule import rule_problems
from saactors.scenario.tables import Scenario
from saactors.scenario.wording import (
    Problem,
    missing,
    summary,
    unknown_key,
    wrong,
)

_SECRETS: Final = ("key", "integrity_key")

ScenarioT = TypeVar("ScenarioT", bound=Scenario)


def load_scenario(path: str | Path) -> Scenario:
    """Read and check a scenario. Starts nothing and reads nothing but that file.

    Raises:
        ScenarioError: the file cannot be read, is no TOML, or does not describe a run.
    """
    return scenario_of(str(path), read_document(str(path), "a scenario"))


def load_gateway(path: str | Path) -> Live:
    """Read and check a gateway's file. Starts nothing and reads nothing but that file.

    Raises:
        ScenarioError: the file cannot be read, is no TOML, or does not describe a gateway.
    """
    document = _with_rule_beside(read_document(str(path), "a gateway"), Path(path).parent)
    gateway, problems = _checked(document, Live)
    if problems or gateway is None:
        raise ScenarioError(str(path), *summary(problems))
    return gateway


def scenario_of(path: str, document: dict[str, Any]) -> Scenario:
    """The scenario that a parsed file describes; ``path`` names it in errors.

    Raises:
        ScenarioError: it does not describe a run.
    """
    scenario, problems = _checked(_with_rule_beside(document, Path(path).parent), Scenario)
    if problems or scenario is None:
        raise ScenarioError(path, *summary(problems))
    return scenario


def _with_rule_beside(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The same with the file of a rule of one's own as seen from here, not from the scenario."""
    rule = document.get("rule")
    if not isinstance(rule, dict) or not isinstance(rule.get("name"), str):
        return document
    return {**document, "rule": {**rule, "name": beside(rule["name"], folder)}}


def _checked(
    document: dict[str, Any], kind: type[ScenarioT]
) -> tuple[ScenarioT | None, list[Problem]]:
    try:
        scenario = kind.model_validate(document)
    except ValidationError as error:
        return None, [_shape_problem(details, kind) for details in error.errors(include_url=False)]
    problems = [*cross_problems(scenario), *equipment_problems(scenario)]
    if isinstance(scenario, Live):
        problems += gateway_problems(scenario)
    return scenario, problems + rule_problems(scenario)


def _shape_problem(details: ErrorDetails, kind: type[Scenario]) -> Problem:
    """One of pydantic's errors in our words."""
    where = details["loc"]
    names = [step for step in where if isinstance(step, str)]
    table = _table_at(names[:-1], kind)
    if details["type"] == "extra_forbidden":
        return unknown_key(where, table.model_fields)
    expected = table.model_fields[names[-1]].description or ""
    if isinstance(where[-1], int):
        expected = "a table"
    if details["type"] == "missing":
        return missing(where, expected)
    hint = details.get("ctx", {}).get("hint", "")
    return wrong(where, details["input"], expected, hint, secret=names[-1] in _SECRETS)


def _table_at(names: list[str], kind: type[Scenario]) -> type[BaseModel]:
    table: type[BaseModel] = kind
    for name in names:
        table = _table_in(table.model_fields[name].annotation)
    return table


def _table_in(annotation: Any) -> type[BaseModel]:  # noqa: ANN401 - a type hint
    """The table of a key that holds one, perhaps, or an array of them."""
    inner = get_args(annotation)
    table: type[BaseModel] = inner[0] if inner else annotation
    return table
