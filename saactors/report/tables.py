"""A result as text in tables: what the terminal summary and the page both show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from saactors.observe.events import Scalar
from saactors.observe.latency import Percentiles
from saactors.observe.units import byte_size, count, duration, percent, plain
from saactors.report.result import HotSa, RunResult


@dataclass(frozen=True, slots=True)
class Column:
    """A heading and how its cells behave. Where space is short, optional columns go, last first."""

    heading: str
    number: bool = True  # aligned to the right
    optional: bool = False
    wraps: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A titled table of text."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


def _text(heading: str, *, optional: bool = False, wraps: bool = False) -> Column:
    return Column(heading, number=False, optional=optional, wraps=wraps)


def _figure(heading: str) -> Column:
    return Column(heading, optional=True)


def facts(result: RunResult) -> list[tuple[str, str]]:
    """The run in a few lines: what was asked, and what came of it."""
    packets, host_time = result.packets, result.host_time
    refused = [f"{count(result.loads_refused)} refused"] if result.loads_refused else []
    lost = [f"{count(result.loads_lost)} lost"] if result.loads_lost else []
    evicted = [f"{count(result.evictions)} in another SA's place"] if result.evictions else []
    lines = [
        ("card", f"{result.profile}, {count(result.slots_max)} slots"),
        ("rule", _rule(result.rule.name, result.rule.parameters)),
        ("offloaded", offloaded(result)),
        ("host time", _host_time(host_time.total_ns, host_time.all_software_ns)),
        ("loads", ", ".join([count(result.loads), *evicted, *refused, *lost])),
        ("packets", f"{count(packets.entered)} in, {fate(result)}"),
    ]
    if result.verification.checked:
        lines.append(("verified", verification_line(result)))
    return lines


def offloaded(result: RunResult) -> str:
    """The card's share."""
    packets, sizes = percent(result.packets_offloaded), percent(result.bytes_offloaded)
    return f"{packets} of packets, {sizes} of bytes"


def fate(result: RunResult) -> str:
    """What became of the packets that came."""
    dropped = f"{count(result.dropped)} dropped" if result.dropped else "none dropped"
    return f"{count(result.packets.left)} out, {dropped}"


def title(result: RunResult) -> str:
    """What was replayed, and how long it took."""
    return (
        f"{result.capture}: {count(result.packets.entered)} packets, "
        f"{byte_size(result.bytes.entered)} in {duration(result.duration_ns)}"
    )


def setting(result: RunResult) -> str:
    """The rest of what one needs to know to do it again."""
    direction = {"in": "inbound", "out": "outbound"}.get(result.direction, result.direction)
    return (
        f"{direction}, {count(result.streams)} streams, {count(result.sas)} SAs, "
        f"seed {result.seed}; replayed in {duration(result.wall_s * 1e9)}"
    )


def verification_line(result: RunResult) -> str:
    """What ``--verify`` found."""
    found = result.verification
    return (
        f"{count(found.failed)} of {count(found.checked)} packets did NOT come back as they were"
        if found.failed
        else f"all {count(found.checked)} packets come back as they were"
    )


def components(result: RunResult) -> Table:
    """Where crypto ran, and how long packets took there."""
    packets, sizes = result.packets, result.bytes
    crypto = packets.software + packets.nic
    return Table(
        "Where crypto ran",
        (
            _text("component"),
            Column("packets"),
            _figure("share"),
            _figure("bytes"),
            _figure("p50"),
            _figure("p99"),
            _figure("p99.9"),
        ),
        (
            (
                "software",
                count(packets.software),
                _share(packets.software, crypto),
                byte_size(sizes.software),
                *_latency(result.software_latency),
            ),
            (
                "nic",
                count(packets.nic),
                _share(packets.nic, crypto),
                byte_size(sizes.nic),
                *_latency(result.nic_latency),
            ),
            *([("bypass", count(packets.bypass), "", "", "", "", "")] if packets.bypass else []),
        ),
    )


def waiting(result: RunResult) -> Table:
    """Backpressure: each edge, the most messages under way on it, how senders waited."""
    return Table(
        "Waiting",
        (
            _text("edge"),
            Column("waited"),
            _figure("waits"),
            _figure("high water"),
            _figure("capacity"),
        ),
        tuple(
            (
                name,
                duration(use.waited_ns) if use.waits else "-",
                count(use.waits),
                count(use.high_water),
                count(use.capacity) if use.capacity else "unbounded",
            )
            for name, use in result.edges.items()
        ),
    )


def drops(result: RunResult) -> Table:
    """Dropped packets by reason, most first."""
    found = sorted(result.drops.items(), key=lambda entry: (-entry[1], entry[0]))
    return Table(
        "Dropped",
        (_text("reason"), Column("packets")),
        tuple((reason, count(packets)) for reason, packets in found if packets),
    )


def hottest(result: RunResult) -> Table:
    """The SAs with the most packets, and where each ended."""
    return Table(
        "Hottest SAs",
        (
            _text("SPI"),
            _text("from → to", wraps=True),
            Column("packets"),
            _text("ended", optional=True),
            _figure("on card"),
            _figure("metric"),
            _figure("bytes"),
            _figure("loads"),
        ),
        tuple(_hot(sa) for sa in result.hottest),
    )


def outputs(result: RunResult) -> Table:
    """Files written."""
    return Table(
        "Written", (_text("what"), _text("file", wraps=True)), tuple(result.outputs.items())
    )


def _hot(sa: HotSa) -> tuple[str, ...]:
    return (
        f"0x{sa.spi:08x}",
        f"{sa.source} → {sa.destination}",
        count(sa.packets),
        sa.residency,
        _share(sa.packets_nic, sa.packets),
        f"{sa.metric:.1f}" if sa.metric < 10_000 else count(sa.metric),
        byte_size(sa.bytes),
        count(sa.loads),
    )


def _rule(name: str, parameters: Mapping[str, Scalar]) -> str:
    values = (_parameter(key, value) for key, value in parameters.items() if value is not None)
    return ", ".join([name, *values])


def _parameter(name: str, value: Scalar) -> str:
    if name.endswith("_ns") and isinstance(value, int):
        return f"{name.removesuffix('_ns')} {duration(value)}"
    return f"{name} {plain(value) if isinstance(value, float) else value}"


def _host_time(total_ns: float, all_software_ns: float) -> str:
    saved_ns = all_software_ns - total_ns
    verdict = f"{duration(saved_ns)} saved" if saved_ns >= 0 else f"{duration(-saved_ns)} LOST"
    share = f" ({percent(saved_ns / all_software_ns)})" if all_software_ns else ""
    return f"{duration(total_ns)}; all in software {duration(all_software_ns)}: {verdict}{share}"


def _share(part: int, whole: int) -> str:
    return percent(part / whole) if whole else ""


def _latency(latency: Percentiles | None) -> tuple[str, str, str]:
    if latency is None:
        return ("", "", "")
    return (duration(latency.p50_ns), duration(latency.p99_ns), duration(latency.p999_ns))
