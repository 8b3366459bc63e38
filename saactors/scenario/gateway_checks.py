"""What no single key of a gateway's file can tell: keys of a port's kind, addresses, live SAs."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_interface
from types import MappingProxyType
from typing import Final

from saactors.scenario.gateway_tables import Live, Port
from saactors.scenario.wording import Location, Problem, dotted, listed, missing

# kind → keys that it must have, keys that it may have; every kind has side, kind, name, networks.
_KEYS: Final = MappingProxyType(
    {
        "tun": (("device",), ("addresses", "mtu")),
        "udp": (("address",), ("port", "receive_buffer_bytes")),
        "esp": (("address",), ("receive_buffer_bytes",)),
        "packet": (("interface", "peer"), ("receive_buffer_bytes",)),
        "capture": (("file",), ("write", "speed")),
    }
)
_OF_ALL: Final = frozenset({"side", "kind", "name", "networks"})
_LOOPBACK: Final = "a loopback address, or token_file so that only who knows the token may look"


def gateway_problems(gateway: Live) -> Iterator[Problem]:
    """Whatever is wrong with a gateway whose tables are right one by one."""
    names: dict[str, int] = {}
    for number, port in enumerate(gateway.ports):
        where = ("ports", number)
        yield from _port(where, port)
        if port.name is not None and names.setdefault(port.name, number) != number:
            yield _at((*where, "name"), f"ports[{names[port.name]}] has this name already")
    for side in ("inside", "outside"):
        if not any(port.side == side for port in gateway.ports):
            yield _at(("ports",), f"found none with side = '{side}', expected at least one of each")
    if gateway.replay.model_fields_set:
        yield _at(("replay",), "is for saactors replay; [gateway] has what a gateway goes by")
    for number, policy in enumerate(gateway.policies):
        if policy.sa_per is not None:
            text = "a gateway's SAs are given or negotiated by IKE; name one with sa, or a peer"
            yield _at(("policies", number, "sa_per"), text)
    for number, sa in enumerate(gateway.sas):
        if sa.key_from_seed:
            text = "gives keys that anybody can work out; a gateway needs the SA's own key"
            yield _at(("sas", number, "key_from_seed"), text)
    yield from _addresses(gateway)


def _port(where: Location, port: Port) -> Iterator[Problem]:
    needed, possible = _KEYS[port.kind]
    for key in needed:
        if getattr(port, key) is None:
            expected = Port.model_fields[key].description or "a value"
            yield missing((*where, key), f"{expected}; a {port.kind} port needs it")
    known = {*needed, *possible, *_OF_ALL}
    for key in sorted(port.model_fields_set - known):
        text = f"a {port.kind} port has no such key; it has {listed([*needed, *possible])}"
        yield _at((*where, key), text)
    if port.kind in ("udp", "esp") and port.side == "inside":
        yield _at((*where, "side"), f"found 'inside', expected 'outside' for a {port.kind} port")
    for place, address in enumerate(port.addresses):
        try:
            ip_interface(address)
        except ValueError:
            text = "expected an address with its prefix length, such as '10.1.0.1/24'"
            yield _at((*where, "addresses", place), text)


def _addresses(gateway: Live) -> Iterator[Problem]:
    if gateway.follow_keys is not None:
        for place, address in enumerate(gateway.follow_keys.local):
            if not _is_address(address):
                text = "expected one of our outer addresses, such as '192.0.2.1'"
                yield _at(("follow_keys", "local", place), text)
    web = gateway.web
    if web is None:
        return
    if not _is_address(web.address):
        yield _at(("web", "address"), "expected an address such as '127.0.0.1'")
    elif web.token_file is None and not ip_address(web.address).is_loopback:
        yield _at(("web", "address"), f"found {web.address}, expected {_LOOPBACK}")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _at(where: Location, text: str) -> Problem:
    return Problem(dotted(where), text)
