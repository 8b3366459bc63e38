"""The wire between the two sides, and the addresses at its ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import interop_path  # noqa: F401  # it is there for the next ones
from namespaces import Namespace, command
from offloads import without_offloads
from tunnels import OURS, THEIRS, Tunnel, host_prefix, outer_network

MTU_BYTES: Final = 1500
OUTSIDE: Final = {OURS: "saa-out", THEIRS: "peer-out"}
MAC_ADDRESSES: Final = {OURS: "02:00:00:00:88:01", THEIRS: "02:00:00:00:88:02"}


def join(*ends: tuple[Namespace, str, int]) -> None:
    """A pair of devices, given by namespace, name and the side whose MAC address it has."""
    (a, a_device, a_side), (b, b_device, b_side) = ends
    words = ["ip", "link", "add", "name", a_device, "netns", a.name]
    words += ["address", MAC_ADDRESSES[a_side], "mtu", str(MTU_BYTES), "type", "veth"]
    words += ["peer", "name", b_device, "netns", b.name]
    command([*words, "address", MAC_ADDRESSES[b_side], "mtu", str(MTU_BYTES)])
    for place, device, _ in ends:
        without_offloads(place, device)


def give_addresses(place: Namespace, side: int, device: str, tunnels: Sequence[Tunnel]) -> None:
    """Outer addresses, with the way to those of the other side; nobody is asked for addresses."""
    other = THEIRS if side == OURS else OURS
    place.ip("link", "set", device, "up")
    for version in sorted({tunnel.outer_version for tunnel in tunnels}):
        place.ip(f"-{version}", "route", "add", outer_network(other, version), "dev", device)
    for tunnel in tunnels:
        no_waiting = ["nodad"] if tunnel.outer_version == 6 else []
        place.ip("addr", "add", host_prefix(tunnel.outer(side)), "dev", device, *no_waiting)
        far = ["neigh", "add", tunnel.outer(other), "lladdr", MAC_ADDRESSES[other]]
        place.ip(*far, "dev", device)


def give_inner_addresses(
    place: Namespace, side: int, device: str, tunnels: Sequence[Tunnel]
) -> None:
    """Where traffic begins and ends."""
    for tunnel in tunnels:
        no_waiting = ["nodad"] if tunnel.inner_version == 6 else []
        place.ip("addr", "add", host_prefix(tunnel.inner(side)), "dev", device, *no_waiting)
