"""A run described: read from TOML, checked, and nothing started.

``load_scenario`` gives a ``Scenario`` or raises one ``ScenarioError`` that lists whatever is wrong.
The file's reference is ``docs/scenario.md``.
"""

from saactors.scenario.equipment import card_profile, fault_plan, host_profile
from saactors.scenario.gateway_tables import Live
from saactors.scenario.load import load_gateway, load_scenario, scenario_of
from saactors.scenario.spd import spd_entries, templates
from saactors.scenario.tables import (
    GivenSa,
    Policy,
    Replay,
    Scenario,
    Template,
    UdpEncapsulation,
)

__all__ = [
    "GivenSa",
    "Live",
    "Policy",
    "Replay",
    "Scenario",
    "Template",
    "UdpEncapsulation",
    "card_profile",
    "fault_plan",
    "host_profile",
    "load_gateway",
    "load_scenario",
    "scenario_of",
    "spd_entries",
    "templates",
]
