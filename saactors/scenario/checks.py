"""What no single key can tell: names that meet, families that agree, keys that fit their suites."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from saactors.esp.association import PATH_MTU_MIN_BYTES
from saactors.model.selector import ANY_PORT
from saactors.scenario.tables import GivenSa, Policy, SaForm, Scenario
from saactors.scenario.values import PROTOCOLS, PROTOCOLS_WITH_PORTS, SUITES
from saactors.scenario.wording import Location, Problem, closest, dotted, listed, wrong


def cross_problems(scenario: Scenario) -> Iterator[Problem]:
    """Whatever is wrong with a scenario whose tables are right one by one."""
    for i, sa in enumerate(scenario.sas):
        yield from _given_sa(("sas", i), sa)
        if sa.direction == "in" and sa.replay_window != scenario.replay_window:
            expected = f"{scenario.replay_window} like the first inbound SA; one size serves a run"
            yield wrong(("sas", i, "replay_window"), sa.replay_window, expected)
    yield from _sas_together(scenario.sas)
    given = {sa.name: sa for sa in scenario.sas}
    for i, policy in enumerate(scenario.policies):
        yield from _selectors(("policies", i), policy)
        yield from _action(("policies", i), policy)
        if policy.peer is not None and type(scenario) is Scenario:
            hint = "is for a gateway, where SAs come and go; a replay names one with sa"
            yield _at(("policies", i, "peer"), hint)
        if policy.template is not None:
            yield from _form(("policies", i, "template"), policy.template)
        # A gateway's policy may name an SA that comes later (saactors ctl sa add).
        if policy.sa is not None and (type(scenario) is Scenario or policy.sa in given):
            yield from _named_sa(("policies", i, "sa"), policy, given)


def _given_sa(where: Location, sa: GivenSa) -> Iterator[Problem]:
    yield from _form(where, sa)
    yield from _keys(where, sa)
    if sa.first_sequence >= 1 << 32 and not sa.extended_sequence:
        hint = "set extended_sequence = true for 64-bit sequence numbers"
        yield wrong((*where, "first_sequence"), sa.first_sequence, "less than 2^32", hint)
    if sa.direction == "out" and "replay_window" in sa.model_fields_set:
        yield _at(
            (*where, "replay_window"),
            "an outbound SA has no replay window; leave it out or set direction = 'in'",
        )


def _keys(where: Location, sa: GivenSa) -> Iterator[Problem]:
    """Keys of the suite's sizes, or the seed's."""
    suite = SUITES[sa.suite]
    expected = {
        "key": (suite.key_bytes, suite.salt_bytes),
        "integrity_key": (suite.integrity_key_bytes, 0),
    }
    for name, (key_bytes, salt_bytes) in expected.items():
        key = getattr(sa, name)
        if key is not None and sa.key_from_seed:
            yield _at(where, f"{name} and key_from_seed exclude each other; leave one out")
        elif key is None and key_bytes and not sa.key_from_seed:
            yield _at((*where, name), "missing; give the key, or set key_from_seed = true")
        elif key is not None and not key_bytes:
            yield _at((*where, name), f"{sa.suite} has no such key; leave it out")
        elif key is not None and len(key) != key_bytes + salt_bytes:
            salt = f" and {salt_bytes} of salt" if salt_bytes else ""
            yield _at(
                (*where, name),
                f"found {len(key)} bytes, expected {key_bytes} bytes of key{salt} for {sa.suite}",
            )


def _form(where: Location, sa: SaForm) -> Iterator[Problem]:
    """What is alike in given SAs and in templates."""
    yield from _endpoints(where, sa)
    limits = sa.lifetime
    for unit in ("packets", "bytes", "s"):
        soft, hard = getattr(limits, f"soft_{unit}"), getattr(limits, f"hard_{unit}")
        if hard and soft >= hard:
            name = f"soft_{unit}"
            yield wrong((*where, "lifetime", name), soft, f"less than hard_{unit}, {hard}")
    if sa.tfc_bytes and sa.mode == "transport":
        yield _at((*where, "tfc_bytes"), "a transport SA cannot pad; leave it out (RFC 4303 §2.7)")
    if 0 < sa.path_mtu_bytes < PATH_MTU_MIN_BYTES:
        expected = f"0 for no limit, or at least {PATH_MTU_MIN_BYTES}"
        yield wrong((*where, "path_mtu_bytes"), sa.path_mtu_bytes, expected)


def _endpoints(where: Location, sa: SaForm) -> Iterator[Problem]:
    """Outer endpoints: both in tunnel mode, of one family wherever there are two."""
    if sa.mode == "tunnel":
        for key in ("source", "destination"):
            if getattr(sa, key) is None:
                yield _at(
                    (*where, key),
                    "missing, expected the outer address; tunnel mode needs both endpoints",
                )
    if sa.source and sa.destination and sa.source.version != sa.destination.version:
        yield wrong(
            (*where, "destination"), str(sa.destination), f"IPv{sa.source.version} like source"
        )


def _sas_together(sas: tuple[GivenSa, ...]) -> Iterator[Problem]:
    """No two SAs share a name, an identity or, where they encrypt, key material."""
    names: dict[str, int] = {}
    identities: dict[int, dict[IPv4Address | IPv6Address | None, int]] = {}
    keys: dict[bytes, int] = {}
    for i, sa in enumerate(sas):
        if (first := names.setdefault(sa.name, i)) != i:
            yield wrong(("sas", i, "name"), sa.name, f"a name that sas[{first}] does not have")
        same_spi = identities.setdefault(sa.spi, {})
        # An SA without a destination is found by its SPI alone, so it meets all others of that SPI.
        met = same_spi if sa.destination is None else {sa.destination, None} & same_spi.keys()
        if met:
            yield _at(
                ("sas", i, "spi"),
                f"found {sa.spi} like sas[{min(same_spi[end] for end in met)}], which may have the"
                " same destination; SPI and destination identify an SA (RFC 4301 §4.1)",
            )
        same_spi.setdefault(sa.destination, i)
        if sa.key is None or sa.direction != "out":
            continue
        if (first := keys.setdefault(sa.key.get_secret_value(), i)) != i:
            yield _at(
                ("sas", i, "key"),
                f"found the key of sas[{first}]; two outbound SAs with one key use IVs"
                " twice, which breaks both (RFC 4106 §2); give each its own",
            )


def _selectors(where: Location, policy: Policy) -> Iterator[Problem]:
    if policy.source and policy.destination and policy.source.version != policy.destination.version:
        yield wrong(
            (*where, "destination"),
            str(policy.destination),
            f"an IPv{policy.source.version} prefix like source; no packet has both families",
        )
    with_ports = {None, *(PROTOCOLS[name] for name in PROTOCOLS_WITH_PORTS)}
    for key in ("source_ports", "destination_ports"):
        if getattr(policy, key) != ANY_PORT and policy.protocol not in with_ports:
            yield _at(
                (*where, key),
                f"protocol {policy.protocol} has no ports; leave them out, or set protocol to"
                f" one of {listed(PROTOCOLS_WITH_PORTS)}",
            )


def _action(where: Location, policy: Policy) -> Iterator[Problem]:
    """``protect`` has SAs from one place, the others from none."""
    if policy.action != "protect":
        for key in ("sa", "peer", "sa_per", "template"):
            if getattr(policy, key) is not None:
                yield _at(
                    (*where, key), f"a {policy.action} policy has no SA; leave it out or protect"
                )
    elif policy.peer is not None:
        for key in ("sa", "sa_per", "template"):
            if getattr(policy, key) is not None:
                yield _at((*where, key), "peer gives the SA already; leave one of the two out")
    elif policy.sa is None and policy.sa_per is None:
        yield _at(where, "protect needs an SA; give sa, or sa_per and template")
    elif policy.sa is not None:
        for key in ("sa_per", "template"):
            if getattr(policy, key) is not None:
                yield _at((*where, key), "sa gives the SA already; leave one of the two out")
    elif policy.template is None:
        yield _at(
            (*where, "template"), "missing; sa_per needs suite, mode and endpoints of its SAs"
        )


def _named_sa(where: Location, policy: Policy, given: dict[str, GivenSa]) -> Iterator[Problem]:
    """The SA exists, encrypts, and in transport mode can carry the policy's family."""
    assert policy.sa is not None
    sa = given.get(policy.sa)
    if sa is None:
        hint = closest(policy.sa, given)
        yield wrong(where, policy.sa, "the name of one of [[sas]]", hint)
        return
    if sa.direction != "out":
        yield wrong(where, policy.sa, "an outbound SA; this one has direction = 'in'")
    prefix = policy.source or policy.destination
    end = sa.source or sa.destination
    if sa.mode == "transport" and prefix and end and prefix.version != end.version:
        yield wrong(
            where,
            policy.sa,
            f"an SA between IPv{prefix.version} hosts, as the policy's prefixes;"
            " transport mode keeps the addresses",
        )


def _at(where: Location, text: str) -> Problem:
    return Problem(dotted(where), text)
