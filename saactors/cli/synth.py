"""``saactors synth MODEL``: seeded traffic into a file of columns or a capture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from saactors.cli.output import paragraphs_of, standard_output

if TYPE_CHECKING:
    from saactors.traces.columns import TraceColumns


@click.command()
@click.argument("model", required=False)
@click.option(
    "--output",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Where to: .npz or .parquet for columns, .pcap for a capture of headers.",
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter of the model; may be repeated. Times take a unit: 5s, 20ms.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**64 - 1),
    metavar="N",
    default=0,
    show_default=True,
    help="The same seed makes the same file.",
)
@click.option("--list", "lists", is_flag=True, help="List the models and their parameters.")
def synth(
    model: str | None, output: str | None, assignments: tuple[str, ...], seed: int, lists: bool
) -> None:
    """Make traffic of MODEL and write it to a file.

    MODEL is a model or a preset; `saactors synth --list` shows them all, `saactors synth MODEL
    --list` one of them.
    """
    # Imported here, so that --help need not wait for it.
    from saactors.errors import ParameterError  # noqa: PLC0415
    from saactors.traces.synthetic.parameters import expected_names  # noqa: PLC0415
    from saactors.traces.synthetic.table import MODELS, read_assignments, synthesise  # noqa: PLC0415

    if model is None and not lists:
        raise click.UsageError("found no MODEL; 'saactors synth --list' shows them all")
    if model is not None and model not in MODELS:
        raise ParameterError("model", model, expected_names(model, list(MODELS)))
    if lists:
        with standard_output():
            for name in MODELS if model is None else [model]:
                _describe(name)
        return
    if output is None:
        raise click.UsageError(
            "found no --output FILE, expected one that ends in .npz, .parquet or .pcap"
        )
    from saactors.traces.column_files import ending_for, write_trace  # noqa: PLC0415

    ending_for(output)
    trace = synthesise(str(model), read_assignments(assignments), seed)
    write_trace(trace, output)
    with standard_output():
        click.echo(_summary(trace, output))


def _describe(name: str) -> None:
    from saactors.traces.synthetic.table import MODELS  # noqa: PLC0415

    entry = MODELS[name]
    lines = [entry.summary.replace("\n", " "), f"Source: {entry.source}."]
    click.echo(f"{name}\n{paragraphs_of(lines, indent=2)}\n")
    for parameter in entry.parameters:
        unit = f"  [{parameter.unit}]" if parameter.unit else ""
        click.echo(f"  {parameter.name} = {parameter.default}{unit}")
        click.echo(paragraphs_of([parameter.why], indent=6))
    click.echo()


def _summary(trace: TraceColumns, output: str) -> str:
    """What was written, in figures."""
    from saactors.observe.units import byte_size, count, duration, percent  # noqa: PLC0415
    from saactors.traces.synthetic.popularity import busiest_share  # noqa: PLC0415

    heirs = int((trace.predecessors >= 0).sum())
    rekeyed = f" ({count(heirs)} of them after rekeying)" if heirs else ""
    sent_bytes = int(trace.length_bytes.sum(dtype="int64"))
    shares = [percent(busiest_share(trace, part)) for part in (0.01, 0.1)]
    return (
        f"{output}: {trace.name}\n"
        f"  {count(len(trace))} packets of {count(trace.sa_count)} SAs{rekeyed}"
        f" in {duration(trace.duration_ns)}, {byte_size(sent_bytes)}\n"
        f"  the busiest 1 % of the SAs carry {shares[0]} of the packets, 10 % carry {shares[1]}"
    )
