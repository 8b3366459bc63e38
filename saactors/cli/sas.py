"""``saactors sas``: SAs in files of other programs, shown without their keys or turned into others.

Keys go to the file that ``--output`` names and nowhere else; ``-`` is standard output.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import click

from saactors.cli.output import standard_output

if TYPE_CHECKING:
    from saactors.scenario.sa_files import Sas

# As in saactors.scenario.sa_files, which is not imported for --help.
_FORMATS: Final = click.Choice(["esp-sa", "ip-xfrm", "dpdk", "toml"])


@click.command()
@click.argument("file", type=click.Path())
@click.option("--from", "source", type=_FORMATS, help="What FILE is. [told by its first line]")
@click.option("--to", "target", type=_FORMATS, help="What to make of it; needs --output.")
@click.option("--output", type=click.Path(), help="File for the SAs and their keys; - prints them.")
@click.option(
    "--direction",
    type=click.Choice(["out", "in"]),
    default="out",
    help="Of SAs whose file does not say. [out]",
)
@click.option("--json", "as_json", is_flag=True, help="Show the SAs as JSON.")
def sas(
    file: str, source: str | None, target: str | None, output: str | None, direction: str,
    *, as_json: bool,
) -> None:  # fmt: skip
    """Show the SAs of FILE without their keys, or turn them into another format.

    FILE is Wireshark's esp_sa, what 'ip xfrm state' prints or 'ip -batch' takes, a configuration of
    DPDK's ipsec-secgw, or a scenario in TOML.
    """
    # Imported here, so that --help need not wait for it.
    from saactors.scenario.sa_files import format_sas, read_sas, write_sa_file  # noqa: PLC0415

    if (target is None) != (output is None):
        raise click.UsageError("--to and --output go together: what to write, and where")
    if target is not None and as_json:
        raise click.UsageError("--json shows SAs without keys; leave out --to")
    found = read_sas(file, source, "in" if direction == "in" else "out")
    if target is None or output is None:
        with standard_output():
            _show(found, as_json=as_json)
        return
    text = format_sas(found, target)
    if output == "-":
        with standard_output():
            click.echo(text, nl=False)
    else:
        write_sa_file(output, text)


def _show(found: Sas, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([_described(*sa) for sa in found], indent=2))
        return
    for each in (_described(*sa) for sa in found):
        ends = f"{each['source'] or 'any'} → {each['destination'] or 'any'}"
        more = ["ESP in UDP"] if each["udp"] else []
        more += [f"ESN from {each['first_sequence']:,}"] if each["extended_sequence"] else []
        form = f"{each['spi']}  {each['direction']:3}  {each['mode']:9}"
        click.echo(f"{form}  {each['suite']:29}  {ends}  {', '.join(more)}".rstrip())


def _described(direction: str, sa: Any) -> dict[str, Any]:  # noqa: ANN401  an Association, not imported for --help
    """What is no secret of an SA."""
    return {
        "spi": f"{sa.spi:#010x}",
        "direction": direction,
        "mode": sa.mode.name.lower(),
        "suite": sa.suite,
        "source": None if sa.source is None else str(sa.source),
        "destination": None if sa.destination is None else str(sa.destination),
        "udp": [sa.source_port, sa.destination_port] if sa.source_port else None,
        "extended_sequence": sa.extended_sequence,
        "first_sequence": sa.first_sequence,
    }
