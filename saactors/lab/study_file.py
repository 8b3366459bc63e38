"""``STUDY.toml``: traces × rules × parameters × cards × seeds, and the questions asked of them.

    traces = ["../demo/traffic.pcap.gz", "synth:zipf,sas=2000"]
    slots = [16, "10%"]
    [[rules]]
    name = "metric"
    threshold = [1, 10, 100]

A file is checked as a whole before anything runs, in the words of scenario files, and whatever is
wrong is listed in one error. Its reference is ``docs/tuning.md``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from saactors.errors import ScenarioError
from saactors.lab.study_checks import problems_of
from saactors.lab.study_tables import QuestionTable, Study
from saactors.placement.user_file import beside
from saactors.scenario.document import read_document
from saactors.scenario.wording import Problem, missing, summary, unknown_key, wrong


def load_study(path: str | Path) -> Study:
    """Read and check a study. Starts nothing; of the traces it sees only whether they are there.

    Raises:
        ScenarioError: the file cannot be read, is no TOML, or does not describe a study.
    """
    return study_of(str(path), read_document(str(path), "a study"), Path(path).parent)


def study_of(path: str, document: dict[str, Any], folder: Path) -> Study:
    """The study that a parsed file describes; ``path`` names it in errors, ``folder`` has it.

    Raises:
        ScenarioError: it does not describe a study.
    """
    try:
        study = Study.model_validate(_with_rules_beside(document, folder))
    except ValidationError as error:
        found = [_shape_problem(details) for details in error.errors(include_url=False)]
        raise ScenarioError(path, *summary(found)) from None
    problems = problems_of(study, folder)
    if problems:
        raise ScenarioError(path, *summary(problems))
    return study


def _with_rules_beside(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The same with the files of rules of one's own as seen from here, not from the study."""
    tables = document.get("rules")
    if not isinstance(tables, list):
        return document
    rules = [
        {**table, "name": beside(table["name"], folder)}
        if isinstance(table, dict) and isinstance(table.get("name"), str)
        else table
        for table in tables
    ]
    return {**document, "rules": rules}


def _shape_problem(details: ErrorDetails) -> Problem:
    """One of pydantic's errors in our words."""
    where = details["loc"]
    table: type[BaseModel] = QuestionTable if where[0] == "questions" and where[1:] else Study
    names = [step for step in where if isinstance(step, str) and step in table.model_fields]
    if details["type"] == "extra_forbidden":
        return unknown_key(where, table.model_fields)
    expected = (table.model_fields[names[-1]].description or "") if names else "a table"
    if details["type"] == "missing":
        return missing(where, expected)
    where = tuple(step for step in where if isinstance(step, int) or step in names)
    return wrong(where or details["loc"][:1], details["input"], expected)
