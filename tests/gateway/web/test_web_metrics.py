"""What Prometheus scrapes: it parses, keeps the conventions, and is what ``status`` says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
import yaml
from prometheus_client import openmetrics, parser
from prometheus_client.core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families

from saactors.gateway.web.metrics import HOTTEST_SAS, exposition
from tests.gateway.web.conftest import Served
from tests.gateway.web.made_up import MadeUpGateway

DOCS = Path(__file__).parents[3] / "docs"
Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


def asked(gateway: MadeUpGateway, command: str, **arguments: object) -> dict[str, Any]:
    """An answer of the gateway."""
    return trio.run(gateway.ask, command, arguments)


def families(text: str) -> dict[str, Metric]:
    """What Prometheus would read, by name; it must not see a family twice."""
    read = list(parser.text_string_to_metric_families(text))
    named = {family.name: family for family in read}
    assert len(named) == len(read)
    return named


def values(found: dict[str, Metric]) -> Values:
    """Every sample by its name and labels; no series may be there twice."""
    samples = [sample for family in found.values() for sample in family.samples]
    keyed = {(each.name, frozenset(each.labels.items())): each.value for each in samples}
    assert len(keyed) == len(samples)
    return keyed


@pytest.fixture(scope="module")
def gateway() -> MadeUpGateway:
    """More SAs than may have series of their own."""
    return MadeUpGateway(sas=5000)


@pytest.fixture(scope="module")
def scraped(gateway: MadeUpGateway) -> dict[str, Metric]:
    """One scrape in the plain format."""
    rows = asked(gateway, "sa.list", limit=HOTTEST_SAS)["rows"]
    return families(exposition(asked(gateway, "status"), rows, "")[0].decode())


def test_both_formats_of_prometheus_are_spoken(
    gateway: MadeUpGateway, serve: Callable[..., Served]
) -> None:
    """Over HTTP; the newer one is for those that ask for it, with the same numbers."""
    served = serve(gateway.ask)
    plain = served.get("/metrics")
    assert plain.headers["content-type"].startswith("text/plain; version=")
    wanted = openmetrics.exposition.CONTENT_TYPE_LATEST
    newer = served.get("/metrics", Accept=wanted)
    assert newer.headers["content-type"].startswith("application/openmetrics-text")
    ours = {
        key: value for key, value in values(families(plain.text)).items() if "saactors" in key[0]
    }
    again = values({family.name: family for family in open_families(newer.text)})
    assert ours == {key: value for key, value in again.items() if "saactors" in key[0]}


def test_names_keep_the_conventions(scraped: dict[str, Metric]) -> None:
    """Counters end in _total and nothing else does; base units; a help text; our prefix."""
    ours = {name: family for name, family in scraped.items() if name.startswith("saactors_")}
    assert len(ours) > 35
    assert {name.split("_")[0] for name in scraped} == {"saactors", "process"}
    for name, family in ours.items():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+", name)
        assert family.documentation.endswith((".", "none).")), name
        ends = [sample.name.endswith("_total") for sample in family.samples]
        assert all(ends) if family.type == "counter" else not any(ends), name
        assert not re.search(r"_(ns|ms|us|kb|mb|bits|percent|milli\w+|nano\w+)(_|$)", name), name
        assert not any("saactors" in label for each in family.samples for label in each.labels)


def test_values_are_those_of_status(gateway: MadeUpGateway, scraped: dict[str, Metric]) -> None:
    """Each figure of ``status`` that is counted is there, in base units."""
    status, found = asked(gateway, "status"), values(scraped)

    def value(name: str, **labels: str) -> float:
        return found[f"saactors_{name}", frozenset(labels.items())]

    packets, card = status["packets"], status["card"]
    for component in ("software", "nic", "bypass"):
        for unit in ("packets", "bytes"):
            shown = value(f"{unit}_total", component=component)
            assert shown == packets[f"{component}_{unit}"]
    for reason, count in packets["dropped"].items():
        assert value("dropped_packets_total", reason=reason) == count
    assert value("in_packets_total") == packets["in_packets"]
    assert value("out_packets_total") == packets["out_packets"]
    assert value("in_flight_packets") == packets["in_flight_packets"]
    for name in ("residents", "loading", "pinned", "engine_queue_packets"):
        assert value(f"card_{name}") == card[name]
    assert value("card_slots") == card["slots_max"]
    assert value("card_loads_total", outcome="accepted") == card["loads"]
    assert value("card_loads_total", outcome="refused") == card["loads_refused"]
    assert value("card_lost_loads_total") == card["loads_lost"]
    assert value("card_evictions_total") == card["evictions"]
    assert value("card_resets_total") == card["resets"]
    for edge in status["edges"]:
        assert value("edge_queued", edge=edge["name"]) == edge["queued"]
        assert value("edge_high_water", edge=edge["name"]) == edge["high_water"]
        assert value("edge_waits_total", edge=edge["name"]) == edge["waits"]
        assert value("edge_sent_messages_total", edge=edge["name"]) == edge["sent"]
        waited = value("edge_waited_seconds_total", edge=edge["name"])
        assert waited == edge["waited_ns"] / 1e9
    for port in status["ports"]:
        labels = {"port": port["name"], "kind": port["kind"], "side": port["side"]}
        assert value("port_received_bytes_total", **labels) == port["received_bytes"]
        assert value("port_sent_packets_total", **labels) == port["sent_packets"]
        assert value("port_ring_dropped_packets_total", **labels) == port["ring_dropped"]
        assert value("port_refused_packets_total", **labels) == port["send_refused"]
    for where in ("software", "loading", "nic"):
        assert value("sas", where=where) == status["sas"][where]
    assert value("rule_threshold") == status["rule"]["threshold"]
    assert value("events_lost_total") == status["events_lost"]
    assert value("build_info", version=status["version"]) == 1
    assert value("start_time_seconds") == pytest.approx(status["started_epoch_ns"] / 1e9)
    assert (value("ready"), value("draining")) == (1, 0)


@pytest.mark.parametrize("unit", ["packets", "bytes"])
def test_series_per_sa_are_few_and_their_sums_are_right(
    unit: str, gateway: MadeUpGateway, scraped: dict[str, Metric]
) -> None:
    """Of 5000 SAs twenty have names; with "other" they sum to what software and card did."""
    samples = scraped[f"saactors_sa_{unit}"].samples
    packets = asked(gateway, "status")["packets"]
    assert len(samples) == HOTTEST_SAS + 1
    named = {sample.labels["spi"]: sample.value for sample in samples}
    hottest = asked(gateway, "sa.list", limit=1)["rows"][0]
    assert named[f"0x{hottest['spi']:08x}"] == hottest[unit]
    assert sum(named.values()) == packets[f"software_{unit}"] + packets[f"nic_{unit}"]
    assert named["other"] > 0


def test_sas_that_labels_cannot_tell_apart_share_a_series(gateway: MadeUpGateway) -> None:
    """Prometheus refuses a scrape with one series twice, and then knows nothing at all."""
    status, (row,) = asked(gateway, "status"), asked(gateway, "sa.list", limit=1)["rows"]
    row["destination"] = None
    text = exposition(status, [row, row], "")[0].decode()
    found = values(families(text))
    labels = {"spi": f"0x{row['spi']:08x}", "destination": "", "direction": row["direction"]}
    assert found["saactors_sa_packets", frozenset(labels.items())] == 2 * row["packets"]


def test_a_rule_without_threshold_has_no_such_series(gateway: MadeUpGateway) -> None:
    """Zero would be a threshold that always holds."""
    status = asked(gateway, "status")
    status["rule"] = {"name": "never", "parameters": {}, "threshold": None}
    assert b"threshold" not in exposition(status, [], "")[0]


def test_every_metric_is_documented(scraped: dict[str, Metric]) -> None:
    """docs/metrics.md names each series, and none that is not there."""
    documented = set(re.findall(r"^\| `(\w+)`", (DOCS / "metrics.md").read_text(), re.MULTILINE))
    there = {sample.name for family in scraped.values() for sample in family.samples}
    assert documented == {name for name in there if name.startswith("saactors_")}


def test_the_dashboard_asks_for_what_is_there(scraped: dict[str, Metric]) -> None:
    """Its queries name our series and labels; its data source is a variable; panels fit."""
    board = json.loads((DOCS / "grafana-dashboard.json").read_text())
    samples = [sample for family in scraped.values() for sample in family.samples]
    there = {sample.name for sample in samples}
    labels = {label for sample in samples for label in sample.labels} | {"job", "instance", "le"}
    queries = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    assert len(queries) > 15
    for query in queries:
        names = set(re.findall(r"\b(?:saactors|process)_\w+", query))
        assert names, query
        assert names <= there | {f"process_{end}" for end in ("cpu_seconds_total",)}, query
        assert set(re.findall(r"(\w+)=~?\"", query)) <= labels, query
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {"${datasource}"}
    assert board["templating"]["list"][0]["type"] == "datasource"
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    places = [panel["gridPos"] for panel in board["panels"]]
    taken = {
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    }
    assert len(taken) == sum(place["w"] * place["h"] for place in places)
    assert max(x for x, _ in taken) == 23


def test_the_example_of_a_scrape_reads_as_one() -> None:
    """YAML with the page's default port, and the token from a file."""
    example = yaml.safe_load((DOCS / "prometheus.yml").read_text())
    jobs = {job["job_name"]: job for job in example["scrape_configs"]}
    assert jobs["saactors"]["static_configs"][0]["targets"] == ["127.0.0.1:9477"]
    assert jobs["saactors-elsewhere"]["authorization"]["type"] == "Bearer"
    assert "credentials_file" in jobs["saactors-elsewhere"]["authorization"]
