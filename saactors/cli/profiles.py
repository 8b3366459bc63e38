"""``saactors profiles``: the cards we know, every figure with its unit and source."""

from __future__ import annotations

import click


@click.command()
@click.argument("name", required=False)
def profiles(name: str | None) -> None:
    """List the card profiles, or every figure of the profile NAME with its source."""
    # Imported here, so that --help need not wait for it.
    from nicmodel.presets import HOST, PROFILES  # noqa: PLC0415
    from nicmodel.profile import describe  # noqa: PLC0415
    from saactors.errors import ParameterError  # noqa: PLC0415

    if name is None:
        for profile in PROFILES.values():
            click.echo(
                f"{profile.name:10} {profile.slots_max:>6} slots, a load takes "
                f"{profile.load_latency_ns / 1000:g} µs and {profile.load_host_ns / 1000:g} µs "
                "of the host"
            )
        click.echo("\nsaactors profiles NAME shows every figure with its source.")
        return
    if name not in PROFILES:
        raise ParameterError("profile", name, f"one of {', '.join(PROFILES)}")
    for row in (*describe(PROFILES[name]), *describe(HOST)):
        value = f"{row.value:,}" if isinstance(row.value, int) else f"{row.value}"
        click.echo(f"{row.field:26} {value:>12} {row.unit:10} {row.source}")
