"""Policies become the SPD that the classifier walks."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network

from saactors.model.selector import ANY_PORT, Action, Selector, Stream
from saactors.scenario import Scenario, spd_entries, templates

Load = Callable[[str], Scenario]

SCENARIO = """
[[policies]]
action = "protect"
sa = "second"
source = "10.1.0.0/16"

[[policies]]
action = "protect"
sa_per = "flow"
protocol = "udp"
destination_ports = "5000-5999"
template = { suite = "aes-gcm-128", mode = "transport" }

[[policies]]
action = "bypass"
destination = "2001:db8::/32"

[[policies]]
action = "protect"
sa_per = "host-pair"
template = { suite = "aes-gcm-256", mode = "transport" }

[[policies]]
action = "protect"
sa_per = "subnet"
template = { suite = "chacha20-poly1305", mode = "transport" }

[[policies]]
action = "protect"
sa = "first"

[[policies]]
action = "discard"
protocol = 0

[[sas]]
name = "first"
spi = 4096
suite = "aes-gcm-128"
mode = "transport"
key_from_seed = true

[[sas]]
name = "second"
spi = 4097
suite = "aes-gcm-128"
mode = "transport"
key_from_seed = true
"""


def test_policies_keep_their_order_and_meaning(load: Load) -> None:
    """Targets count the given SAs for an entry with one, the templates for the others."""
    assert spd_entries(load(SCENARIO)) == (
        Selector(ip_network("10.1.0.0/16"), None, stream=Stream.ENTRY, target=1),
        Selector(None, None, 17, ANY_PORT, (5000, 5999), stream=Stream.FLOW, target=0),
        Selector(None, ip_network("2001:db8::/32"), action=Action.BYPASS),
        Selector(None, None, stream=Stream.HOST_PAIR, target=1),
        Selector(None, None, stream=Stream.SUBNET, target=2),
        Selector(None, None, stream=Stream.ENTRY, target=0),
        Selector(None, None, 0, action=Action.DISCARD),
    )


def test_templates_stand_in_the_order_of_their_policies(load: Load) -> None:
    """So that an entry's target finds its own."""
    suites = [template.suite for template in templates(load(SCENARIO))]
    assert suites == ["aes-gcm-128", "aes-gcm-256", "chacha20-poly1305"]


def test_no_policy_is_an_empty_spd(load: Load) -> None:
    """A scenario may be about the card alone."""
    assert spd_entries(load("")) == ()
    assert templates(load("")) == ()
