"""Tables that are right one by one can still be wrong together."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from saactors.scenario import Scenario

Load = Callable[[str], Scenario]
Refusal = Callable[[str], tuple[str, str]]

KEY = "0x000102030405060708090a0b0c0d0e0f10111213"  # AES-128 and salt, counted up: no real key
TEMPLATE = "template = { suite = 'aes-gcm-128', mode = 'transport' }\n"


def sa(name: str = "one", **changes: object) -> str:
    """An SA in TOML, right but for the changes; None leaves a key out."""
    keys: dict[str, object] = {
        "name": name,
        "spi": 4096,
        "suite": "aes-gcm-128",
        "key_from_seed": True,
        "source": "192.0.2.1",
        "destination": "192.0.2.2",
        **changes,
    }
    return "[[sas]]\n" + "".join(_lines(keys))


def policy(action: str = "protect", **keys: object) -> str:
    """A policy in TOML."""
    return "[[policies]]\n" + "".join(_lines({"action": action, **keys}))


def _lines(keys: dict[str, object]) -> list[str]:
    quoted = {True: "true", False: "false"}
    return [
        f"{key} = {quoted[value] if isinstance(value, bool) else repr(value)}\n"
        for key, value in keys.items()
        if value is not None
    ]


def test_names_are_unique(refusal: Refusal) -> None:
    """A policy names its SA: two of one name would leave it open which."""
    assert refusal(sa(spi=4096) + sa(spi=4097)) == (
        "sas[1].name",
        "found 'one', expected a name that sas[0] does not have",
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {}),
        ({}, {"source": "192.0.2.77"}),
        ({"mode": "transport", "source": None, "destination": None}, {}),
        ({}, {"mode": "transport", "source": None, "destination": None}),
    ],
)
def test_spi_and_destination_identify_one_sa(
    refusal: Refusal, first: dict[str, object], second: dict[str, object]
) -> None:
    """A transport SA without a destination is found by its SPI alone, so it meets all others."""
    assert refusal(sa("one", **first) + sa("two", **second)) == (
        "sas[1].spi",
        (
            "found 4096 like sas[0], which may have the same destination; SPI and destination"
            " identify an SA (RFC 4301 §4.1)"
        ),
    )


def test_receivers_choose_their_spis_independently(load: Load) -> None:
    """The same SPI towards another gateway is another SA."""
    assert len(load(sa("one") + sa("two", destination="192.0.2.3")).sas) == 2


def test_two_outbound_sas_never_share_a_key(refusal: Refusal, load: Load) -> None:
    """Both count their IVs from 1: with one key the same (key, IV) pair would come up (law 2)."""
    one = sa("one", key=KEY, key_from_seed=None)
    two = sa("two", key=KEY.upper().replace("0X", "0x"), key_from_seed=None, spi=4097)
    assert refusal(one + two) == (
        "sas[1].key",
        (
            "found the key of sas[0]; two outbound SAs with one key use IVs twice, which breaks"
            " both (RFC 4106 §2); give each its own"
        ),
    )
    assert len(load(one + two + "direction = 'in'\n").sas) == 2


@pytest.mark.parametrize(
    ("suite", "key_bytes", "needed"),
    [
        ("aes-gcm-128", 16, 20),
        ("aes-gcm-192", 24, 28),
        ("aes-gcm-256", 32, 36),
        ("chacha20-poly1305", 32, 36),
    ],
)
def test_a_key_has_its_suites_length_with_salt(
    refusal: Refusal, load: Load, suite: str, key_bytes: int, needed: int
) -> None:
    """Key and salt in one (RFC 4106 §8.1, RFC 7634 §3): a key without its salt is too short."""
    assert load(sa(suite=suite, key="0x" + "5a" * needed, key_from_seed=None)).sas[0].key
    for wrong_bytes in (key_bytes, needed + 1):
        assert refusal(sa(suite=suite, key="0x" + "5a" * wrong_bytes, key_from_seed=None)) == (
            "sas[0].key",
            (
                f"found {wrong_bytes} bytes, expected {key_bytes} bytes of key and 4 of salt for"
                f" {suite}"
            ),
        )


def test_a_key_comes_from_one_place(refusal: Refusal) -> None:
    """Given or from the seed: not both, not neither."""
    both = "key and key_from_seed exclude each other; leave one out"
    assert refusal(sa(key=KEY)) == ("sas[0]", both)
    neither = "missing; give the key, or set key_from_seed = true"
    assert refusal(sa(key_from_seed=None)) == ("sas[0].key", neither)
    assert refusal(sa(key_from_seed=False)) == ("sas[0].key", neither)


@pytest.mark.parametrize("end", ["source", "destination"])
def test_a_tunnel_has_two_ends(refusal: Refusal, end: str) -> None:
    """Tunnel mode writes an outer header, for which it needs both addresses."""
    missing = "missing, expected the outer address; tunnel mode needs both endpoints"
    assert refusal(sa(**{end: None})) == (f"sas[0].{end}", missing)


def test_a_template_for_tunnels_has_two_ends(refusal: Refusal) -> None:
    """SAs made on demand are SAs like any other."""
    where, _ = refusal(
        policy(sa_per="flow") + "template = { suite = 'aes-gcm-128', source = '192.0.2.1' }\n"
    )
    assert where == "policies[0].template.destination"


def test_transport_mode_needs_no_endpoints(load: Load) -> None:
    """It keeps the packets' own addresses."""
    given = load(sa(mode="transport", source=None, destination=None)).sas[0]
    assert (given.source, given.destination) == (None, None)


def test_both_ends_are_of_one_family(refusal: Refusal) -> None:
    """An outer header has one version; what is inside may have the other."""
    assert refusal(sa(destination="2001:db8::1")) == (
        "sas[0].destination",
        "found '2001:db8::1', expected IPv4 like source",
    )


def test_sequence_numbers_beyond_32_bits_need_esn(refusal: Refusal, load: Load) -> None:
    """Without extended sequence numbers the counter ends at 2^32 - 1 (RFC 4303 §2.2)."""
    assert refusal(sa(first_sequence=2**32)) == (
        "sas[0].first_sequence",
        (
            "found 4294967296, expected less than 2^32; set extended_sequence = true for 64-bit"
            " sequence numbers"
        ),
    )
    assert load(sa(first_sequence=2**32 - 1)).sas[0].first_sequence == 2**32 - 1
    extended = load(sa(first_sequence=2**32, extended_sequence=True)).sas[0]
    assert extended.first_sequence == 2**32


def test_only_inbound_sas_have_a_replay_window(refusal: Refusal, load: Load) -> None:
    """A sender checks no replays: a window there would be a setting that does nothing."""
    assert refusal(sa(replay_window=64)) == (
        "sas[0].replay_window",
        "an outbound SA has no replay window; leave it out or set direction = 'in'",
    )
    assert load(sa(replay_window=64, direction="in")).sas[0].replay_window == 64


def test_replay_windows_are_of_one_size(refusal: Refusal, load: Load) -> None:
    """A run keeps its windows in one array; the first inbound SA says how wide it is."""
    first = sa("one", direction="in", replay_window=64)
    assert refusal(first + sa("two", direction="in", spi=4097)) == (
        "sas[1].replay_window",
        "found 128, expected 64 like the first inbound SA; one size serves a run",
    )
    alike = sa("out", spi=4098) + first + sa("two", direction="in", spi=4097, replay_window=64)
    assert load(alike).replay_window == 64
    assert load(sa()).replay_window == 128


def test_a_policy_is_about_one_family(refusal: Refusal) -> None:
    """No packet goes from an IPv4 address to an IPv6 address."""
    assert refusal(policy("bypass", source="10.0.0.0/8", destination="::/0")) == (
        "policies[0].destination",
        "found '::/0', expected an IPv4 prefix like source; no packet has both families",
    )


@pytest.mark.parametrize("key", ["source_ports", "destination_ports"])
def test_ports_need_a_protocol_that_has_them(refusal: Refusal, load: Load, key: str) -> None:
    """Such a policy would never match; without a protocol it means all that have ports."""
    assert refusal(policy("bypass", protocol="icmp", **{key: 53})) == (
        f"policies[0].{key}",
        (
            "protocol 1 has no ports; leave them out, or set protocol to one of tcp, udp, dccp,"
            " sctp, udp-lite"
        ),
    )
    assert load(policy("bypass", **{key: 53})).policies[0].protocol is None
    assert load(policy("bypass", protocol="icmp", **{key: "0-65535"})).policies[0].protocol == 1


@pytest.mark.parametrize("action", ["bypass", "discard"])
@pytest.mark.parametrize("keys", ["sa = 'one'\n", "sa_per = 'flow'\n", TEMPLATE])
def test_only_protect_has_an_sa(refusal: Refusal, action: str, keys: str) -> None:
    """A bypass policy with an SA was meant to be something else."""
    where, problem = refusal(policy(action) + keys + sa())
    assert where == f"policies[0].{keys.split(maxsplit=1)[0]}"
    assert problem == f"a {action} policy has no SA; leave it out or protect"


def test_protect_needs_an_sa_from_one_place(refusal: Refusal) -> None:
    """Given by name or made by template."""
    assert refusal(policy()) == (
        "policies[0]",
        "protect needs an SA; give sa, or sa_per and template",
    )
    assert refusal(policy() + TEMPLATE)[0] == "policies[0]"
    one_of_two = "sa gives the SA already; leave one of the two out"
    assert refusal(policy(sa="one", sa_per="flow") + sa()) == ("policies[0].sa_per", one_of_two)
    assert refusal(policy(sa="one") + TEMPLATE + sa()) == ("policies[0].template", one_of_two)
    assert refusal(policy(sa_per="flow")) == (
        "policies[0].template",
        "missing; sa_per needs suite, mode and endpoints of its SAs",
    )


def test_a_policy_names_an_sa_that_is_there(refusal: Refusal) -> None:
    """A misspelt name gets a suggestion."""
    assert refusal(policy(sa="on") + sa()) == (
        "policies[0].sa",
        "found 'on', expected the name of one of [[sas]]; did you mean 'one'?",
    )
    assert refusal(policy(sa="x")) == (
        "policies[0].sa",
        "found 'x', expected the name of one of [[sas]]",
    )


def test_a_policy_names_an_sa_that_encrypts(refusal: Refusal) -> None:
    """SAs have one direction (RFC 4301 §4.1)."""
    assert refusal(policy(sa="one") + sa(direction="in")) == (
        "policies[0].sa",
        "found 'one', expected an outbound SA; this one has direction = 'in'",
    )


def test_transport_mode_carries_its_own_family_only(refusal: Refusal, load: Load) -> None:
    """A tunnel carries IPv6 over IPv4; transport mode keeps the addresses of the packet."""
    ipv6 = policy(sa="one", source="2001:db8::/32")
    assert refusal(ipv6 + sa(mode="transport")) == (
        "policies[0].sa",
        (
            "found 'one', expected an SA between IPv6 hosts, as the policy's prefixes; transport"
            " mode keeps the addresses"
        ),
    )
    assert load(ipv6 + sa(mode="tunnel")).policies[0].sa == "one"
    assert load(policy(sa="one") + sa(mode="transport")).policies[0].sa == "one"
