"""Reading captures: columns of ours beside the records and objects of others.

What a reader gives differs. ``open_capture`` decodes link, IP and ports of every packet into
columns; cypcap (libpcap) and the raw readers only cut the file into records; dpkt and scapy decode
as much as we do, or more, into objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any, Final

import cypcap  # type: ignore[import-untyped]  # it ships no types
import dpkt  # type: ignore[import-untyped]  # nor does it
import numpy as np
import scapy.layers.inet  # noqa: F401 - tells scapy's reader of Ethernet and IP
from scapy.utils import PcapReader, RawPcapReader

from benchmarks.figures import Aim, Cell, Column, Section
from benchmarks.rounds import Effort, Timing, contend_work
from benchmarks.traffic import Integers, uniform_flows, write_capture
from saactors.traces.reader import open_capture

PACKETS: Final = 1_000_000
AIM_PACKETS_S: Final = 5_000_000
OURS: Final = "saactors"

COLUMNS: Final = (
    Column("ip_bytes", "IP bytes"),
    Column("reader", "reader"),
    Column("gives", "gives, per packet"),
    Column("packets", "packets", ",d"),
    Column("packets_per_cpu_s", "per CPU second", ",.0f"),
    Column("packets_per_s", "per second", ",.0f"),
    Column("times_ours", "time/ours", ",.1f"),
)


def measure(effort: Effort, folder: Path) -> Section:
    """Read generated files with every reader."""
    packets = effort.packets(PACKETS)
    generator = np.random.default_rng(2)
    mixed = generator.integers(64, 1401, packets)
    small = np.full(packets, 64)
    rows: list[tuple[Cell, ...]] = []
    aims: list[Aim] = []
    for name, sizes in (("64–1400", mixed), ("64", small)):
        path = write_file(folder / "read.pcap", sizes)
        timings = contend_work(readers(path, packets), effort.rounds)
        ours = timings[OURS]
        for reader, timing in timings.items():
            rows.append((name, reader, GIVES[reader], *figures(timing, ours)))
        aims.append(
            Aim(
                f"packets of {name} bytes to columns",
                1e9 / ours.cpu_ns,
                AIM_PACKETS_S,
                "packets/s",
                spec=",.0f",
            )
        )
    return Section(
        "Capture reading",
        f"pcap files of {packets:,} UDP packets, IP lengths uniform, in the page cache. Slow "
        "readers read fewer packets of the same file.",
        COLUMNS,
        tuple(rows),
        tuple(aims),
    )


def write_file(path: Path, sizes: Integers) -> Path:
    """A capture of a thousand flows."""
    return write_capture(path, sizes, uniform_flows(len(sizes), 1000), spacing_ns=1000)


def figures(timing: Timing, ours: Timing) -> tuple[Cell, ...]:
    """The numbers of a row."""
    packets = timing.samples[0].packets
    return packets, 1e9 / timing.cpu_ns, 1e9 / timing.wall_ns, timing.times(ours)


GIVES: Final = {
    OURS: "columns, decoded",
    "cypcap": "bytes",
    "dpkt.pcap": "bytes",
    "scapy raw": "bytes",
    "dpkt.ethernet": "object, decoded",
    "scapy": "object, decoded",
}


def readers(path: Path, packets: int) -> dict[str, Callable[[], int]]:
    """Every reader, over as many packets as it can read in about a second."""
    return {
        OURS: lambda: read_columns(path),
        "cypcap": lambda: read_with_cypcap(path, packets),
        "dpkt.pcap": lambda: read_with_dpkt(path, packets // 2, decode=False),
        "scapy raw": lambda: read_with_scapy(RawPcapReader, path, packets // 4),
        "dpkt.ethernet": lambda: read_with_dpkt(path, packets // 20, decode=True),
        "scapy": lambda: read_with_scapy(PcapReader, path, packets // 200),
    }


def read_columns(path: Path) -> int:
    """All packets, chunk by chunk."""
    with open_capture(path) as capture:
        return sum(len(chunk.packets) for chunk in capture)


def read_with_cypcap(path: Path, packets: int) -> int:
    """What libpcap gives through its Cython binding."""
    with cypcap.open_offline(str(path), cypcap.TstampPrecision.NANO) as capture:
        return count(capture, packets)


def read_with_dpkt(path: Path, packets: int, *, decode: bool) -> int:
    """Records, or packet objects down to the payload."""
    with path.open("rb") as file:
        records = islice(dpkt.pcap.Reader(file), packets)
        if not decode:
            return count(records, packets)
        return count((dpkt.ethernet.Ethernet(octets) for _, octets in records), packets)


def read_with_scapy(reader: type[RawPcapReader], path: Path, packets: int) -> int:
    """Records, or packet objects, as the reader has it."""
    with reader(str(path)) as capture:
        return count(capture, packets)


def count(items: Iterable[Any], most: int) -> int:
    """Go through up to ``most`` items and count them."""
    number = 0
    for number, _ in enumerate(islice(items, most), 1):  # noqa: B007 - counting is the work
        pass
    return number
