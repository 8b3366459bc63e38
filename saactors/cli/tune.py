"""``saactors tune TRACE``: a rule's parameters for a trace, and how far they are to be trusted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from saactors.cli.lab_options import card_in, card_options, slots_in
from saactors.cli.lab_screen import print_sections, step_bar, warn
from saactors.cli.main import INTERRUPTED
from saactors.cli.output import standard_output
from saactors.cli.sections import SectionedCommand, section

if TYPE_CHECKING:
    from nicmodel.profile import CardProfile
    from saactors.lab.tune_space import Dimension
    from saactors.lab.tune_trace import Tuning
    from saactors.traces.columns import TraceColumns

SURFACE_STEPS: Final = 12

_FILE: Final = click.Path(dir_okay=False)
_traffic = section("Traffic")
_card = section("Card")
_search = section("Search")
_results = section("Results")


@click.command("tune", cls=SectionedCommand)
@click.argument("trace", metavar="TRACE")
@_traffic(
    "--sa-per",
    type=click.Choice(("flow", "host-pair", "subnet")),
    metavar="flow|host-pair|subnet",
    default="flow",
    unset="flow",
    help="What gets an SA of its own in a capture, each way.",
)
@card_options
@_card("--slots", metavar="N|P%", unset="the profile's", help="Slots, or per cent of the SAs.")
@_search("--rule", metavar="NAME", default="metric", unset="metric", help="The rule to tune.")
@_search(
    "--trials",
    type=click.IntRange(min=1),
    metavar="N",
    default=100,
    unset="100",
    help="Points of the search; the first are the defaults.",
)
@_search(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    metavar="N",
    default=0,
    unset="0",
    help="Of the search, and of a synthetic trace.",
)
@_search(
    "--hold-out",
    type=float,
    metavar="X",
    default=0.3,
    unset="0.3",
    help="Share of the packets, the last ones, that judge and are not searched on.",
)
@_search(
    "--search",
    metavar="NAME=RANGE",
    multiple=True,
    help="Vary a parameter otherwise: NAME=1..100, NAME=1..100:log or NAME=A|B.",
)
@_search("--set", "fixed", metavar="NAME=VALUE", multiple=True, help="Keep a parameter at a value.")
@_results("--output", type=_FILE, help="Write a scenario that saactors replay takes.")
@_results("--page", type=_FILE, help="Write a page with the surface and every trial.")
@_results("--json", "as_json", is_flag=True, help="Print one JSON object.")
def tune(trace: str, as_json: bool, **given: Any) -> None:  # noqa: ANN401 - the options above
    """Search for a rule's parameters on the first part of TRACE and judge them on the rest.

    TRACE is a capture (pcap, pcapng, plain or in gzip; - reads standard input), a file of columns
    (.npz, .parquet) or synth:MODEL with the model's parameters behind commas, such as
    synth:zipf,sas=5000. Defaults stand in brackets.
    """
    # Imported here, so that --help need not wait for it.
    from saactors.lab.load import load_trace  # noqa: PLC0415
    from saactors.lab.tune_trace import check_shares  # noqa: PLC0415
    from saactors.lab.tune_trace import tune as search  # noqa: PLC0415

    check_shares(given["trials"], given["hold_out"])
    figures = _written(given)
    _check_outputs(trace, figures)
    card = card_in(given["profile"], given["card"])
    fixed, ranges = _parameters(given)
    columns = load_trace(trace, sa_per=given["sa_per"], seed=given["seed"], warn=warn)
    card = _with_slots(card, given["slots"], columns.sa_count)
    with step_bar(given["trials"]) as advance:
        tuning = search(
            columns,
            given["rule"],
            card,
            trials=given["trials"],
            seed=given["seed"],
            hold_out=given["hold_out"],
            fixed=fixed,
            search=ranges,
            advance=advance,
        )
    interrupted = len(tuning.trials) < given["trials"]
    if interrupted:
        click.echo("saactors: interrupted; this is what was found by then", err=True)
    _write(tuning, columns, given)
    with standard_output():
        if as_json:
            from saactors.lab.tune_report import to_json_object  # noqa: PLC0415

            click.echo(json.dumps(to_json_object(tuning), indent=2))
        else:
            _print(tuning, given["output"])
    click.get_current_context().exit(INTERRUPTED if interrupted else 0)


def _parameters(given: Mapping[str, Any]) -> tuple[dict[str, object], list[Dimension]]:
    """What ``--set`` fixes and ``--search`` varies; ``--set`` also takes compare's RULE.NAME."""
    from saactors.cli.lab_options import settings_in  # noqa: PLC0415
    from saactors.lab.tune_space import read_dimension  # noqa: PLC0415

    rule = given["rule"]
    texts = [text if text.startswith(f"{rule}.") else f"{rule}.{text}" for text in given["fixed"]]
    fixed = settings_in(texts, [rule]).get(rule, {})
    return fixed, [read_dimension(text) for text in given["search"]]


def _with_slots(card: CardProfile, text: str | None, sas: int) -> CardProfile:
    from saactors.errors import ParameterError  # noqa: PLC0415
    from saactors.lab.equipment import cards_for  # noqa: PLC0415

    wanted = slots_in(text)
    if len(wanted) > 1:
        raise ParameterError("slots", text, "one number of slots; saactors sweep takes several")
    ((_, card),) = cards_for(wanted, card, sas)
    return card


def _written(given: Mapping[str, Any]) -> dict[str, str]:
    return {name: given[name] for name in ("output", "page") if given[name] is not None}


def _check_outputs(trace: str, files: Mapping[str, str]) -> None:
    """Nothing is written over the trace, nor one file over the other."""
    from saactors.replay.files import refuse_overwriting  # noqa: PLC0415

    refuse_overwriting({"capture": trace}, files)


def _write(tuning: Tuning, columns: TraceColumns, given: Mapping[str, Any]) -> None:
    """Write what was asked for; raises ``OutputError``."""
    from saactors.errors import OutputError  # noqa: PLC0415

    if given["output"] is not None:
        from saactors.lab.tune_report import scenario_text  # noqa: PLC0415

        try:
            output = Path(given["output"])
            text = scenario_text(tuning, given["profile"], output.parent)
            output.write_text(text, encoding="utf-8")
        except OSError as problem:
            reason = problem.strerror or str(problem)
            raise OutputError(given["output"], f"cannot be written: {reason}") from problem
    if given["page"] is not None:
        from saactors.lab.tune_page import write_tuning_page  # noqa: PLC0415
        from saactors.lab.tune_trace import surface  # noqa: PLC0415

        with step_bar(SURFACE_STEPS) as advance:
            grid = surface(columns, tuning, SURFACE_STEPS, advance)
        write_tuning_page(tuning, grid, given["page"])


def _print(tuning: Tuning, output: str | None) -> None:
    from saactors.lab.tune_report import (  # noqa: PLC0415
        LEGEND,
        analysis_table,
        trials_table,
        verdict_lines,
    )

    told, *sentences = verdict_lines(tuning)
    click.echo(f"{told}\n" + "\n".join(sentences) + "\n")
    sections = [(trials_table(tuning), "Of what all in software takes. * is what to use.")]
    analysis = analysis_table(tuning)
    if analysis.rows:
        sections.append((analysis, "What a load costs against what a packet on the card saves."))
    print_sections(sections, LEGEND)
    if output is not None:
        click.echo(f"\nwritten: saactors replay TRACE --scenario {output}")
