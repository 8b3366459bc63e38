"""Options that the lab's commands share, and what their texts mean.

@trace_options
@card_options
@slots_option()
@rule_options()
def command(sa_per, seeds, burst, burst_wait_us, profile, card, slots, rules, settings): ...
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from saactors.cli.sections import section

if TYPE_CHECKING:
    from nicmodel.profile import CardProfile

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_traffic = section("Traffic")
_card = section("Card")
_rules = section("Rules")


def _all_of(*options: Decorator) -> Decorator:
    """One decorator of many, which --help shows in this order."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


_sa_per = _traffic(
    "--sa-per",
    type=click.Choice(("flow", "host-pair", "subnet")),
    metavar="flow|host-pair|subnet",
    default="flow",
    unset="flow",
    help="What gets an SA of its own in a capture, each way.",
)
_seeds = _traffic(
    "--seeds",
    type=click.IntRange(min=1),
    metavar="N",
    default=1,
    unset="1",
    help="Run synthetic traces with the seeds 0 to N-1.",
)
_bursts = _all_of(
    _traffic(
        "--burst",
        type=click.IntRange(min=1),
        metavar="N",
        default=256,
        unset="256",
        help="Packets decided together, at most.",
    ),
    _traffic(
        "--burst-wait-us",
        type=click.IntRange(0, 1_000_000),
        metavar="N",
        default=50,
        unset="50",
        help="How long a burst may gather.",
    ),
)

trace_options = _all_of(_sa_per, _seeds, _bursts)
"""--sa-per, --seeds, --burst, --burst-wait-us."""

one_trace_options = _all_of(
    _sa_per,
    _traffic(
        "--seed",
        type=click.IntRange(0, 2**64 - 1),
        metavar="N",
        default=0,
        unset="0",
        help="Of a synthetic trace.",
    ),
    _bursts,
)
"""--sa-per, --seed, --burst, --burst-wait-us."""

card_options = _all_of(
    _card(
        "--profile",
        metavar="NAME",
        default="82599",
        unset="82599",
        help="The card; see saactors profiles.",
    ),
    _card(
        "--card",
        metavar="FIGURE=VALUE",
        multiple=True,
        help="Another figure of the card, such as load_host_ns=5000; may be repeated.",
    ),
)
"""--profile, --card; a command adds --slots as it needs it."""


def slots_option(unset: str = "the profile's") -> Decorator:
    """--slots; ``unset`` says what happens without."""
    return _card(
        "--slots",
        metavar="N,P%,…",
        unset=unset,
        help="Slots of the card, or per cent of the trace's SAs: 33,10%.",
    )


def rule_options(unset: str = "all but the clairvoyant") -> Decorator:
    """--rules and --set (as ``settings``); ``unset`` says which rules without."""
    return _all_of(
        _rules(
            "--rules",
            metavar="A,B,…",
            unset=unset,
            help="Rules, see saactors rules; one of your own as FILE.py:NAME.",
        ),
        _rules(
            "--set",
            "settings",
            metavar="RULE.NAME=VALUE",
            multiple=True,
            help="A rule's parameter, such as metric.threshold=20; may be repeated.",
        ),
    )


def names_in(text: str | None) -> tuple[str, ...] | None:
    """``a,b`` as names, each once; None where nothing was given."""
    if text is None:
        return None
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise click.UsageError(f"--rules: found {text!r}, expected names with commas between them")
    return names


def slots_in(text: str | None) -> tuple[int | str, ...]:
    """``33,10%`` as counts and shares of the SAs; empty where nothing was given."""
    if text is None:
        return ()
    return tuple(int(one) if one.isdecimal() else one for one in map(str.strip, text.split(",")))


def settings_in(texts: Sequence[str], rules: Sequence[str]) -> dict[str, dict[str, object]]:
    """``metric.threshold=20`` as rule → name → value; a time with a unit goes to NAME_ns."""
    settings: dict[str, dict[str, object]] = {}
    for text in texts:
        path, equals, value = text.partition("=")
        rule, _, name = path.strip().rpartition(".")
        if not (equals and rule and name and value.strip()):
            expected = "RULE.NAME=VALUE, such as metric.threshold=20"
            raise click.UsageError(f"--set: found {text!r}, expected {expected}")
        if rule not in rules:
            expected = f"a parameter of one of the rules that are run: {', '.join(rules)}"
            raise click.UsageError(f"--set: found {text!r}, expected {expected}")
        settings.setdefault(rule, {}).update([_named(name, value.strip())])
    return settings


def card_in(profile: str, figures: Sequence[str]) -> CardProfile:
    """The card of ``--profile`` and ``--card``.

    Raises:
        ParameterError: no such profile, no such figure, or a value that it cannot have.
    """
    from saactors.lab.equipment import card_of  # noqa: PLC0415

    changes: dict[str, object] = {}
    for text in figures:
        name, equals, value = text.partition("=")
        if not (equals and name.strip() and value.strip()):
            expected = "FIGURE=VALUE, such as load_host_ns=5000"
            raise click.UsageError(f"--card: found {text!r}, expected {expected}")
        changes.update([_named(name.strip(), value.strip())])
    return card_of(profile, changes)


def _named(name: str, text: str) -> tuple[str, object]:
    """A value as TOML would have it: a number, true, false, else text. 3ms is 3000000 NAME_ns."""
    from saactors.observe.units import parse_duration_ns  # noqa: PLC0415

    known: Mapping[str, object] = {"true": True, "false": False}
    if text in known:
        return name, known[text]
    for number in (int, float):
        try:
            return name, number(text)
        except ValueError:
            continue
    try:
        return f"{name.removesuffix('_ns')}_ns", parse_duration_ns(text)
    except ValueError:
        return name, text
