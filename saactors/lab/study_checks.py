"""What no single key of a study can tell: that names exist, values go together, files are there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from nicmodel.presets import HOST, PROFILES
from nicmodel.profile import CardProfile, HostProfile
from saactors.errors import ParameterError
from saactors.lab.equipment import card_of, check_slots
from saactors.lab.frames import SCHEMA
from saactors.lab.run import cost_model
from saactors.lab.study_tables import QuestionTable, Study, combinations, host_of
from saactors.placement.table import RULES, read_parameters
from saactors.scenario.rule import entry_or_problem
from saactors.scenario.wording import Location, Problem, closest, listed, unknown_key, wrong
from saactors.traces.synthetic.table import MODELS, SYNTH_PREFIX, read_synth_text

NUMBERS: Final = frozenset(name for name, kind in SCHEMA.items() if kind.is_numeric())
_NOT_FIGURES: Final = ("name", "sources", "slots_max")  # slots_max: the study has ``slots``


def problems_of(study: Study, folder: Path) -> list[Problem]:
    """Whatever is wrong with a study whose tables are right one by one; paths are in ``folder``."""
    problems = [*_traces(study, folder), *_profiles(study), *_slots(study)]
    problems += [*_figures(study, "card", CardProfile), *_figures(study, "host", HostProfile)]
    for number, rule in enumerate(study.rules):
        problems += _rule(study, ("rules", number), rule, sure=not problems)
    columns = columns_of(study)
    for number, question in enumerate(study.questions):
        problems += _question(("questions", number), question, columns)
    return problems


def columns_of(study: Study) -> list[str]:
    """The columns of the study's results: those of every comparison, and whatever is varied."""
    names = [name for name in SCHEMA.names() if name != "parameters"]
    names += [*study.card, *study.host]
    for rule in study.rules:
        name = rule.get("name")
        entry = entry_or_problem((), name)
        if not isinstance(entry, Problem):
            names += [parameter.name for parameter in entry.parameters]
    return list(dict.fromkeys(names))


def _traces(study: Study, folder: Path) -> Iterator[Problem]:
    for number, trace in enumerate(study.traces):
        where = ("traces", number)
        if not trace.startswith(SYNTH_PREFIX):
            if not (folder / trace).is_file():
                hint = f"paths start where the study stands, in {folder}"
                yield wrong(where, trace, "a file that is there, or 'synth:MODEL'", hint)
            continue
        try:
            model, given = read_synth_text(trace)
            if model not in MODELS:
                expected = f"one of {listed(map(repr, MODELS))}"
                yield wrong(where, model, expected, closest(model, MODELS))
            else:
                MODELS[model].model.from_mapping(given)
        except ParameterError as error:
            yield Problem(f"traces[{number}]", str(error))


def _profiles(study: Study) -> Iterator[Problem]:
    for number, profile in enumerate(study.profiles):
        if profile not in PROFILES:
            hint = closest(profile, PROFILES)
            expected = f"one of {listed(map(repr, PROFILES))}"
            yield wrong(("profiles", number), profile, expected, hint)


def _slots(study: Study) -> Iterator[Problem]:
    for number, wanted in enumerate(study.slots):
        try:
            check_slots([wanted])
        except ParameterError as error:
            yield wrong(("slots", number), error.found, error.expected)


def _figures(study: Study, table: str, shape: type[CardProfile | HostProfile]) -> Iterator[Problem]:
    """``[card]`` and ``[host]``: figures that there are, with values that they can have."""
    known = [field.name for field in fields(shape) if field.name not in _NOT_FIGURES]
    settings = getattr(study, table)
    for name, value in settings.items():
        if name == "slots_max":
            yield Problem(f"{table}.{name}", "set by slots = […] at the top of the file; move it")
        elif name not in known:
            yield unknown_key((table, name), known)
        elif value == []:
            yield wrong((table, name), value, "at least one value")
    if any(name not in known or value == [] for name, value in settings.items()):
        return
    try:
        for figures in combinations(settings):
            if table == "host":
                host_of(figures)
                continue
            for profile in study.profiles:
                card_of(profile if profile in PROFILES else next(iter(PROFILES)), figures)
    except ParameterError as error:
        yield wrong((table, error.name), error.found, error.expected)


def _rule(study: Study, where: Location, rule: Any, *, sure: bool) -> Iterator[Problem]:  # noqa: ANN401 - a table of TOML
    if "name" not in rule:
        yield Problem(f"rules[{where[1]}].name", f"missing, expected one of {listed(RULES)}")
        return
    name = rule["name"]
    entry = entry_or_problem((*where, "name"), name)
    if isinstance(entry, Problem):
        yield entry
        return
    known = [parameter.name for parameter in entry.parameters]
    cost = cost_model(PROFILES[study.profiles[0]], HOST) if sure else None
    for key, value in rule.items():
        if key == "name":
            continue
        if key not in known:
            yield unknown_key((*where, key), ["name", *known])
            continue
        for one in value if isinstance(value, list) else [value]:
            try:
                if cost is not None:
                    read_parameters(name, {key: one}, cost)
            except ParameterError as error:
                yield wrong((*where, key), one, error.expected)
        if value == []:
            yield wrong((*where, key), value, "at least one value")


def _question(where: Location, question: QuestionTable, columns: list[str]) -> Iterator[Problem]:
    for key in ("x", "y", "colour", "facet"):
        name = getattr(question, key)
        if name is not None and name not in columns:
            hint = closest(name, columns) or f"the columns are {listed(columns)}"
            yield wrong((*where, key), name, "a column of the results", hint)
    if question.y in columns and question.y not in NUMBERS:
        yield wrong((*where, "y"), question.y, f"one of {listed(sorted(NUMBERS))}")
    for name in question.where:
        if name not in columns:
            yield unknown_key((*where, "where", name), columns)
