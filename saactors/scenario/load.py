"""From a file to a ``Scenario``, or to one error that lists everything wrong with it.

In order: the file is TOML; each table has the keys and values that it may have; the tables agree
with each other. Each step lists all that it finds, and stops the next.

Law 10 shapes the code: pydantic's errors hold what was found, and the parser's the whole document,
so ours are raised where those are gone, not "from" them.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from saactors.errors import ScenarioError
from saactors.placement.user_file import beside
from saactors.scenario.checks import cross_problems
from saactors.scenario.equipment import equipment_problems
from saactors.scenario.rule import rule_problems
from saactors.scenario.tables import Scenario
from saactors.scenario.wording import (
    Problem,
    missing,
    summary,
    unknown_key,
    without_keys,
    wrong,
)

FILE_BYTES_MAX: Final = 64 << 20  # room for 10⁵ SAs; /dev/zero is no scenario
_POSITION: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def load_scenario(path: str | Path) -> Scenario:
    """Read and check a scenario. Starts nothing and reads nothing but that file.

    Raises:
        ScenarioError: the file cannot be read, is no TOML, or does not describe a run.
    """
    return scenario_of(str(path), _document(str(path)))


def scenario_of(path: str, document: dict[str, Any]) -> Scenario:
    """The scenario that a parsed file describes; ``path`` names it in errors.

    Raises:
        ScenarioError: it does not describe a run.
    """
    scenario, problems = _checked(_with_rule_beside(document, Path(path).parent))
    if problems or scenario is None:
        raise ScenarioError(path, *summary(problems))
    return scenario


def _with_rule_beside(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The same with the file of a rule of one's own as seen from here, not from the scenario."""
    rule = document.get("rule")
    if not isinstance(rule, dict) or not isinstance(rule.get("name"), str):
        return document
    return {**document, "rule": {**rule, "name": beside(rule["name"], folder)}}


def _checked(document: dict[str, Any]) -> tuple[Scenario | None, list[Problem]]:
    try:
        scenario = Scenario.model_validate(document)
    except ValidationError as error:
        return None, [_shape_problem(details) for details in error.errors(include_url=False)]
    problems = [*cross_problems(scenario), *equipment_problems(scenario)]
    return scenario, problems + rule_problems(scenario)


def _document(path: str) -> dict[str, Any]:
    """The file as TOML has it."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ScenarioError(path, "", f"cannot be read: {reason}") from None
    if len(content) > FILE_BYTES_MAX:
        found = f"found more than {FILE_BYTES_MAX >> 20} MiB, expected a scenario in TOML"
        raise ScenarioError(path, "", found)
    document, problem = _parsed(content)
    if problem is not None:
        raise ScenarioError(path, *problem)
    return document


def _parsed(content: bytes) -> tuple[dict[str, Any], Problem | None]:
    try:
        return tomllib.loads(content.decode()), None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return {}, Problem(f"line {line}", "found bytes that are not UTF-8, expected TOML in UTF-8")
    except tomllib.TOMLDecodeError as error:
        return {}, _syntax_problem(str(error))
    except ValueError:  # tomllib lets Python's limit on the digits of an int through
        return {}, Problem("", "found a number of thousands of digits, expected at most 64 bits")
    except RecursionError:
        return {}, Problem(
            "", "found arrays or tables nested too deeply, expected at most a few levels"
        )


def _syntax_problem(message: str) -> Problem:
    """The TOML parser's message, with its position in front."""
    position = _POSITION.search(message)
    where = "end of file"
    if position is not None and position[1]:
        where = f"line {position[1]}, column {position[2]}"
    text = without_keys(_POSITION.sub("", message))
    return Problem(where, f"{text}; mend the TOML there or just before")


def _shape_problem(details: ErrorDetails) -> Problem:
    """One of pydantic's errors in our words."""
    where = details["loc"]
    names = [step for step in where if isinstance(step, str)]
    table = _table_at(names[:-1])
    if details["type"] == "extra_forbidden":
        return unknown_key(where, table.model_fields)
    expected = table.model_fields[names[-1]].description or ""
    if isinstance(where[-1], int):
        expected = "a table"
    if details["type"] == "missing":
        return missing(where, expected)
    hint = details.get("ctx", {}).get("hint", "")
    return wrong(where, details["input"], expected, hint, secret=names[-1] == "key")


def _table_at(names: list[str]) -> type[BaseModel]:
    table: type[BaseModel] = Scenario
    for name in names:
        table = _table_in(table.model_fields[name].annotation)
    return table


def _table_in(annotation: Any) -> type[BaseModel]:  # noqa: ANN401 - a type hint
    """The table of a key that holds one, perhaps, or an array of them."""
    inner = get_args(annotation)
    table: type[BaseModel] = inner[0] if inner else annotation
    return table
