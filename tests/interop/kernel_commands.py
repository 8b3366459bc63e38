"""What ``ip`` has to be told, so that a kernel has the other ends of our cases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kernel_cases import INNER_NETWORKS, KERNELS, OURS, OUTER, WINDOW_PACKETS, Case

from saactors.esp.association import Association
from saactors.model.sa import Mode

DEVICE: Final = "vec0"
MAC_ADDRESSES: Final = {
    KERNELS: bytes.fromhex("020000000001"),
    OURS: bytes.fromhex("020000000002"),
}
_BITS: Final = 8
_LOW_HALF: Final = (1 << 32) - 1


def network_commands() -> Iterator[str]:
    """Addresses and routes; nothing is looked for on the wire, and IPv6 waits for nobody."""
    yield "link set lo up"
    yield f"link set {DEVICE} address {MAC_ADDRESSES[KERNELS].hex(':')} up"
    for version, outer in OUTER.items():
        end = "/24" if version == 4 else "/64 nodad"
        networks = INNER_NETWORKS[version]
        yield f"addr add {outer[KERNELS]}{end} dev {DEVICE}"
        yield f"neigh add {outer[OURS]} lladdr {MAC_ADDRESSES[OURS].hex(':')} dev {DEVICE}"
        yield f"route add local {networks[KERNELS]} dev lo"
        yield f"route add {networks[OURS]} via {outer[OURS]}"


def case_commands(case: Case) -> Iterator[str]:
    """Two SAs, and the policies that lead to them."""
    yield _state(case.to_kernel, case.number, "replay-seq")
    yield _state(case.from_kernel, case.number, "replay-oseq")
    yield _policy(case, case.from_kernel, "out", KERNELS, OURS)
    yield _policy(case, case.to_kernel, "in", OURS, KERNELS)


def _state(sa: Association, request: int, counter: str) -> str:
    words = [
        f"xfrm state add {_ends(sa)} spi {sa.spi} reqid {request} mode {sa.mode.name.lower()}",
        f"replay-window {WINDOW_PACKETS}",
    ]
    # Without af-unspec a tunnel carries only packets of its own IP version.
    flags = ["af-unspec"] if sa.mode is Mode.TUNNEL else []
    flags += ["esn"] if sa.extended_sequence else []
    words += [f"flag {' '.join(flags)}"] if flags else []
    if sa.first_sequence > 1:
        last = sa.first_sequence - 1
        words.append(f"{counter} {last & _LOW_HALF:#x} {counter}-hi {last >> 32:#x}")
    words += _algorithms(sa)
    if sa.source_port:
        any_address = "0.0.0.0" if sa.source.version == 4 else "::"
        words.append(f"encap espinudp {sa.source_port} {sa.destination_port} {any_address}")
    return " ".join(words)


def _algorithms(sa: Association) -> list[str]:
    suite, key = sa.parameters, f"0x{sa.key.hex()}" if sa.key else '""'
    icv_bits = _BITS * suite.icv_bytes
    if suite.is_combined:
        return [f"aead {suite.xfrm_encryption} {key} {icv_bits}"]
    return [
        f"enc {suite.xfrm_encryption} {key}",
        f"auth-trunc {suite.xfrm_integrity} 0x{sa.integrity_key.hex()} {icv_bits}",
    ]


def _policy(case: Case, sa: Association, direction: str, source: int, destination: int) -> str:
    template = f"{_ends(sa)} reqid {case.number} mode {sa.mode.name.lower()}"
    # Nothing but echoes: in transport mode the policy would else want of ESP in UDP that it has
    # come out of an SA, too.
    inner = f"src {case.address(source)} dst {case.address(destination)} proto {case.protocol}"
    return f"xfrm policy add {inner} dir {direction} tmpl {template}"


def _ends(sa: Association) -> str:
    return f"src {sa.source} dst {sa.destination} proto esp"
