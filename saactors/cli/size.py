"""``saactors size TRACE``: how many slots of a card are worth it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import click

from saactors.cli.compare import check_outputs, kind_option, question_of
from saactors.cli.lab_options import (
    card_options,
    one_trace_options,
    rule_options,
    slots_option,
)
from saactors.cli.lab_screen import print_sections, step_bar, warn
from saactors.cli.output import standard_output
from saactors.cli.sections import SectionedCommand, section

if TYPE_CHECKING:
    from saactors.lab.sizing import Sizing

_FILE: Final = click.Path(dir_okay=False)
_results = section("Results")


@click.command("size", cls=SectionedCommand)
@click.argument("trace")
@one_trace_options
@card_options
@slots_option(unset="a geometric grid up to one per SA")
@rule_options(unset="metric, first-come and a few more")
@kind_option
@_results("--json", "as_json", is_flag=True, help="Print one JSON object.")
@_results("--page", type=_FILE, help="Write a page with the curves.")
def size(trace: str, as_json: bool, page: str | None, **given: Any) -> None:  # noqa: ANN401 - the options above
    """Show what TRACE saves against the card's slots, for rules and for the optimum.

    The knee is where a slot earns what slots earn on average once every SA that is worth one has
    one. TRACE is as for saactors compare. Defaults stand in brackets.
    """
    # Imported here, so that --help need not wait for it.
    from saactors.lab.sizing import size_up, usual_rules  # noqa: PLC0415

    question = question_of(given, usual_rules)
    check_outputs((trace,), {} if page is None else {"page": page}, {**given, "page": page})
    with step_bar() as advance:
        found = size_up(trace, question, advance, warn)
    if page is not None:
        from saactors.lab.size_page import write_size_page  # noqa: PLC0415

        write_size_page(found, page)
    with standard_output():
        if as_json:
            click.echo(json.dumps(found.to_json_object(), indent=2))
        else:
            _print(found)


def _print(found: Sizing) -> None:
    from saactors.lab.size_tables import LEGEND, told  # noqa: PLC0415

    print_sections([told(found)], LEGEND)
