"""``saactors replay CAPTURE``: options and scenario into a replay, its result to the screen."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from saactors.cli.main import INTERRUPTED
from saactors.cli.output import standard_output
from saactors.cli.progress import progress_bar
from saactors.cli.sections import SectionedCommand, section
from saactors.cli.values import Duration

if TYPE_CHECKING:
    from saactors.report.result import RunResult

VERIFY_FAILED: Final = 1

_FILE = click.Path(dir_okay=False)

_ANALYSIS: Final = "by cost analysis"

_protection = section("Protection")
_arrival = section("Arrival")
_placement = section("Card and placement rule")
_work = section("Execution")
_results = section("Results")


def _choice(*values: str) -> dict[str, Any]:
    """An option that takes one of these values."""
    return {"type": click.Choice(values), "metavar": "|".join(values)}


def _number(kind: type | click.ParamType[Any]) -> dict[str, Any]:
    """An option that takes a number of this kind."""
    return {"type": kind, "metavar": "X" if kind is float else "N"}


@click.command("replay", cls=SectionedCommand)
@click.argument("capture", type=click.Path())
@_protection("--scenario", type=_FILE, help="SPD, SAs, card, rule and settings in TOML.")
@_protection("--direction", **_choice("out", "in"), unset="out", help="Encrypt or decrypt.")
@_protection(
    "--sa-per",
    **_choice("flow", "host-pair", "subnet"),
    unset="flow",
    help="What gets an SA of its own, each way.",
)
@_protection(
    "--suite", metavar="NAME", unset="aes-gcm-128", help="Suite of these SAs, as in docs/suites.md."
)
@_protection("--mode", **_choice("tunnel", "transport"), unset="tunnel", help="Mode of these SAs.")
@_protection("--keys", type=_FILE, help="To decrypt with: esp_sa, ip xfrm, DPDK, TOML.")
@_protection(
    "--seed", **_number(click.IntRange(0, 2**64 - 1)), unset="0", help="Of keys, latencies, faults."
)
@_arrival("--burst", **_number(int), unset="256", help="Packets handed on together, at most.")
@_arrival(
    "--burst-wait-us",
    **_number(click.IntRange(0, 1_000_000)),
    unset="50",
    help="How long a burst may gather.",
)
@_arrival("--rx-ring", **_number(int), unset="512", help="Packets that may wait; more are dropped.")
@_arrival("--closed-loop", is_flag=True, default=None, help="The source waits, nothing is dropped.")
@_arrival(
    "--pad-cut/--no-pad-cut",
    default=None,
    unset="pad",
    help="Pad what a snap length cut, or drop it.",
)
@_placement("--profile", metavar="NAME", unset="82599", help="The card; see saactors profiles.")
@_placement("--rule", metavar="NAME", unset="metric", help="The rule; see saactors rules.")
@_placement("--initial", **_number(float), unset="0", help="Metric of a new SA.")
@_placement("--increment", **_number(float), unset="1", help="Times a packet's weight: its gain.")
@_placement("--bonus", **_number(float), unset=_ANALYSIS, help="Gain of entering the cache.")
@_placement(
    "--decay",
    metavar="FORM",
    unset="factor:0.9",
    help="Per period: factor:F or amount:A.",
)
@_placement("--period", type=Duration(1), unset="100ms", help="Time between two decays.")
@_placement("--threshold", **_number(float), unset=_ANALYSIS, help="Lead that a newcomer needs.")
@_placement(
    "--weight",
    **_choice("packets", "bytes", "saved-ns"),
    unset="packets",
    help="What a packet is counted by.",
)
@_placement(
    "--decide",
    **_choice("arrival", "periodic"),
    unset="arrival",
    help="When loads are decided.",
)
@_work("--crypto", **_choice("real", "none"), unset="real", help="none: decide, do not encrypt.")
@_work("--software-workers", **_number(int), unset="1", help="How many do software crypto.")
@_work("--pace", **_choice("virtual", "real"), unset="virtual", help="real: by the wall clock.")
@_work("--speed", **_number(float), unset="1", help="With --pace real: times as fast.")
@_results("--verify", is_flag=True, help="Decrypt every packet made and compare it.")
@_results("--write-esp", type=_FILE, help="Write what leaves as a capture.")
@_results("--write-keys", type=_FILE, help="Write the keys as Wireshark's esp_sa table.")
@_results("--write-plain", type=_FILE, help="Write decrypted packets as a capture.")
@_results("--events", type=_FILE, help="Write the log that saactors events prints.")
@_results("--events-verbose", is_flag=True, default=None, help="Bursts, depths, metrics too.")
@_results("--report", type=_FILE, help="Write a page with plots over time.")
@_results("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@_results(
    "--log-level",
    **_choice("debug", "info", "warning", "error"),
    default="warning",
    unset="warning",
    help="info: events; debug: bursts too.",
)
@_results(
    "--log-format",
    **_choice("console", "json"),
    default="console",
    unset="console",
    help="Lines to read, or JSON objects.",
)
def replay_command(
    capture: str,
    scenario: str | None,
    as_json: bool,
    log_level: str,
    log_format: str,
    **given: Any,  # noqa: ANN401 - the options above, by name
) -> None:
    """Replay CAPTURE through the actors and show where the crypto ran.

    CAPTURE is pcap or pcapng, plain or in gzip; - reads standard input. Without a scenario all
    traffic is protected. An option given here goes before the same setting in a scenario. Defaults
    stand in brackets.
    """
    # Imported here, so that --help need not wait for it.
    from saactors.cli.settings import in_terms_of_options, options_from  # noqa: PLC0415
    from saactors.observe.view import EventView, configure_logging  # noqa: PLC0415
    from saactors.replay.run import replay  # noqa: PLC0415
    from saactors.report.summary import print_summary  # noqa: PLC0415

    configure_logging(log_level, "json" if log_format == "json" else "console")
    shows_events = log_level in ("debug", "info")
    listeners = []
    if shows_events:
        listeners.append(EventView("json" if log_format == "json" else "console", sys.stderr).show)
    shows_progress = sys.stderr.isatty() and not shows_events
    with in_terms_of_options(given):
        options = options_from(capture, scenario, given)
        with progress_bar(shown=shows_progress) as progress:
            result = replay(
                options,
                progress=progress,
                listeners=listeners,
                stop_on_signal=True,
                verbose=log_level == "debug",
            )
    with standard_output():
        if as_json:
            click.echo(json.dumps(result.to_json_object(), indent=2))
        else:
            print_summary(result)
    click.get_current_context().exit(exit_status(result))


def exit_status(result: RunResult) -> int:
    """0, or what says that the run was interrupted or its packets were not right."""
    if result.interrupted:
        return INTERRUPTED
    return VERIFY_FAILED if result.verification.failed else 0
