"""``[card]``, ``[card.faults]`` and ``[host]``: settings over the dataclasses of ``nicmodel``.

The keys of these tables are the fields of the dataclasses that they set, so a new figure of the
card is a new key here without a word. Types are checked here, by the fields' annotations; ranges
are the dataclasses' own business, and what they refuse is reported under the key it came from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

from nicmodel.errors import ModelError
from nicmodel.faults import FaultPlan
from nicmodel.presets import HOST, PROFILES
from nicmodel.profile import CardProfile, HostProfile, customised
from saactors.errors import ParameterError
from saactors.scenario.tables import Scenario
from saactors.scenario.wording import Location, Problem, listed, missing, unknown_key, wrong

DEFAULT_PROFILE: Final = "82599"

BuiltT = TypeVar("BuiltT")

_EXPECTED: Final = {
    bool: "true or false",
    int: "a whole number below 2^63",
    float: "a number, below 2^63 if whole",
    str: "text",
}
_BESIDE_FIGURES: Final = ("profile", "faults")
_NOT_SETTINGS: Final = ("sources",)  # written by the presets; changed figures lose theirs


def card_profile(scenario: Scenario, profile: str | None = None) -> CardProfile:
    """The card: ``profile``, or else the profile that ``[card]`` names, with the table's figures.

    Raises:
        ParameterError: no such profile, or figures that do not go with it.
    """
    name = profile or scenario.card.get("profile", DEFAULT_PROFILE)
    if name not in PROFILES:
        raise ParameterError("profile", name, f"one of {listed(PROFILES)}")
    base, figures = PROFILES[name], _figures(scenario.card)
    if not figures:
        return base
    return _built(lambda: customised(base, **{"name": f"{name} (changed)", **figures}))


def host_profile(scenario: Scenario) -> HostProfile:
    """The host that does the software crypto, with the figures of ``[host]``.

    Raises:
        ParameterError: figures that describe no host.
    """
    host = scenario.host
    if not host:
        return HOST
    kept = {name: source for name, source in HOST.sources.items() if name not in host}
    figures = {"name": f"{HOST.name} (changed)", **host, "sources": MappingProxyType(kept)}
    return _built(lambda: replace(HOST, **figures))


def fault_plan(scenario: Scenario) -> FaultPlan:
    """What ``[card.faults]`` has go wrong; nothing without that table."""
    problems: list[Problem] = []
    plan = _read(FaultPlan, scenario.card.get("faults", {}), ("card", "faults"), problems)
    assert isinstance(plan, FaultPlan), "a scenario is checked when it is read"
    return plan


def equipment_problems(scenario: Scenario) -> list[Problem]:
    """Whatever is wrong with ``[card]``, ``[card.faults]`` and ``[host]``."""
    return [*_card_problems(scenario), *_fault_problems(scenario), *_host_problems(scenario)]


def _card_problems(scenario: Scenario) -> list[Problem]:
    problems: list[Problem] = []
    _read_settings(CardProfile, _figures(scenario.card), ("card",), problems, also=_BESIDE_FIGURES)
    profile = scenario.card.get("profile", DEFAULT_PROFILE)
    if not isinstance(profile, str) or profile not in PROFILES:
        hint = f"write it in quotes: {str(profile)!r}" if str(profile) in PROFILES else ""
        expected = f"one of {listed(map(repr, PROFILES))}"
        problems.append(wrong(("card", "profile"), profile, expected, hint))
    return problems or _refusal(("card",), lambda: card_profile(scenario))


def _fault_problems(scenario: Scenario) -> list[Problem]:
    problems: list[Problem] = []
    _read(FaultPlan, scenario.card.get("faults", {}), ("card", "faults"), problems)
    return problems


def _host_problems(scenario: Scenario) -> list[Problem]:
    problems: list[Problem] = []
    _read_settings(HostProfile, scenario.host, ("host",), problems)
    return problems or _refusal(("host",), lambda: host_profile(scenario))


def _figures(card: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in card.items() if name not in _BESIDE_FIGURES}


def _read(
    hint: Any,  # noqa: ANN401 - a field's type
    value: object,
    where: Location,
    problems: list[Problem],
) -> Any:  # noqa: ANN401 - a value of that type
    """``value`` as a field of type ``hint`` holds it: a scalar, a tuple or a dataclass."""
    if is_dataclass(hint):
        return _read_dataclass(hint, value, where, problems)
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            problems.append(wrong(where, value, "an array"))
            return ()
        item = get_args(hint)[0]
        return tuple(_read(item, v, (*where, i), problems) for i, v in enumerate(value))
    if not _fits(hint, value):
        problems.append(wrong(where, value, _EXPECTED[hint]))
    return value


def _read_dataclass(
    shape: Any,  # noqa: ANN401 - a dataclass type, which has no type
    value: object,
    where: Location,
    problems: list[Problem],
) -> Any:  # noqa: ANN401 - an instance of ``shape``
    if not isinstance(value, dict):
        problems.append(wrong(where, value, "a table"))
        return None
    found: list[Problem] = []
    settings = _read_settings(shape, value, where, found)
    found += [
        missing((*where, field.name), _EXPECTED[get_type_hints(shape)[field.name]])
        for field in fields(shape)
        if field.name not in value and field.default is MISSING is field.default_factory
    ]
    found = found or _refusal(where, lambda: _built(lambda: shape(**settings)))
    problems += found
    return None if found else shape(**settings)


def _read_settings(
    shape: Any,  # noqa: ANN401 - a dataclass type, which has no type
    table: Mapping[str, object],
    where: Location,
    problems: list[Problem],
    also: tuple[str, ...] = (),
) -> dict[str, Any]:
    """The fields of ``shape`` that ``table`` sets; ``also`` are keys that may stand beside them."""
    hints = get_type_hints(shape)
    known = [field.name for field in fields(shape) if field.name not in _NOT_SETTINGS]
    settings = {}
    for name, value in table.items():
        if name in known:
            settings[name] = _read(hints[name], value, (*where, name), problems)
        else:
            problems.append(unknown_key((*where, name), [*also, *known]))
    return settings


def _fits(kind: type, value: object) -> bool:
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    if isinstance(value, int):  # TOML's have no bound; the model's columns have 64 bits
        return kind in (int, float) and value.bit_length() < 64
    return isinstance(value, kind)


def _built(build: Callable[[], BuiltT]) -> BuiltT:
    """What ``build`` makes; what the model refuses is the user's mistake here."""
    try:
        return build()
    except ModelError as error:
        raise ParameterError(error.field, error.found, error.expected) from None


def _refusal(where: Location, build: Callable[[], object]) -> list[Problem]:
    try:
        build()
    except ParameterError as error:
        return [wrong((*where, error.name), error.found, error.expected)]
    return []
