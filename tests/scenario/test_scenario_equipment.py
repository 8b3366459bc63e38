"""``[card]``, ``[host]`` and ``[rule]`` set the fields of what they describe, and only those."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import pytest

from nicmodel.faults import FaultPlan, Stall
from nicmodel.presets import HOST, PROFILES
from nicmodel.profile import CardProfile
from saactors.errors import ParameterError
from saactors.placement.table import RULES
from saactors.scenario import Scenario, card_profile, fault_plan, host_profile

Load = Callable[[str], Scenario]
Refusal = Callable[[str], tuple[str, str]]


def test_without_a_word_card_and_host_are_the_presets(load: Load) -> None:
    """Nothing is changed and nothing goes wrong."""
    scenario = load("")
    assert card_profile(scenario) is PROFILES["82599"]
    assert host_profile(scenario) is HOST
    assert fault_plan(scenario) == FaultPlan()


@pytest.mark.parametrize("name", PROFILES)
def test_a_card_is_named(load: Load, name: str) -> None:
    """Every preset can be had by its name."""
    assert card_profile(load(f"[card]\nprofile = '{name}'\n")) is PROFILES[name]


def test_figures_change_a_preset(load: Load) -> None:
    """The profile says that it was changed, and a changed figure loses its source."""
    card = card_profile(load("[card]\nprofile = 'nfp'\nslots_max = 5\nload_full = 'wait'\n"))
    assert (card.name, card.slots_max, card.load_full) == ("nfp (changed)", 5, "wait")
    assert card.load_latency_ns == PROFILES["nfp"].load_latency_ns
    assert "slots_max" not in card.sources
    assert "load_latency_ns" in card.sources


def test_every_figure_of_a_card_is_a_key(load: Load) -> None:
    """A card described whole, so that a new field of CardProfile is a key without a word here."""
    original = PROFILES["connectx6"]
    figures = [field.name for field in fields(CardProfile) if field.name != "sources"]
    values = {name: getattr(original, name) for name in figures} | {"name": "mine"}
    text = {True: "true", False: "false"}
    lines = [
        f"{name} = {text[value] if isinstance(value, bool) else repr(value)}"
        for name, value in values.items()
    ]
    card = card_profile(load("[card]\n" + "\n".join(lines)))
    assert {name: getattr(card, name) for name in figures} == values


def test_the_command_lines_profile_beats_the_files(load: Load) -> None:
    """The file's figures stay on top of it."""
    scenario = load("[card]\nprofile = 'nfp'\nslots_max = 5\n")
    card = card_profile(scenario, "netdevsim")
    assert (card.name, card.slots_max) == ("netdevsim (changed)", 5)
    assert card.context_bytes == PROFILES["netdevsim"].context_bytes


def test_a_profile_from_the_command_line_is_checked_as_well(load: Load) -> None:
    """It may not exist, or not go with the file's figures."""
    scenario = load("[card]\nload_latency_ns = 4_000_000\n")
    with pytest.raises(ParameterError, match="profile: found 'x', expected one of 82599, "):
        card_profile(scenario, "x")
    with pytest.raises(ParameterError, match="load_timeout_ns: found 1000000, expected at least"):
        card_profile(scenario, "netdevsim")


def test_host_figures(load: Load) -> None:
    """As for the card."""
    host = host_profile(load("[host]\nsoftware_byte_ns = 1\n"))
    assert (host.name, host.software_byte_ns) == ("xeon (changed)", 1)
    assert host.software_packet_ns == HOST.software_packet_ns
    assert set(host.sources) == {"software_packet_ns"}


def test_faults(load: Load) -> None:
    """Probabilities, instants and intervals."""
    plan = fault_plan(
        load(
            "[card.faults]\nload_lost_probability = 0.25\nresets_ns = [5, 9]\n"
            "stalls = [{ start_ns = 3, duration_ns = 4 }]\n"
        )
    )
    assert plan == FaultPlan(
        load_lost_probability=0.25, resets_ns=(5, 9), stalls=(Stall(start_ns=3, duration_ns=4),)
    )


def test_a_rule_has_a_name_and_parameters(load: Load) -> None:
    """The parameters go to ``make_rule`` as they stand."""
    scenario = load("[rule]\nname = 'metric'\ndecay = 'amount:2'\nthreshold = 5\n")
    assert scenario.rule_name == "metric"
    assert scenario.rule_parameters == {"decay": "amount:2", "threshold": 5}


def test_parameters_without_a_name_are_the_metric_rules(load: Load) -> None:
    """Which is the rule that the command takes by default; no table leaves the choice open."""
    assert load("[rule]\ninitial = 3\n").rule_name == "metric"
    assert load("").rule_name is None


@pytest.mark.parametrize("name", RULES)
def test_every_rule_can_be_named(load: Load, name: str) -> None:
    """The names are those of the table of rules."""
    assert load(f"[rule]\nname = '{name}'\n").rule_name == name


@pytest.mark.parametrize(
    ("text", "where", "problem"),
    [
        (
            "[card]\nprofile = 'nfb'",
            "card.profile",
            "found 'nfb', expected one of '82599', 'netdevsim', 'nfp', 'connectx6'",
        ),
        (
            "[card]\nprofile = 82599",
            "card.profile",
            (
                "found 82599, expected one of '82599', 'netdevsim', 'nfp', 'connectx6'; write it in"
                " quotes: '82599'"
            ),
        ),
        ("[card]\nslots = 5", "card.slots", "unknown key; did you mean 'slots_max'?"),
        ("[card]\nsources = {}", "card.sources", None),
        ("[card]\nslots_max = 0", "card.slots_max", "found 0, expected a whole number, at least 1"),
        (
            "[card]\nslots_max = 1.5",
            "card.slots_max",
            "found 1.5, expected a whole number below 2^63",
        ),
        (
            f"[card]\nslots_max = {2**63}",
            "card.slots_max",
            "found 9223372036854775808, expected a whole number below 2^63",
        ),
        (
            f"[card]\nengine_byte_ns = {2**63}",
            "card.engine_byte_ns",
            "found 9223372036854775808, expected a number, below 2^63 if whole",
        ),
        (
            "[card]\nload_blocks_engine = 1",
            "card.load_blocks_engine",
            "found 1, expected true or false",
        ),
        ("[card]\nloads_at_once = true", "card.loads_at_once", None),
        ("[card]\nload_full = 1", "card.load_full", "found 1, expected text"),
        (
            "[card]\nload_full = 'block'",
            "card.load_full",
            "found 'block', expected one of refuse, wait",
        ),
        (
            "[card]\nload_latency_ns = 6_000_000",
            "card.load_timeout_ns",
            "found 5000000, expected at least load_latency_ns (6000000), or no load ever succeeds",
        ),
        ("[card]\nfaults = 1", "card.faults", "found 1, expected a table"),
        (
            "[card.faults]\nload_lost = 1",
            "card.faults.load_lost",
            "unknown key; did you mean 'load_lost_probability'?",
        ),
        (
            "[card.faults]\nload_lost_probability = 2",
            "card.faults.load_lost_probability",
            "found 2, expected a probability from 0 to 1",
        ),
        (
            "[card.faults]\nload_lost_probability = nan",
            "card.faults.load_lost_probability",
            "found nan, expected a probability from 0 to 1",
        ),
        ("[card.faults]\nresets_ns = 5", "card.faults.resets_ns", "found 5, expected an array"),
        (
            "[card.faults]\nresets_ns = [1, 'two']",
            "card.faults.resets_ns[1]",
            "found 'two', expected a whole number below 2^63",
        ),
        (
            "[card.faults]\nresets_ns = [-5]",
            "card.faults.resets_ns",
            "found -5, expected instants from 0 on",
        ),
        ("[card.faults]\nstalls = [7]", "card.faults.stalls[0]", "found 7, expected a table"),
        (
            "[card.faults]\nstalls = [{ start_ns = 1 }]",
            "card.faults.stalls[0].duration_ns",
            "missing, expected a whole number below 2^63",
        ),
        (
            "[card.faults]\nstalls = [{ start_ns = -1, duration_ns = 1 }]",
            "card.faults.stalls",
            (
                "found Stall(start_ns=-1, duration_ns=1), expected a start from 0 on and a duration"
                " above 0"
            ),
        ),
        (
            "[host]\nsoftware_packet = 1",
            "host.software_packet",
            "unknown key; did you mean 'software_packet_ns'?",
        ),
        (
            "[host]\nsoftware_packet_ns = -1",
            "host.software_packet_ns",
            "found -1, expected a number, at least 0",
        ),
        (
            "[rule]\nname = 'metrics'",
            "rule.name",
            f"found 'metrics', expected one of {str([*RULES])[1:-1]}; did you mean 'metric'?",
        ),
        ("[rule]\nname = 1", "rule.name", None),
        ("[rule]\ndekay = 1", "rule.dekay", "unknown key; did you mean 'decay'?"),
        (
            "[rule]\nname = 'never'\ndecay = 'factor:0.5'",
            "rule.decay",
            "unknown key; the keys here are name",
        ),
        (
            "[rule]\ndecay = 0.9",
            "rule.decay",
            "found 0.9, expected factor:F or amount:A, for instance factor:0.9",
        ),
        (
            "[rule]\ndecay = 'factor:2'",
            "rule.decay",
            "found 'factor:2', expected a factor above 0 and at most 1",
        ),
        (
            "[rule]\nperiod_ns = [1]",
            "rule.period_ns",
            "found an array of 1, expected text or a number below 2^63",
        ),
        (f"[rule]\nperiod_ns = {2**63}", "rule.period_ns", None),
        ("[rule]\nincrement = 0", "rule.increment", "found 0, expected a finite number above 0"),
    ],
)
def test_a_setting_that_does_not_fit(
    refusal: Refusal, text: str, where: str, problem: str | None
) -> None:
    """What the dataclass or the rule refuses stands under the key it came from."""
    found, message = refusal(text)
    assert found == where
    assert problem is None or message == problem
