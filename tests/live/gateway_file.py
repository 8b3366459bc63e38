"""The gateway file of a proof: two slots for a dozen SAs, and a rule that moves them readily."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from tunnels import OURS, THEIRS, Tunnel, host_prefix

from saactors.esp.association import Association

TUN_DEVICE: Final = "saa0"
TUN_MTU_BYTES: Final = 1400  # what is sealed fits into 1500, in every suite and IP version
SLOTS: Final = 2
# A lead of a burst's packets, an hour's earnings gone in a second: streams that take turns each
# half second then take the slots from each other each time.
_RULE: Final = """
[rule]
name = "metric"
threshold = 32
bonus = 16
decay = "factor:0.7"
period_ns = 50_000_000
"""
_GATEWAY: Final = """[gateway]
name = "live"
control = "{control}"
state = "{state}"
burst = 64
"""
_TUN: Final = """[[ports]]
side = "inside"
kind = "tun"
device = "{device}"
mtu = {mtu}
addresses = [{addresses}]
"""
_KEYS: Final = """[follow_keys]
file = "{file}"
local = [{local}]
udp_encapsulation = true
retire_after_s = 10
"""


def gateway_file(
    folder: Path,
    tunnels: Sequence[Tunnel],
    ports: Sequence[str],
    sas: Sequence[tuple[str, Association]] = (),
    *,
    keys: Path | None = None,
) -> str:
    """The document: ``ports`` are tables; SAs are given with their tunnels' names, or by a file.

    The gateway's own files are to be in ``folder``.
    """
    text = [_GATEWAY.format(control=control_path(folder), state=folder / "state")]
    addresses = _listed(host_prefix(tunnel.inner(OURS)) for tunnel in tunnels)
    text += [_TUN.format(device=TUN_DEVICE, mtu=TUN_MTU_BYTES, addresses=addresses)]
    text += [f'[[ports]]\nside = "outside"\n{port}' for port in ports]
    text += [_policy(tunnel) for tunnel in tunnels]
    outside = [tunnel.outer(OURS) for tunnel in tunnels]
    text += [_sa(name, sa, sends=str(sa.source) in outside) for name, sa in sas]
    if keys is not None:
        text += [_KEYS.format(file=keys, local=_listed(outside))]
    text += [f'[card]\nprofile = "82599"\nslots_max = {SLOTS}\n', _RULE]
    return "\n".join(text)


def control_path(folder: Path) -> Path:
    """Where the gateway has its socket."""
    return folder / "control.sock"


def udp_ports(tunnels: Sequence[Tunnel]) -> Iterator[str]:
    """A port for ESP in UDP at each outer address of ours."""
    for tunnel in tunnels:
        if tunnel.in_udp:
            yield f'kind = "udp"\naddress = "{tunnel.outer(OURS)}"\nport = 4500\n'


def esp_ports(tunnels: Sequence[Tunnel]) -> Iterator[str]:
    """A port for bare ESP at each outer address of ours."""
    for tunnel in tunnels:
        if not tunnel.in_udp:
            yield f'kind = "esp"\naddress = "{tunnel.outer(OURS)}"\n'


def packet_port(interface: str, peer: str) -> str:
    """Whole packets on a device, whoever else listens there."""
    return f'kind = "packet"\ninterface = "{interface}"\npeer = "{peer}"\n'


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f'"{word}"' for word in words)


def _policy(tunnel: Tunnel) -> str:
    source, destination = (host_prefix(tunnel.inner(side)) for side in (OURS, THEIRS))
    return f"""[[policies]]
action = "protect"
source = "{source}"
destination = "{destination}"
peer = "{tunnel.outer(THEIRS)}"
"""


def _sa(name: str, sa: Association, *, sends: bool) -> str:
    direction = "out" if sends else "in"
    integrity = f'integrity_key = "0x{sa.integrity_key.hex()}"\n' if sa.integrity_key else ""
    extended = "extended_sequence = true\n" if sa.extended_sequence else ""
    return f"""[[sas]]
name = "{name}-{direction}"
direction = "{direction}"
spi = {sa.spi}
suite = "{sa.suite}"
key = "0x{sa.key.hex()}"
{integrity}{extended}source = "{sa.source}"
destination = "{sa.destination}"
udp_encapsulation = {str(bool(sa.source_port)).lower()}
"""
