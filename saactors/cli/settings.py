"""From command line and scenario to the options of a replay, and back to the option at fault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import click

from saactors.errors import ParameterError
from saactors.replay.files import OUTPUTS, refuse_overwriting
from saactors.replay.options import ReplayOptions, SaPer
from saactors.scenario.load import load_scenario

_RULE_PARAMETERS: Final = (
    "initial",
    "increment",
    "bonus",
    "decay",
    "period",
    "threshold",
    "weight",
    "decide",
)
_OF_SAS_ON_DEMAND: Final = ("sa_per", "suite", "mode")


def options_from(
    capture: str, scenario_file: str | None, given: Mapping[str, Any]
) -> ReplayOptions:
    """What the command line gives, else what the scenario says, else the default.

    Raises:
        ScenarioError: the file does not describe a run.
        ParameterError: a value that cannot be used, or an option that would have no effect.
    """
    on_command_line = {name: value for name, value in given.items() if value is not None}
    chosen: dict[str, Any] = {}
    if scenario_file is not None:
        scenario = load_scenario(scenario_file)
        chosen.update(scenario.replay.model_dump(exclude_none=True), scenario=scenario)
        if scenario.seed is not None:
            chosen["seed"] = scenario.seed
        outputs: dict[str, str] = {
            name: on_command_line[name] for name in OUTPUTS if name in on_command_line
        }
        refuse_overwriting({"scenario": scenario_file}, outputs)
    if "rx_ring" in on_command_line:  # a ring on the command line opens a scenario's closed loop
        chosen["closed_loop"] = False
    chosen.update(on_command_line)
    _refuse_what_has_no_effect(on_command_line, chosen)
    rule: dict[str, object] = {
        name: chosen.pop(name) for name in _RULE_PARAMETERS if name in chosen
    }
    if "period" in rule:
        rule["period_ns"] = rule.pop("period")
    if "burst_wait_us" in chosen:
        chosen["burst_wait_ns"] = 1000 * chosen.pop("burst_wait_us")
    if "sa_per" in chosen:
        chosen["sa_per"] = SaPer(chosen["sa_per"])
    return ReplayOptions(capture=capture, rule_parameters=rule, **chosen)


@contextmanager
def in_terms_of_options(given: Mapping[str, Any]) -> Iterator[None]:
    """Name the option in what is raised inside about a value that came from the command line."""
    try:
        yield
    except ParameterError as problem:
        if problem.name not in given:
            raise
        option = f"--{problem.name.replace('_', '-')}"
        told = str(ParameterError(option, problem.found, problem.expected))
        raise click.UsageError(told, click.get_current_context()) from None


def _refuse_what_has_no_effect(given: Mapping[str, Any], chosen: Mapping[str, Any]) -> None:
    """An option that would do nothing is a misunderstanding, which only its user can clear up."""
    if "scenario" in chosen and chosen["scenario"].policies:
        _refuse(_OF_SAS_ON_DEMAND, given, "nothing: the scenario's policies say it")
    if chosen.get("direction") == "in":
        _refuse((*_OF_SAS_ON_DEMAND, "pad_cut"), given, "nothing with direction in")
    if "events" not in chosen:
        _refuse(("events_verbose",), given, "a log to be written with --events")
    if given.get("closed_loop"):
        _refuse(("rx_ring",), given, "nothing with a closed loop")


def _refuse(names: tuple[str, ...], given: Mapping[str, Any], expected: str) -> None:
    for name in names:
        if name in given:
            raise ParameterError(name, given[name], expected)
