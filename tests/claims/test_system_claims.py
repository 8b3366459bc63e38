"""Claims 11 to 42 on running systems: as an apparatus, as an article, and as a signal.

The three groups ask the same ten things of the same behaviour in three forms; each has a fixture:

- ``apparatus`` (11 to 20): a network interface and a driver agent, running in this process.
- ``article`` (21 to 30): instructions on a machine-accessible medium: the installed package,
  executed by an interpreter of its own.
- ``signal`` (31 to 40): instructions that travel to a running system as a message. The system
  starts with a threshold that nobody reaches; rule and parameters arrive, and it follows them.

Of the method claims, 41 and 42 are asked of the running system as well.

A letter is a packet of a stream, ten microseconds after the one before; a dot is ten milliseconds
without any. The card has one slot and takes a microsecond to load.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from saactors.observe.event_log import read_event_log
from saactors.observe.events import Event, Evicted, Loaded, LoadIssued, RuleChanged, SaAdded
from saactors.placement.change import encode_signal
from saactors.replay.options import ReplayOptions
from saactors.replay.run import replay
from saactors.scenario.load import load_scenario

EventT = TypeVar("EventT", bound=Event)

GAP_NS, PAUSE_NS = 10_000, 10_000_000

SCENARIO = """
[card]
slots_max = 1
load_latency_ns = 1000
load_timeout_ns = 1000
load_host_ns = 2400
loads_at_once = 1
load_queue_max = 1
nic_packet_ns = 200
nic_byte_ns = 0
[host]
software_packet_ns = 1000
software_byte_ns = 0
"""

# A second between ticks: none comes unless a test asks for it.
PLAIN: Mapping[str, Any] = {
    "initial": 0, "increment": 1, "bonus": 0, "threshold": 3, "decay": "amount:1",
    "period_ns": 1_000_000_000,
}  # fmt: skip
# What the system of a signal starts with; a changed period begins when the present one ends.
OUT_OF_REACH: Mapping[str, Any] = {**PLAIN, "threshold": 1_000_000, "period_ns": 20_000}


@dataclass(frozen=True)
class Run:
    """What a system told while it ran, and its result."""

    events: list[Event]
    result: dict[str, Any]

    def told(self, kind: type[EventT]) -> list[EventT]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


System = Callable[..., Run]  # packets as letters, and the rule's parameters


def spoken(packets: str, start_ns: int = 0) -> Iterator[tuple[int, int, int]]:
    """The packets that the letters stand for, as ``write_traffic`` takes them."""
    time_ns = start_ns
    for letter in packets:
        if letter == ".":
            time_ns += PAUSE_NS
            continue
        yield time_ns, ord(letter), 100
        time_ns += GAP_NS


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    """A folder with the scenario of the card in it."""
    (tmp_path / "card.toml").write_text(SCENARIO)
    return tmp_path


@pytest.fixture
def apparatus(medium: Path, write_traffic: Callable[..., Path]) -> System:
    """The running system, in this process."""

    def run(packets: str, **changed: Any) -> Run:
        events: list[Event] = []
        options = ReplayOptions(
            capture=write_traffic(medium / "traffic.pcap", spoken(packets)),
            scenario=load_scenario(medium / "card.toml"),
            rule_parameters={**PLAIN, **changed},
            burst=1,
        )
        result = replay(options, listeners=[events.append])
        return Run(events, result.to_json_object())

    return run


@pytest.fixture
def article(medium: Path, write_traffic: Callable[..., Path]) -> System:
    """The installed instructions, executed by a system of their own."""

    def run(packets: str, **changed: Any) -> Run:
        write_traffic(medium / "traffic.pcap", spoken(packets))
        rule = {**PLAIN, **changed}
        lines = "\n".join(
            f"{name} = {json.dumps(value)}" for name, value in rule.items() if value is not None
        )
        (medium / "all.toml").write_text(f'{SCENARIO}[rule]\nname = "metric"\n{lines}\n')
        arguments = ["traffic.pcap", "--scenario", "all.toml", "--burst", "1", "--json"]
        done = subprocess.run(
            [sys.executable, "-m", "saactors", "replay", *arguments, "--events", "events"],
            cwd=medium,
            capture_output=True,
            text=True,
            check=True,
        )
        return Run(list(read_event_log(medium / "events")), json.loads(done.stdout))

    return run


@pytest.fixture
def signal(medium: Path, write_traffic: Callable[..., Path]) -> System:
    """A system that runs already when its instructions arrive, before the packets that count."""

    def run(packets: str, **changed: Any) -> Run:
        events: list[Event] = []
        arrival_ns, start_ns = 50_000, 100_000
        first = (0, ord("0"), 100)
        traffic = [first, *spoken(packets, start_ns)]
        options = ReplayOptions(
            capture=write_traffic(medium / "traffic.pcap", traffic),
            scenario=load_scenario(medium / "card.toml"),
            rule_parameters=OUT_OF_REACH,
            burst=1,
        )
        instructions = encode_signal("metric", {**PLAIN, **changed})
        result = replay(options, listeners=[events.append], signals=[(arrival_ns, instructions)])
        run = Run(events, result.to_json_object())
        assert [change.rule for change in run.told(RuleChanged)] == ["metric"]
        return run

    return run


def test_claim_11_apparatus_associates_streams_with_sas_and_maps_them_by_metric(
    apparatus: System,
) -> None:
    """Each stream has an SA, each SA a metric, which traffic moves and which says where it runs."""
    run = apparatus("WWWWBBBBBBBBB")
    streams = 2
    assert len(run.told(SaAdded)) == streams
    assert [load.metric for load in run.told(LoadIssued)] == [3, 7]
    assert run.result["packets"]["nic"] == 1 + 2  # the fourth W, the eighth and ninth B


def test_claim_12_apparatus_maps_by_a_time_based_analysis(apparatus: System) -> None:
    """The same packets, spread over more time, do not earn the card."""
    hasty = apparatus("WWWW", period_ns=1_000_000)
    slow = apparatus("W.W.W.W", period_ns=1_000_000)
    assert (hasty.result["packets"]["nic"], slow.result["packets"]["nic"]) == (1, 0)


def test_claim_13_apparatus_has_a_driver_agent_and_a_network_interface(apparatus: System) -> None:
    """Both components do cryptography, and between them they do all of it."""
    packets = apparatus("WWWWWW").result["packets"]
    assert (packets["software"], packets["nic"]) == (3, 3)
    assert packets["software"] + packets["nic"] == packets["in"]


def test_claim_14_apparatus_selects_the_interface_where_the_sa_is_cached(apparatus: System) -> None:
    """The card encrypts what it has cached and nothing else; the agent does the rest."""
    cached, never_cached = apparatus("WWWWWW"), apparatus("WWWWWW", threshold=100)
    assert len(cached.told(Loaded)) == 1
    assert cached.result["packets"]["nic"] == 3
    assert never_cached.told(Loaded) == []
    assert never_cached.result["packets"]["nic"] == 0


def test_claim_15_apparatus_replaces_only_what_the_newcomer_leads_by_the_amount(
    apparatus: System,
) -> None:
    """Three more than the lowest cached metric is enough, two more is not."""
    assert apparatus("WWWW" + 6 * "B").told(Evicted) == []
    (replaced,) = apparatus("WWWW" + 7 * "B").told(Evicted)
    assert (replaced.metric, replaced.successor_metric, replaced.threshold) == (4, 7, 3)


def test_claim_16_apparatus_selects_the_amount_by_a_cost_analysis(apparatus: System) -> None:
    """A load costs 2400 ns, a packet on the card saves 1000 - 200 ns: the amount is 3 packets."""
    (load,) = apparatus("WWWW", threshold=None).told(LoadIssued)
    assert load.threshold == load.load_host_ns / load.saving_ns == 3


def test_claim_17_apparatus_initializes_the_metric_when_the_sa_is_received(
    apparatus: System,
) -> None:
    """With two to begin with, the first packet makes three."""
    (load,) = apparatus("W", initial=2).told(LoadIssued)
    assert load.metric == 2 + 1
    assert apparatus("W", initial=1).told(LoadIssued) == []


def test_claim_18_apparatus_changes_the_metric_when_the_sa_is_cached(apparatus: System) -> None:
    """The bonus of being cached makes the resident harder to replace by just that much."""
    (without,) = apparatus("WWWW" + 12 * "B").told(Evicted)
    (with_bonus,) = apparatus("WWWW" + 12 * "B", bonus=5).told(Evicted)
    assert (without.metric, with_bonus.metric) == (4, 4 + 5)
    assert with_bonus.successor_metric == 12


def test_claim_19_apparatus_changes_the_metric_when_a_packet_is_received(apparatus: System) -> None:
    """Each packet adds the increment."""
    (by_one,) = apparatus("WWWW").told(LoadIssued)
    (by_two,) = apparatus("WWWW", increment=2).told(LoadIssued)
    assert (by_one.metric, by_two.metric) == (1 + 1 + 1, 2 + 2)


def test_claim_20_apparatus_changes_the_metric_periodically_whatever_the_traffic(
    apparatus: System,
) -> None:
    """While nobody sends, the resident's metric goes down to 0; then three packets replace it."""
    (replaced,) = apparatus("WWWW.BBB", period_ns=1_000_000).told(Evicted)
    assert (replaced.metric, replaced.successor_metric) == (0, 3)


def test_claim_21_article_associates_streams_with_sas_and_maps_them_by_metric(
    article: System,
) -> None:
    """Each stream has an SA, each SA a metric, which traffic moves and which says where it runs."""
    run = article("WWWWBBBBBBBBB")
    streams = 2
    assert len(run.told(SaAdded)) == streams
    assert [load.metric for load in run.told(LoadIssued)] == [3, 7]
    assert run.result["packets"]["nic"] == 1 + 2  # the fourth W, the eighth and ninth B


def test_claim_22_article_maps_by_a_time_based_analysis(article: System) -> None:
    """The same packets, spread over more time, do not earn the card."""
    hasty = article("WWWW", period_ns=1_000_000)
    slow = article("W.W.W.W", period_ns=1_000_000)
    assert (hasty.result["packets"]["nic"], slow.result["packets"]["nic"]) == (1, 0)


def test_claim_23_article_has_a_driver_agent_and_a_network_interface(article: System) -> None:
    """Both components do cryptography, and between them they do all of it."""
    packets = article("WWWWWW").result["packets"]
    assert (packets["software"], packets["nic"]) == (3, 3)
    assert packets["software"] + packets["nic"] == packets["in"]


def test_claim_24_article_selects_the_interface_where_the_sa_is_cached(article: System) -> None:
    """The card encrypts what it has cached and nothing else; the agent does the rest."""
    cached, never_cached = article("WWWWWW"), article("WWWWWW", threshold=100)
    assert len(cached.told(Loaded)) == 1
    assert cached.result["packets"]["nic"] == 3
    assert never_cached.told(Loaded) == []
    assert never_cached.result["packets"]["nic"] == 0


def test_claim_25_article_replaces_only_what_the_newcomer_leads_by_the_amount(
    article: System,
) -> None:
    """Three more than the lowest cached metric is enough, two more is not."""
    assert article("WWWW" + 6 * "B").told(Evicted) == []
    (replaced,) = article("WWWW" + 7 * "B").told(Evicted)
    assert (replaced.metric, replaced.successor_metric, replaced.threshold) == (4, 7, 3)


def test_claim_26_article_selects_the_amount_by_a_cost_analysis(article: System) -> None:
    """A load costs 2400 ns, a packet on the card saves 1000 - 200 ns: the amount is 3 packets."""
    (load,) = article("WWWW", threshold=None).told(LoadIssued)
    assert load.threshold == load.load_host_ns / load.saving_ns == 3


def test_claim_27_article_initializes_the_metric_when_the_sa_is_received(article: System) -> None:
    """With two to begin with, the first packet makes three."""
    (load,) = article("W", initial=2).told(LoadIssued)
    assert load.metric == 2 + 1
    assert article("W", initial=1).told(LoadIssued) == []


def test_claim_28_article_changes_the_metric_when_the_sa_is_cached(article: System) -> None:
    """The bonus of being cached makes the resident harder to replace by just that much."""
    (without,) = article("WWWW" + 12 * "B").told(Evicted)
    (with_bonus,) = article("WWWW" + 12 * "B", bonus=5).told(Evicted)
    assert (without.metric, with_bonus.metric) == (4, 4 + 5)
    assert with_bonus.successor_metric == 12


def test_claim_29_article_changes_the_metric_when_a_packet_is_received(article: System) -> None:
    """Each packet adds the increment."""
    (by_one,) = article("WWWW").told(LoadIssued)
    (by_two,) = article("WWWW", increment=2).told(LoadIssued)
    assert (by_one.metric, by_two.metric) == (1 + 1 + 1, 2 + 2)


def test_claim_30_article_changes_the_metric_periodically_whatever_the_traffic(
    article: System,
) -> None:
    """While nobody sends, the resident's metric goes down to 0; then three packets replace it."""
    (replaced,) = article("WWWW.BBB", period_ns=1_000_000).told(Evicted)
    assert (replaced.metric, replaced.successor_metric) == (0, 3)


def test_claim_31_signal_associates_streams_with_sas_and_maps_them_by_metric(
    signal: System,
) -> None:
    """Each stream has an SA, each SA a metric, which traffic moves and which says where it runs."""
    run = signal("WWWWBBBBBBBBB")
    streams = 1 + 2
    assert len(run.told(SaAdded)) == streams
    assert [load.metric for load in run.told(LoadIssued)] == [3, 7]
    assert run.result["packets"]["nic"] == 1 + 2  # the fourth W, the eighth and ninth B


def test_claim_32_signal_maps_by_a_time_based_analysis(signal: System) -> None:
    """The same packets, spread over more time, do not earn the card."""
    hasty = signal("WWWW", period_ns=1_000_000)
    slow = signal("W.W.W.W", period_ns=1_000_000)
    assert (hasty.result["packets"]["nic"], slow.result["packets"]["nic"]) == (1, 0)


def test_claim_33_signal_has_a_driver_agent_and_a_network_interface(signal: System) -> None:
    """Both components do cryptography, and between them they do all of it."""
    packets = signal("WWWWWW").result["packets"]
    assert (packets["software"], packets["nic"]) == (1 + 3, 3)
    assert packets["software"] + packets["nic"] == packets["in"]


def test_claim_34_signal_selects_the_interface_where_the_sa_is_cached(signal: System) -> None:
    """The card encrypts what it has cached and nothing else; the agent does the rest."""
    cached, never_cached = signal("WWWWWW"), signal("WWWWWW", threshold=100)
    assert len(cached.told(Loaded)) == 1
    assert cached.result["packets"]["nic"] == 3
    assert never_cached.told(Loaded) == []
    assert never_cached.result["packets"]["nic"] == 0


def test_claim_35_signal_replaces_only_what_the_newcomer_leads_by_the_amount(
    signal: System,
) -> None:
    """Three more than the lowest cached metric is enough, two more is not."""
    assert signal("WWWW" + 6 * "B").told(Evicted) == []
    (replaced,) = signal("WWWW" + 7 * "B").told(Evicted)
    assert (replaced.metric, replaced.successor_metric, replaced.threshold) == (4, 7, 3)


def test_claim_36_signal_selects_the_amount_by_a_cost_analysis(signal: System) -> None:
    """A load costs 2400 ns, a packet on the card saves 1000 - 200 ns: the amount is 3 packets."""
    (load,) = signal("WWWW", threshold=None).told(LoadIssued)
    assert load.threshold == load.load_host_ns / load.saving_ns == 3


def test_claim_37_signal_initializes_the_metric_when_the_sa_is_received(signal: System) -> None:
    """With two to begin with, the first packet makes three."""
    (load,) = signal("W", initial=2).told(LoadIssued)
    assert load.metric == 2 + 1
    assert signal("W", initial=1).told(LoadIssued) == []


def test_claim_38_signal_changes_the_metric_when_the_sa_is_cached(signal: System) -> None:
    """The bonus of being cached makes the resident harder to replace by just that much."""
    (without,) = signal("WWWW" + 12 * "B").told(Evicted)
    (with_bonus,) = signal("WWWW" + 12 * "B", bonus=5).told(Evicted)
    assert (without.metric, with_bonus.metric) == (4, 4 + 5)
    assert with_bonus.successor_metric == 12


def test_claim_39_signal_changes_the_metric_when_a_packet_is_received(signal: System) -> None:
    """Each packet adds the increment."""
    (by_one,) = signal("WWWW").told(LoadIssued)
    (by_two,) = signal("WWWW", increment=2).told(LoadIssued)
    assert (by_one.metric, by_two.metric) == (1 + 1 + 1, 2 + 2)


def test_claim_40_signal_changes_the_metric_periodically_whatever_the_traffic(
    signal: System,
) -> None:
    """While nobody sends, the resident's metric goes down to 0; then three packets replace it."""
    (replaced,) = signal("WWWW.BBB", period_ns=1_000_000).told(Evicted)
    assert (replaced.metric, replaced.successor_metric) == (0, 3)


def test_claim_41_running_system_caches_an_sa_if_the_policy_says_so(apparatus: System) -> None:
    """Not cached: is it to be? Cached: there is nothing to decide, until the policy gives it up."""
    run = apparatus("WWWW" + 7 * "B" + "WB")
    policy = [(load.sa, load.metric, load.victim) for load in run.told(LoadIssued)]
    assert policy == [(0, 3, None), (1, 7, 0)]
    assert [loaded.sa for loaded in run.told(Loaded)] == [0, 1]
    assert run.result["packets"]["nic"] == 1 + 1  # the fourth W, the last B; not the W before it


def test_claim_42_running_system_performs_the_policy_periodically(apparatus: System) -> None:
    """Twenty-five packets in 250 µs: the load waits for the end of the first period of 100."""
    run = apparatus(25 * "W", decide="periodic", decay="factor:1", period_ns=100_000)
    assert [(load.time_ns, load.metric) for load in run.told(LoadIssued)] == [(100_000, 10)]
    assert run.result["packets"]["nic"] == 25 - 11
