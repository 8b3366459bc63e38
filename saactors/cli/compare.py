"""``saactors compare TRACE…``: which rule saves most, and how far it is from the best possible."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from saactors.cli.lab_options import (
    card_in,
    card_options,
    names_in,
    rule_options,
    settings_in,
    slots_in,
    slots_option,
    trace_options,
)
from saactors.cli.lab_screen import print_sections, step_bar, warn
from saactors.cli.main import INTERRUPTED
from saactors.cli.output import standard_output
from saactors.cli.sections import SectionedCommand, section

if TYPE_CHECKING:
    from saactors.lab.comparison import Question
    from saactors.lab.outcome import Outcome

_FILE: Final = click.Path(dir_okay=False)
_results = section("Results")

kind_option = _results(
    "--kind",
    type=click.Choice(("prefetch", "demand", "ticks")),
    metavar="prefetch|demand|ticks",
    default="prefetch",
    unset="prefetch",
    help="The optimum's loads: any time, at a packet of the SA, or at ticks.",
)


@click.command("compare", cls=SectionedCommand)
@click.argument("traces", metavar="TRACE…", nargs=-1, required=True)
@trace_options
@card_options
@slots_option()
@rule_options()
@kind_option
@_results("--json", "as_json", is_flag=True, help="Print a list with an object per run.")
@_results("--csv", type=_FILE, help="Write a table with a row per run.")
@_results("--parquet", type=_FILE, help="The same as Parquet.")
@_results("--page", type=_FILE, help="Write a page with plots.")
def compare(traces: tuple[str, ...], as_json: bool, **given: Any) -> None:  # noqa: ANN401 - the options above
    """Compare placement rules on each TRACE: what they save of what could be saved.

    TRACE is a capture (pcap, pcapng, plain or in gzip; - reads standard input), a file of columns
    (.npz, .parquet) or synth:MODEL with the model's parameters behind commas, such as
    synth:zipf,sas=5000. Defaults stand in brackets.
    """
    # Imported here, so that --help need not wait for it.
    from saactors.lab.comparison import outcomes, rules_without_foresight, steps  # noqa: PLC0415

    question = question_of(given, rules_without_foresight)
    files = {name: given[name] for name in ("csv", "parquet", "page") if given[name] is not None}
    check_outputs(traces, files, given)
    found: list[Outcome] = []
    interrupted = False
    try:
        with step_bar(steps(traces, question)) as advance:
            found.extend(outcomes(traces, question, advance, warn))
    except KeyboardInterrupt:
        if not found:
            raise
        interrupted = True
        click.echo("saactors: interrupted; this is what was done by then", err=True)
    write_files(found, files)
    with standard_output():
        if as_json:
            click.echo(json.dumps([outcome.to_json_object() for outcome in found], indent=2))
        else:
            _print(found)
    click.get_current_context().exit(INTERRUPTED if interrupted else 0)


def question_of(given: Mapping[str, Any], usual_rules: Callable[[], tuple[str, ...]]) -> Question:
    """What the options of ``lab_options`` ask; ``usual_rules`` where they name none.

    Raises:
        ParameterError: anything that cannot be.
        UsageError: an option that cannot be.
    """
    from saactors.cli.settings import in_terms_of_options  # noqa: PLC0415
    from saactors.lab.comparison import Question  # noqa: PLC0415

    rules = names_in(given["rules"]) or usual_rules()
    seeds = range(given["seeds"]) if "seeds" in given else (given["seed"],)
    with in_terms_of_options(given):
        return Question(
            rules=rules,
            parameters=settings_in(given["settings"], rules),
            card=card_in(given["profile"], given["card"]),
            slots=slots_in(given["slots"]),
            seeds=tuple(seeds),
            sa_per=given["sa_per"],
            burst_max=given["burst"],
            burst_wait_ns=1000 * given["burst_wait_us"],
            kind=given["kind"],
        )


def check_outputs(
    traces: tuple[str, ...], files: Mapping[str, str], given: Mapping[str, Any]
) -> None:
    """No output is written over a trace or another output, and all can be written.

    Raises:
        UsageError: one would be.
        OutputError: one cannot.
    """
    from saactors.cli.settings import in_terms_of_options  # noqa: PLC0415
    from saactors.replay.files import check_writable, refuse_overwriting  # noqa: PLC0415

    with in_terms_of_options(given):
        for trace in traces:
            refuse_overwriting({"capture": trace}, files)
    for path in files.values():
        check_writable(path)


def write_files(found: list[Outcome], files: Mapping[str, str]) -> None:
    """Write what was asked for.

    Raises:
        OutputError: a file cannot be written.
    """
    from saactors.lab.frames import frame_of  # noqa: PLC0415
    from saactors.lab.result_files import write_csv, write_parquet  # noqa: PLC0415

    if "csv" in files:
        write_csv(frame_of(found), files["csv"])
    if "parquet" in files:
        write_parquet(frame_of(found), files["parquet"])
    if "page" in files:
        from saactors.lab.comparison_page import write_comparison_page  # noqa: PLC0415

        write_comparison_page(found, files["page"])


def _print(found: list[Outcome]) -> None:
    from saactors.lab.comparison_tables import LEGEND, told  # noqa: PLC0415
    from saactors.lab.standings import groups_of  # noqa: PLC0415

    print_sections([told(group) for group in groups_of(found)], LEGEND)
