"""What Prometheus reads: the gateway's ``status`` and its hottest SAs, by Prometheus's conventions.

Names begin with ``saactors_``; counters end in ``_total``; units are base units (packets, bytes,
seconds). docs/metrics.md lists them all. Nothing is counted here: each scrape shows what the
gateway has counted, so a scrape that is missed loses nothing.

**Series per SA are bounded.** A gateway may hold 10⁵ SAs and rekey them hourly; a series for each
would be millions a day. The ``HOTTEST_SAS`` busiest have their own series and all others, deleted
ones too, are summed under ``spi="other"``, so the sum over ``spi`` is always what all SAs have
carried. Which SAs are named changes, and then a count moves between a name and "other". A counter
must never fall, so these are gauges: the sum of counters and the bound cannot both be kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

HOTTEST_SAS: Final = 20  # the head of usual traffic; 60 series, of which few change in an hour
OTHER: Final = "other"
_SECOND_NS: Final = 1e9
_COMPONENTS: Final = ("software", "nic", "bypass")

Answer = Mapping[str, Any]


def exposition(status: Answer, hottest: Sequence[Answer], accept: str) -> tuple[bytes, str]:
    """The metrics as octets with their content type; ``accept`` is the request's header.

    ``status`` is the answer of that command, ``hottest`` are rows of ``sa.list``.
    """
    registry = CollectorRegistry()
    registry.register(GatewayCollector(status, hottest))
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class GatewayCollector(Collector):
    """One moment of the gateway as metric families."""

    def __init__(self, status: Answer, hottest: Sequence[Answer]) -> None:
        self._status = status
        self._hottest = hottest

    def collect(self) -> Iterator[Metric]:
        """Every family, in the order of docs/metrics.md."""
        yield from _gateway(self._status)
        yield from _packets(self._status["packets"])
        yield from _rule(self._status["rule"])
        yield from _card(self._status["card"])
        yield from _edges(self._status["edges"])
        yield from _ports(self._status["ports"])
        yield from _counts_of_sas(self._status["sas"])
        yield from _single_sas(self._status["packets"], self._hottest)


def _gateway(status: Answer) -> Iterator[Metric]:
    yield InfoMetricFamily(
        "saactors_build", "The release that runs.", value={"version": status["version"]}
    )
    yield InfoMetricFamily("saactors_gateway", "The gateway.", value={"name": status["name"]})
    yield _gauge(
        "saactors_start_time_seconds",
        "When the gateway started, in seconds of Unix time.",
        status["started_epoch_ns"] / _SECOND_NS,
    )
    yield _gauge("saactors_ready", "1 while it takes traffic.", int(status["ready"]))
    yield _gauge("saactors_draining", "1 while it stops.", int(status["draining"]))
    yield _gauge("saactors_attached_listeners", "Who listens to events.", len(status["attached"]))
    yield _counter(
        "saactors_events_lost",
        "Events that listeners were too slow for; the data path never waits for them.",
        status["events_lost"],
    )


def _packets(packets: Answer) -> Iterator[Metric]:
    yield _counter("saactors_in_packets", "Packets that came in.", packets["in_packets"])
    yield _counter("saactors_out_packets", "Packets that went out.", packets["out_packets"])
    yield _gauge("saactors_in_flight_packets", "Packets inside.", packets["in_flight_packets"])
    for unit in ("packets", "bytes"):
        yield _counters(
            f"saactors_{unit}",
            f"{unit.capitalize()} by the component that did their crypto (bypass: none).",
            "component",
            {component: packets[f"{component}_{unit}"] for component in _COMPONENTS},
        )
    yield _counters(
        "saactors_dropped_packets", "Packets dropped, by reason.", "reason", packets["dropped"]
    )


def _rule(rule: Answer) -> Iterator[Metric]:
    yield InfoMetricFamily("saactors_rule", "The placement rule.", value={"rule": rule["name"]})
    if rule["threshold"] is not None:
        yield _gauge(
            "saactors_rule_threshold",
            "What a newcomer's metric must exceed the lowest resident's by.",
            rule["threshold"],
        )


def _card(card: Answer) -> Iterator[Metric]:
    yield InfoMetricFamily("saactors_card", "The card.", value={"profile": card["profile"]})
    for name, key, told in (
        ("slots", "slots_max", "SAs that the rule may keep on the card."),
        ("residents", "residents", "SAs on the card."),
        ("loading", "loading", "SAs under way to the card."),
        ("pinned", "pinned", "SAs pinned to the card."),
        ("engine_queue_packets", "engine_queue_packets", "Packets that wait for its engine."),
    ):
        yield _gauge(f"saactors_card_{name}", told, card[key])
    yield _counters(
        "saactors_card_loads",
        "Loads that the rule asked for: accepted by the card, or refused.",
        "outcome",
        {"accepted": card["loads"], "refused": card["loads_refused"]},
    )
    yield _counter(
        "saactors_card_lost_loads", "Accepted loads that never ended.", card["loads_lost"]
    )
    yield _counter("saactors_card_evictions", "SAs that left the card.", card["evictions"])
    yield _counter("saactors_card_resets", "Resets of the card.", card["resets"])


def _edges(edges: Sequence[Answer]) -> Iterator[Metric]:
    bounded = {edge["name"]: edge["capacity"] for edge in edges if edge["capacity"] is not None}
    yield _gauges("saactors_edge_capacity", "Messages an edge has room for.", "edge", bounded)
    for key, told in (
        ("queued", "Messages under way between two actors."),
        ("high_water", "The most messages that were ever under way."),
    ):
        values = {edge["name"]: edge[key] for edge in edges}
        yield _gauges(f"saactors_edge_{key}", told, "edge", values)
    for name, key, told, unit in (
        ("sent_messages", "sent", "Messages sent.", 1),
        ("waits", "waits", "How often a sender had to wait: backpressure.", 1),
        ("waited_seconds", "waited_ns", "How long senders waited.", _SECOND_NS),
    ):
        values = {edge["name"]: edge[key] / unit for edge in edges}
        yield _counters(f"saactors_edge_{name}", told, "edge", values)


def _ports(ports: Sequence[Answer]) -> Iterator[Metric]:
    for name, key, told in (
        ("received_packets", "received_packets", "Packets read."),
        ("received_bytes", "received_bytes", "Bytes read."),
        ("sent_packets", "sent_packets", "Packets written."),
        ("sent_bytes", "sent_bytes", "Bytes written."),
        ("ring_dropped_packets", "ring_dropped", "Packets that the kernel had no room for."),
        ("refused_packets", "send_refused", "Packets that the kernel would not send."),
    ):
        family = CounterMetricFamily(f"saactors_port_{name}", told, labels=("port", "kind", "side"))
        for port in ports:
            family.add_metric((port["name"], port["kind"], port["side"]), port[key])
        yield family


def _counts_of_sas(sas: Answer) -> Iterator[Metric]:
    places = {where: sas[where] for where in ("software", "loading", "nic")}
    yield _gauges("saactors_sas", "SAs, by where their crypto runs.", "where", places)
    directions = {"out": sas["outbound"], "in": sas["inbound"]}
    yield _gauges("saactors_sas_by_direction", "The same SAs.", "direction", directions)


def _single_sas(packets: Answer, hottest: Sequence[Answer]) -> Iterator[Metric]:
    """The hottest by name, the rest of what software and card have done under "other"."""
    names = ("spi", "destination", "direction")
    for unit in ("packets", "bytes"):
        named: dict[tuple[str, str, str], int] = {}
        for sa in hottest:  # those that names cannot tell apart share a series
            labels = (f"0x{sa['spi']:08x}", sa["destination"] or "", sa["direction"])
            named[labels] = named.get(labels, 0) + sa[unit]
        total = packets[f"software_{unit}"] + packets[f"nic_{unit}"]
        family = GaugeMetricFamily(
            f"saactors_sa_{unit}",
            f"{unit.capitalize()} of the {HOTTEST_SAS} hottest SAs, and of all others.",
            labels=names,
        )
        for labels, value in named.items():
            family.add_metric(labels, value)
        family.add_metric((OTHER, "", ""), max(0, total - sum(named.values())))
        yield family
    metric = GaugeMetricFamily(
        "saactors_sa_metric", "What the hottest SAs have earned.", labels=names
    )
    seen = set()
    for sa in hottest:
        labels = (f"0x{sa['spi']:08x}", sa["destination"] or "", sa["direction"])
        if labels not in seen:
            seen.add(labels)
            metric.add_metric(labels, sa["metric"])
    yield metric


def _gauge(name: str, told: str, value: float) -> Metric:
    return GaugeMetricFamily(name, told, value=value)


def _counter(name: str, told: str, value: float) -> Metric:
    """``_total`` is put behind the name by the family."""
    return CounterMetricFamily(name, told, value=value)


def _gauges(name: str, told: str, label: str, values: Mapping[str, float]) -> Metric:
    return _labelled(GaugeMetricFamily(name, told, labels=(label,)), values)


def _counters(name: str, told: str, label: str, values: Mapping[str, float]) -> Metric:
    return _labelled(CounterMetricFamily(name, told, labels=(label,)), values)


def _labelled(
    family: GaugeMetricFamily | CounterMetricFamily, values: Mapping[str, float]
) -> Metric:
    for value_of_label, value in values.items():
        family.add_metric((value_of_label,), value)
    return cast("Metric", family)
