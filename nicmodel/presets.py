"""The cards we know, and what software crypto costs beside them: each figure with its source.

A source that names a file or a document was looked up there. "Derived" was calculated from such a
figure, as the source says. "Assumed" is our choice where nobody has published a figure; treat it
as an order of magnitude.

What the host pays was measured on a ConnectX-6 Dx: one core carried 6 Gb/s of 1500-byte packets in
software, 15 Gb/s with crypto offload and 28 Gb/s with packet offload (cover letter of the Linux
series "Extend XFRM core to allow packet offload configuration", version 10, December 2022). That
is 2.0, 0.80 and 0.43 µs a packet. The split into packet and byte:

- On the card all of it counts as per packet: the host touches descriptors and headers, while the
  payload moves by DMA.
- In software the bytes cost what AES-GCM costs a core: 0.64 cycles a byte (Drucker, Gueron,
  Krasnov, "Making AES great again", 2018), that is 0.21 ns at 3 GHz, or 315 ns of the 2000 at 1500
  bytes. The rest is per packet: the crypto layer, the headers, the lost segmentation offload.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from nicmodel.profile import CardProfile, HostProfile

_READ_NS: Final = 850  # a PCIe read round trip, Gen3 x8: what every register read costs
_READ: Final = "x 850 ns, a PCIe read (Neugebauer et al., SIGCOMM 2018)"
_LETTER: Final = "Linux packet-offload cover letter v10, Dec 2022"
_OVERHEAD: Final = "derived: 38 bytes of Ethernet overhead"
_DMA: Final = "assumed: the payload moves by DMA"


def _sourced(figures: Mapping[str, tuple[object, str]]) -> dict[str, Any]:
    """Arguments of a profile from a table of (value, source) by field."""
    values = {name: value for name, (value, _) in figures.items()}
    sources = {name: source for name, (_, source) in figures.items()}
    return {**values, "sources": MappingProxyType(sources)}


_FIXED: Final[Mapping[str, tuple[object, str]]] = {
    "load_latency_distribution": ("fixed", "assumed: no spread has been published"),
    "load_latency_shape": (0.0, "fixed has no shape"),
}

_CRYPTO_OFFLOAD: Final[Mapping[str, tuple[object, str]]] = {
    "nic_packet_ns": (800, f"derived: 15 Gb/s at 1500 bytes with crypto offload, {_LETTER}"),
    "nic_byte_ns": (0.0, _DMA),
}

# Intel 82599: 10 GbE; its driver writes an SA into the tables by registers. Of its 1024 transmit
# and 1024 receive slots a run uses one direction. Replacing an SA overwrites its slot.
_INTEL_82599: Final[Mapping[str, tuple[object, str]]] = {
    "slots_max": (1024, "IXGBE_IPSEC_MAX_SA_COUNT, Linux ixgbe_ipsec.h (per direction)"),
    "context_bytes": (20, "IPSTXKEY and IPSTXSALT: 16 + 4 bytes, Linux ixgbe_ipsec.c"),
    "load_latency_ns": (3 * _READ_NS, f"derived: 3 reads in ixgbe_ipsec_set_tx_sa {_READ}"),
    "load_timeout_ns": (5_000_000, "DPDK ixgbe_ipsec.c polls 5 times with 1 ms between"),
    "load_host_ns": (3 * _READ_NS, "derived: the core waits for those reads itself"),
    "loads_at_once": (1, "one set of index registers, Linux ixgbe_ipsec.c"),
    "load_queue_max": (0, "the driver writes the tables itself, Linux ixgbe_ipsec.c"),
    "load_full": ("wait", "adding an SA is a synchronous call, Linux ixgbe_ipsec.c"),
    "load_blocks_engine": (False, "adding an SA does not stop the engine, Linux ixgbe_ipsec.c"),
    "engine_packet_ns": (30.4, f"{_OVERHEAD} at 10 Gb/s"),
    "engine_byte_ns": (0.8, "derived: 10 Gb/s; assumed: the inline engine keeps line rate"),
    "engine_queue_packets_max": (512, "IXGBE_DEFAULT_TXD, Linux ixgbe.h"),
    **_CRYPTO_OFFLOAD,
    **_FIXED,
}

# Linux's simulated card: 33 slots for both directions together and no hardware behind them.
_NETDEVSIM: Final[Mapping[str, tuple[object, str]]] = {
    "slots_max": (33, "NSIM_IPSEC_MAX_SA_COUNT, Linux netdevsim.h (both directions together)"),
    "context_bytes": (48, "derived: struct nsim_sa on 64 bits, Linux netdevsim.h"),
    "load_latency_ns": (1000, "assumed: a search of 33 slots and a copy"),
    "load_timeout_ns": (1_000_000, "assumed: a copy is never lost"),
    "load_host_ns": (1000, "assumed: the host does it all"),
    "loads_at_once": (1, "adding an SA runs under the stack's lock"),
    "load_queue_max": (0, "no queue, Linux netdevsim/ipsec.c"),
    "load_full": ("wait", "adding an SA is a synchronous call, Linux netdevsim/ipsec.c"),
    "load_blocks_engine": (False, "no engine, Linux netdevsim/ipsec.c"),
    "engine_packet_ns": (30.4, "assumed: as the 82599"),
    "engine_byte_ns": (0.8, "assumed: as the 82599"),
    "engine_queue_packets_max": (512, "assumed: as the 82599"),
    "nic_packet_ns": (800, f"assumed: as a card with crypto offload, {_LETTER}"),
    "nic_byte_ns": (0.0, _DMA),
    **_FIXED,
}

# Netronome NFP: 2 x 25 GbE; SAs go through a mailbox of 64 words that the driver reads back whole.
_NFP: Final[Mapping[str, tuple[object, str]]] = {
    "slots_max": (16_384, "NFP_NET_IPSEC_MAX_SA_CNT, Linux nfp/crypto/ipsec.c"),
    "context_bytes": (256, "struct nfp_ipsec_cfg_mssg: 64 words, Linux nfp/crypto/ipsec.c"),
    "load_latency_ns": (64 * _READ_NS, f"derived, at least: 64 mailbox reads {_READ}"),
    "load_timeout_ns": (5_000_000_000, "NFP_NET_POLL_TIMEOUT: 5 s, Linux nfp_net.h"),
    "load_host_ns": (64 * _READ_NS, "derived: a core waits for those reads itself"),
    "loads_at_once": (1, "one mailbox under one lock, Linux nfp/crypto/ipsec.c"),
    "load_queue_max": (63, "assumed: the driver's work list has no bound of its own"),
    "load_full": ("refuse", "assumed: adding an SA only appends to that work list"),
    "load_blocks_engine": (False, "assumed: the mailbox is served beside the data path"),
    "engine_packet_ns": (6.08, f"{_OVERHEAD} at 50 Gb/s"),
    "engine_byte_ns": (0.16, "derived: 2 x 25 Gb/s; assumed: crypto keeps line rate"),
    "engine_queue_packets_max": (4096, "NFP_NET_TX_DESCS_DEFAULT, Linux nfp_net.h"),
    **_CRYPTO_OFFLOAD,
    **_FIXED,
}

# NVIDIA ConnectX-6 Dx: 100 GbE with packet offload; an SA is objects that the firmware creates.
_CONNECTX6: Final[Mapping[str, tuple[object, str]]] = {
    "slots_max": (32_768, "NUM_IPSEC_FTE: 2^15, Linux mlx5 en_accel/ipsec_fs.c"),
    "context_bytes": (128, "struct mlx5_ifc_ipsec_obj_bits: 0x400 bits, Linux mlx5_ifc.h"),
    "load_latency_ns": (91_000, "derived from kTLS connections/s: one key creation each"),
    "load_timeout_ns": (60_000_000_000, "MLX5_CMD_TIMEOUT_MSEC: 60 s, Linux mlx5/driver.h"),
    "load_host_ns": (5000, "assumed: a command by mailbox, an interrupt, two task switches"),
    "loads_at_once": (1, "derived: the latency is the reciprocal of a rate"),
    "load_queue_max": (31, "MLX5_MAX_COMMANDS: 32 less the one that runs, Linux mlx5"),
    "load_full": ("wait", "a semaphore guards the command slots, Linux mlx5/core/cmd.c"),
    "load_blocks_engine": (False, "assumed: firmware works beside the data path"),
    "engine_packet_ns": (4.65, "derived: 215 million messages/s, NVIDIA ConnectX-6 manual"),
    "engine_byte_ns": (0.08, "derived: 100 Gb/s; assumed: crypto keeps line rate"),
    "engine_queue_packets_max": (1024, "MLX5E_PARAMS_DEFAULT_LOG_SQ_SIZE: 2^10, Linux mlx5"),
    "nic_packet_ns": (430, f"derived: 28 Gb/s at 1500 bytes with packet offload, {_LETTER}"),
    "nic_byte_ns": (0.0, _DMA),
    **_FIXED,
}

PROFILES: Final[Mapping[str, CardProfile]] = MappingProxyType(
    {
        "82599": CardProfile(name="82599", **_sourced(_INTEL_82599)),
        "netdevsim": CardProfile(name="netdevsim", **_sourced(_NETDEVSIM)),
        "nfp": CardProfile(name="nfp", **_sourced(_NFP)),
        "connectx6": CardProfile(name="connectx6", **_sourced(_CONNECTX6)),
    }
)

HOST: Final = HostProfile(
    name="xeon",
    **_sourced(
        {
            "software_packet_ns": (1685, f"derived: 6 Gb/s at 1500 bytes, {_LETTER}"),
            "software_byte_ns": (0.21, "derived: AES-GCM, 0.64 cycles/byte (2018), at 3 GHz"),
        }
    ),
)
