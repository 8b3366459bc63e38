"""The Linux kernel as the other end of our tunnels: a guest that runs as an ordinary program.

    ours (the gateway, its TUN device) ── veth ── theirs (nobody) ── guest

The guest's network device is one end of a pair of sockets (``tests/interop/kernel_guest.py``). This
process copies frames between the other end and the far end of the veth pair, so that the gateway
has a device with a peer behind it, as on any host. SAs are set up by hand at both ends, with keys
that are drawn for the run.
"""

from __future__ import annotations

import json
import secrets
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import Final

import interop_path  # noqa: F401  # it is there for the next ones
from kernel_guest import Guest, batch, kernel_guest
from links import MAC_ADDRESSES, OUTSIDE, give_addresses, join
from namespace_sockets import socket_inside
from namespaces import Namespace, namespace
from tunnel_streams import SETTLING_S, Streams, Traffic, client_words, server_words, streams_of
from tunnels import INNER_NETWORKS, OURS, THEIRS, Tunnel, host_prefix, outer_network

from saactors.esp.association import Association

TUNNELS: Final = (
    Tunnel(1),
    Tunnel(2, in_udp=False),
    Tunnel(3, suite="chacha20-poly1305", in_udp=False, extended_sequence=True),
    Tunnel(4, suite="aes-cbc-128-hmac-sha2-256-128"),
    Tunnel(5, inner_version=6, outer_version=6),
    Tunnel(6, inner_version=6, outer_version=6, in_udp=False),
    Tunnel(7, inner_version=6, in_udp=False),
    Tunnel(8, suite="aes-gcm-256", outer_version=6, in_udp=False),
)
_DEVICE: Final = "vec0"
_ALL_PROTOCOLS: Final = 3  # ETH_P_ALL of <linux/if_ether.h>
_FRAME_MAX_BYTES: Final = 65_536
_WINDOW_PACKETS: Final = 128
_POLL_S: Final = 0.2
_PORT: Final = 4500
_BITS: Final = 8


@dataclass(frozen=True)
class KernelPeer:
    """The stage: a guest that has its ends of all tunnels."""

    ours: Namespace
    guest: Guest
    sas: list[tuple[str, Association]]

    def stream_through(self, tunnels: Sequence[Tunnel], traffic: Traffic) -> Streams:
        """Run the byte streams between the guest and our inner addresses."""
        request = json.dumps(server_words(tunnels, traffic)).encode() + b"\n"
        self.guest.process.stdin.write(request)
        patience_s = traffic.seconds + SETTLING_S
        client = self.ours.run(client_words(tunnels, traffic), check=False, timeout_s=patience_s)
        _, server = self.guest.answer(patience_s)
        return streams_of(client.stdout + client.stderr, server)

    def refused(self) -> dict[str, int]:
        """What the guest's kernel did not take or could not send, by its counters."""
        lines = self.guest.read("/proc/net/xfrm_stat").splitlines()
        counts = {name: int(count) for name, count in map(str.split, lines)}
        return {name: count for name, count in counts.items() if count}


@contextmanager
def kernel_peer(folder: Path, tunnels: Sequence[Tunnel]) -> Iterator[KernelPeer]:
    """Everything but our data path."""
    with ExitStack() as stack:
        ours, theirs = (
            stack.enter_context(namespace(f"live-{name}-")) for name in ("ours", "guest")
        )
        # The far end is only a plug: nobody is at home there.
        theirs.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6"])
        join((ours, OUTSIDE[OURS], OURS), (theirs, OUTSIDE[THEIRS], THEIRS))
        theirs.ip("link", "set", OUTSIDE[THEIRS], "up")
        give_addresses(ours, OURS, OUTSIDE[OURS], tunnels)
        guest = stack.enter_context(kernel_guest(folder))
        plug = stack.enter_context(socket_inside(theirs, socket.AF_PACKET, socket.SOCK_RAW))
        plug.bind((OUTSIDE[THEIRS], _ALL_PROTOCOLS))
        stack.enter_context(_wire(plug, guest.wire))
        sas = [sa for tunnel in tunnels for sa in _sas(tunnel)]
        commands = [*_network_commands(tunnels)]
        for tunnel, to_us, to_them in zip(tunnels, sas[::2], sas[1::2], strict=True):
            commands += _tunnel_commands(tunnel, to_us[1], to_them[1])
        if refused := batch(guest, folder, commands):
            number, reason = next(iter(refused.items()))
            words = commands[number].split(" aead ")[0].split(" enc ")[0]  # no keys
            raise RuntimeError(f"the guest refused {len(refused)} commands: {words}: {reason}")
        yield KernelPeer(ours, guest, sas)


@contextmanager
def _wire(plug: socket.socket, guest: socket.socket) -> Iterator[None]:
    """Copy frames both ways until the block ends."""
    over = threading.Event()

    def copy() -> None:
        with DefaultSelector() as selector:
            selector.register(plug, EVENT_READ)
            selector.register(guest, EVENT_READ)
            while not over.is_set():
                for key, _ in selector.select(_POLL_S):
                    if key.fileobj is guest:
                        plug.send(guest.recv(_FRAME_MAX_BYTES))
                        continue
                    frame, address = plug.recvfrom(_FRAME_MAX_BYTES)
                    if address[2] != socket.PACKET_OUTGOING:
                        guest.send(frame)

    thread = threading.Thread(target=copy)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _sas(tunnel: Tunnel) -> Iterator[tuple[str, Association]]:
    """The two SAs of a tunnel, the one on which the guest sends first."""
    for sender in (THEIRS, OURS):
        suite = tunnel.parameters
        yield (
            tunnel.name,
            Association(
                spi=sender << 16 | tunnel.number,
                suite=tunnel.suite,
                key=secrets.token_bytes(suite.key_bytes + suite.salt_bytes),
                integrity_key=secrets.token_bytes(suite.integrity_key_bytes),
                source=ip_address(tunnel.outer(sender)),
                destination=ip_address(tunnel.outer(3 - sender)),
                source_port=_PORT if tunnel.in_udp else 0,
                destination_port=_PORT if tunnel.in_udp else 0,
                extended_sequence=tunnel.extended_sequence,
            ),
        )


def _network_commands(tunnels: Sequence[Tunnel]) -> Iterator[str]:
    """Addresses and routes; nothing is looked for on the wire, and IPv6 waits for nobody."""
    yield "link set lo up"
    yield f"link set {_DEVICE} address {MAC_ADDRESSES[THEIRS]} mtu 1500 up"
    for tunnel in tunnels:
        nodad = {4: "", 6: " nodad"}
        own = host_prefix(tunnel.outer(THEIRS))
        yield f"addr add {own} dev {_DEVICE}{nodad[tunnel.outer_version]}"
        own = host_prefix(tunnel.inner(THEIRS))
        yield f"addr add {own} dev lo{nodad[tunnel.inner_version]}"
        far = f"{tunnel.outer(OURS)} lladdr {MAC_ADDRESSES[OURS]}"
        yield f"neigh add {far} dev {_DEVICE}"
    for network in (outer_network(OURS, 4), outer_network(OURS, 6), *INNER_NETWORKS[OURS]):
        yield f"route add {network} dev {_DEVICE}"


def _tunnel_commands(tunnel: Tunnel, to_us: Association, to_them: Association) -> Iterator[str]:
    """Two SAs, and the policies that lead to them."""
    for sa in (to_us, to_them):
        yield _state(tunnel, sa)
    ours, theirs = tunnel.inner(OURS), tunnel.inner(THEIRS)
    for direction, sa, source, destination in (
        ("out", to_us, theirs, ours),
        ("in", to_them, ours, theirs),
    ):
        template = f"{_ends(sa)} reqid {tunnel.number} mode tunnel"
        yield f"xfrm policy add src {source} dst {destination} dir {direction} tmpl {template}"


def _state(tunnel: Tunnel, sa: Association) -> str:
    suite = sa.parameters
    # Without af-unspec a tunnel carries only packets of its own IP version.
    flags = "af-unspec esn" if sa.extended_sequence else "af-unspec"
    words = f"xfrm state add {_ends(sa)} spi {sa.spi} reqid {tunnel.number} mode tunnel"
    words += f" replay-window {_WINDOW_PACKETS} flag {flags}"
    if suite.is_combined:
        words += f" aead {suite.xfrm_encryption} 0x{sa.key.hex()} {_BITS * suite.icv_bytes}"
    else:
        words += f" enc {suite.xfrm_encryption} 0x{sa.key.hex()} auth-trunc {suite.xfrm_integrity}"
        words += f" 0x{sa.integrity_key.hex()} {_BITS * suite.icv_bytes}"
    if sa.source_port:
        any_address = "0.0.0.0" if tunnel.outer_version == 4 else "::"
        words += f" encap espinudp {sa.source_port} {sa.destination_port} {any_address}"
    return words


def _ends(sa: Association) -> str:
    return f"src {sa.source} dst {sa.destination} proto esp"
