"""What came of a replay: its first and last event, and its result."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from nicmodel.residency import Residency
from saactors import __version__
from saactors.model.burst import Component
from saactors.model.verdicts import Verdict
from saactors.observe.events import RunEnded, RunStarted, Scalar
from saactors.placement.table import Rule
from saactors.replay.build import Replay
from saactors.replay.describe import stream_of
from saactors.replay.files import outputs_of
from saactors.report.result import (
    ByteTotals,
    EdgeUse,
    HostTime,
    HotSa,
    LifetimesReached,
    PacketTotals,
    RuleUsed,
    RunResult,
    Verification,
)
from saactors.report.timeline import assemble_timeline

HOTTEST_TOLD = 10


def result_of(built: Replay, wall_s: float) -> RunResult:
    """Everything that a finished replay knows."""
    system, options = built.system, built.options
    leave, news = system.leave, system.placement_news
    latencies = leave.latencies
    return RunResult(
        capture=_capture_name(built),
        direction=options.direction,
        seed=options.seed,
        profile=built.profile.name,
        slots_max=built.profile.slots_max,
        rule=_rule_used(system.rule),
        duration_ns=system.clock.now_ns(),
        wall_s=wall_s,
        streams=len(built.security.sas),
        sas=len(built.security.sas),
        packets=_packets(built),
        bytes=ByteTotals(
            entered=built.source.ring.bytes,
            software=leave.bytes[Component.SOFTWARE],
            nic=leave.bytes[Component.NIC],
        ),
        drops=drops_of(built),
        loads=news.loads,
        evictions=news.evictions,
        loads_refused=news.refused,
        loads_lost=system.card_news.lost,
        host_time=host_time_of(built),
        edges={
            name: EdgeUse(
                capacity=gauge.capacity,
                high_water=gauge.high_water,
                waits=gauge.waits,
                waited_ns=gauge.waited_ns,
            )
            for name, gauge in system.gauges.items()
        },
        software_latency=latencies[Component.SOFTWARE].percentiles(),
        nic_latency=latencies[Component.NIC].percentiles(),
        verification=Verification(
            checked=built.verifier.checked if built.verifier else 0,
            failed=built.verifier.failed if built.verifier else 0,
        ),
        lifetimes=_lifetimes(built),
        hottest=_hottest(built),
        interrupted=system.interrupted,
        warnings=_warnings(built),
        outputs=outputs_of(options),
        timeline=assemble_timeline(
            [leave.traffic, leave.dropped, news.moves],
            [news.cache],
            built.waiting,
            system.hottest,
        ),
    )


def started_event(built: Replay) -> RunStarted:
    """The first event: all that is needed to do the run again."""
    options = built.options
    return RunStarted(
        0,
        __version__,
        options.seed,
        built.system.rule.name,
        _parameters(built.system.rule),
        built.profile.name,
        _capture_name(built),
        {
            "direction": options.direction,
            "sa_per": options.sa_per.value,
            "suite": options.suite,
            "mode": options.mode,
            "burst": options.burst,
            "burst_wait_ns": options.burst_wait_ns,
            "rx_ring": options.rx_ring,
            "closed_loop": options.closed_loop,
            "software_workers": options.software_workers,
            "crypto": options.crypto,
            "pad_cut": options.pad_cut,
            "pace": options.pace,
            "speed": options.speed,
        },
    )


def ended_event(built: Replay) -> RunEnded:
    """The last event: the totals."""
    packets, news = _packets(built), built.system.placement_news
    return RunEnded(
        built.system.clock.now_ns(),
        packets.entered,
        packets.left,
        packets.software,
        packets.nic,
        packets.bypass,
        sum(drops_of(built).values()),
        news.loads,
        news.evictions,
        news.refused,
        round(host_time_of(built).total_ns),
    )


def drops_of(built: Replay) -> dict[str, int]:
    """Every packet that entered and did not leave, by reason (law 1)."""
    system = built.system
    drops = dict(system.leave.drops)
    ring = built.source.ring
    if ring.dropped:
        drops[Verdict.RX_RING_FULL.label] = ring.dropped
    inside = ring.arrived - system.leave.left - sum(drops.values())
    assert inside == 0 or (inside > 0 and system.interrupted), f"{inside} packets are unaccounted"
    if inside:
        drops[Verdict.INTERRUPTED.label] = inside
    return drops


def host_time_of(built: Replay) -> HostTime:
    """Host time spent, and what the same packets would have cost without the card."""
    leave, cost = built.system.leave, built.system.rule.cost
    packets, size = leave.packets, leave.bytes
    software, nic = Component.SOFTWARE, Component.NIC
    return HostTime(
        total_ns=cost.software_ns(packets[software], size[software])
        + cost.nic_ns(packets[nic], size[nic])
        + cost.load_host_ns * built.system.placement_news.loads,
        all_software_ns=cost.software_ns(
            packets[software] + packets[nic], size[software] + size[nic]
        ),
    )


def _packets(built: Replay) -> PacketTotals:
    leave = built.system.leave
    return PacketTotals(
        entered=built.source.ring.arrived,
        left=leave.left,
        software=leave.packets[Component.SOFTWARE],
        nic=leave.packets[Component.NIC],
        bypass=leave.packets[Component.NONE],
    )


def _lifetimes(built: Replay) -> LifetimesReached:
    found = built.security.lifetimes.statistics()
    return LifetimesReached(
        soft_expired_sas=found["soft_expired_sas"], hard_expired_sas=found["hard_expired_sas"]
    )


def _rule_used(rule: Rule) -> RuleUsed:
    calculation = tuple(rule.analysis.lines()) if rule.analysis is not None else ()
    return RuleUsed(name=rule.name, parameters=_parameters(rule), calculation=calculation)


def _parameters(rule: Rule) -> dict[str, Scalar]:
    """The parameters as plain values, those that the cost analysis decided filled in."""
    parameters: Any = rule.parameters  # a dataclass, whichever rule's
    names = [field.name for field in fields(parameters)]
    return {name: _plain(getattr(rule.parameters, name)) for name in names}


def _plain(value: object) -> Scalar:
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)


def _hottest(built: Replay) -> tuple[HotSa, ...]:
    system, security = built.system, built.security
    counts = system.leave.counters.of(len(security.sas))
    told = []
    hottest = system.leave.counters.hottest(HOTTEST_TOLD)
    metrics = system.rule.keeper.metrics_of(hottest)
    for sa, metric in zip(hottest.tolist(), metrics.tolist(), strict=True):
        source, destination = stream_of(security, sa)
        told.append(
            HotSa(
                sa=sa,
                spi=int(security.sas.records["spi"][sa]),
                source=source,
                destination=destination,
                metric=metric,
                packets=int(counts[sa]["packets"]),
                bytes=int(counts[sa]["bytes"]),
                packets_nic=int(counts[sa]["nic_packets"]),
                residency=Residency(system.rule.arbiter.residency(sa)).name.lower(),
                loads=system.placement_news.loads_of[sa],
            )
        )
    return tuple(told)


def _warnings(built: Replay) -> tuple[str, ...]:
    warnings = list(built.capture.warnings)
    padded = built.system.leave.padded
    if padded:
        warnings.append(
            f"{padded:,} encrypted packets had been cut off by the snap length; they were padded "
            "with zeros back to their length on the wire (--no-pad-cut drops them instead)"
        )
    if built.system.interrupted:
        warnings.append("the replay was interrupted; this is what it had done by then")
    return (*warnings, *built.observers.broken)


def _capture_name(built: Replay) -> str:
    path = str(built.options.capture)
    return "standard input" if path == "-" else Path(path).name
