"""``saactors replay CAPTURE``: options and scenario into a replay, its result to the screen."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from saactors.cli.values import Duration
from saactors.errors import ParameterError

if TYPE_CHECKING:
    from saactors.replay.options import ReplayOptions
    from saactors.replay.run import Progress
    from saactors.report.result import RunResult
    from saactors.scenario.tables import Scenario

INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it
VERIFY_FAILED: Final = 1

RULE_PARAMETERS: Final = (
    "initial",
    "increment",
    "bonus",
    "decay",
    "period",
    "threshold",
    "weight",
    "decide",
)

_FILE = click.Path(dir_okay=False)


@click.command("replay")
@click.argument("capture", type=click.Path())
@click.option("--scenario", type=click.Path(), help="SPD, SAs, card and rule from a TOML file.")
@click.option("--seed", type=click.IntRange(0), help="Keys and chance.  [default: 0]")
@click.option("--direction", type=click.Choice(["out", "in"]), help="Encrypt or decrypt.")
@click.option(
    "--sa-per",
    type=click.Choice(["flow", "host-pair", "subnet"]),
    help="What gets an SA of its own.  [default: flow]",
)
@click.option("--suite", help="Suite of those SAs.  [default: aes-gcm-128]")
@click.option("--mode", type=click.Choice(["tunnel", "transport"]), help="Mode of those SAs.")
@click.option("--keys", type=_FILE, help="Wireshark's esp_sa table, to decrypt with.")
@click.option("--burst", type=int, help="Packets handed on together, at most.  [default: 256]")
@click.option("--burst-wait-us", type=int, help="How long a burst may gather.  [default: 50]")
@click.option("--rx-ring", type=int, help="Packets that may wait for the agent.  [default: 512]")
@click.option("--closed-loop", is_flag=True, default=None, help="Wait instead of dropping.")
@click.option("--software-workers", type=int, help="Cores for software crypto.  [default: 1]")
@click.option("--pad-cut/--no-pad-cut", default=None, help="Pad packets cut by the snap length.")
@click.option("--crypto", type=click.Choice(["real", "none"]), help="none: decide, do not encrypt.")
@click.option("--pace", type=click.Choice(["virtual", "real"]), help="real: by the wall clock.")
@click.option("--speed", type=float, help="So many times as fast, with --pace real.")
@click.option("--profile", help="The card; see saactors profiles.  [default: 82599]")
@click.option("--rule", help="The placement rule; see saactors rules.  [default: metric]")
@click.option("--initial", type=float, help="Metric of a new SA.")
@click.option("--increment", type=float, help="What a unit of weight adds to it.")
@click.option("--bonus", type=float, help="What entering the cache adds to it.")
@click.option("--decay", help="factor:F or amount:A, each period.")
@click.option("--period", type=Duration(), help="Time between decays, such as 100ms.")
@click.option("--threshold", type=float, help="Lead that a newcomer needs.")
@click.option("--weight", type=click.Choice(["packets", "bytes", "saved-ns"]), help="Of a packet.")
@click.option(
    "--decide", type=click.Choice(["arrival", "periodic"]), help="When loads are decided."
)
@click.option("--verify", is_flag=True, help="Decrypt every packet made and compare.")
@click.option("--write-esp", type=_FILE, help="Write what leaves as a capture.")
@click.option("--write-keys", type=_FILE, help="Write the keys as Wireshark's esp_sa table.")
@click.option("--write-plain", type=_FILE, help="Write the decrypted packets as a capture.")
@click.option("--events", type=_FILE, help="Write the event log; see saactors events.")
@click.option("--report", type=_FILE, help="Write a page with plots.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="warning",
    help="What is logged on standard error; info shows the events.",
)
@click.option("--log-format", type=click.Choice(["console", "json"]), default="console")
def replay_command(
    capture: str,
    scenario: str | None,
    report: str | None,
    as_json: bool,
    log_level: str,
    log_format: str,
    **given: Any,  # noqa: ANN401 - the options above, by name
) -> None:
    """Replay CAPTURE (pcap or pcapng, .gz, - for standard input) through the actors.

    Without a scenario every flow gets an SA of its own in each direction. An option given here goes
    before the same setting in the scenario.
    """
    # Imported here, so that --help need not wait for it.
    from saactors.observe.view import EventView, configure_logging  # noqa: PLC0415
    from saactors.replay.run import replay  # noqa: PLC0415
    from saactors.report.page import write_page  # noqa: PLC0415
    from saactors.report.summary import print_summary  # noqa: PLC0415
    from saactors.scenario.load import load_scenario  # noqa: PLC0415

    configure_logging(log_level, "json" if log_format == "json" else "console")
    listeners = []
    if log_level in ("debug", "info"):
        listeners.append(EventView("json" if log_format == "json" else "console", sys.stderr).show)
    described = load_scenario(scenario) if scenario is not None else None
    options = options_from(capture, described, given)
    with progress_bar(shown=sys.stderr.isatty()) as progress:
        result = replay(options, progress=progress, listeners=listeners, stop_on_signal=True)
    if report is not None:
        write_page(result, report)
    if as_json:
        click.echo(json.dumps(result.to_json_object(), indent=2))
    else:
        print_summary(result)
    sys.exit(exit_status(result))


def options_from(capture: str, scenario: Scenario | None, given: dict[str, Any]) -> ReplayOptions:
    """What the command line says, else the scenario, else the default.

    Raises:
        ParameterError: a value that cannot be used.
    """
    from saactors.replay.options import ReplayOptions, SaPer  # noqa: PLC0415

    chosen: dict[str, Any] = {}
    if scenario is not None:
        settings = scenario.replay.model_dump(exclude_none=True)
        chosen.update(settings, scenario=scenario)
        if scenario.seed is not None:
            chosen["seed"] = scenario.seed
    chosen.update({name: value for name, value in given.items() if value is not None})
    rule: dict[str, object] = {name: chosen.pop(name) for name in RULE_PARAMETERS if name in chosen}
    if "period" in rule:
        rule["period_ns"] = rule.pop("period")
    if "burst_wait_us" in chosen:
        chosen["burst_wait_ns"] = 1000 * chosen.pop("burst_wait_us")
    if "sa_per" in chosen:
        if scenario is not None and scenario.policies:
            raise ParameterError("sa_per", chosen["sa_per"], "nothing: the scenario's policies say")
        chosen["sa_per"] = SaPer(chosen["sa_per"])
    return ReplayOptions(capture=capture, rule_parameters=rule, **chosen)


def exit_status(result: RunResult) -> int:
    """0, or what says that the run was interrupted or its packets were not right."""
    if "interrupted" in result.drops or any("interrupted" in line for line in result.warnings):
        return INTERRUPTED
    return VERIFY_FAILED if result.verification.failed else 0


@contextmanager
def progress_bar(*, shown: bool) -> Iterator[Progress | None]:
    """A bar on standard error while the replay runs; nothing where nobody would see it."""
    if not shown:
        yield None
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415
    from rich.progress import TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (
        TextColumn("replaying"),
        *Bar.get_default_columns()[1:3],
        TextColumn("{task.fields[packets]:,} packets"),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("replaying", total=1.0, packets=0)

        def advance(capture: Any, packets: int) -> None:  # noqa: ANN401 - a CaptureReader
            read = capture.share_read
            done = None if read is None else read * packets / max(capture.packets_read, 1)
            bar.update(task, total=None if read is None else 1.0, completed=done, packets=packets)

        yield advance
