r"""Makes `demo/traffic.pcap.gz`: real traffic of real programs, captured in network namespaces.

    sudo python3 tools/make_demo_capture.py [--seed N] [--output FILE]

Takes about 40 s. Needs root on Debian 12 (or a Linux much like it) and these packages:

    apt-get install -y --no-install-recommends apache2-utils curl dnsmasq-base dnsperf ethtool \
        iperf3 iproute2 iputils-ping nginx-light python3-dpkt tcpdump util-linux wrk

36 hosts of four offices browse, look names up, make calls, pull and push backups. In demo_capture/,
plan.py says who does what when, network.py how they are connected, stage.py how it is run. All of
it happens in namespaces of its own for mounts, processes and the network; no link leads outside.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from demo_capture.stage import RAW_CAPTURE

TOOLS = Path(__file__).resolve().parent
OUTPUT = TOOLS.parent / "demo" / "traffic.pcap.gz"
SEED = 2

PACKAGES = {
    "ab": "apache2-utils",
    "curl": "curl",
    "dnsmasq": "dnsmasq-base",
    "dnsperf": "dnsperf",
    "ethtool": "ethtool",
    "iperf3": "iperf3",
    "ip": "iproute2",
    "ping": "iputils-ping",
    "nginx": "nginx-light",
    "tcpdump": "tcpdump",
    "unshare": "util-linux",
    "wrk": "wrk",
}

PCAP_HEADER_BYTES = 24
RECORD_HEADER = struct.Struct("=IIII")  # seconds, nanoseconds, captured bytes, bytes on the wire
NANOSECOND_MAGIC = 0xA1B23C4D


def main() -> None:
    """Capture, pack, verify and print what came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=SEED, help="of the plan (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="default: %(default)s")
    arguments = parser.parse_args()
    check_machine()
    for request in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(request, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="demo-capture-") as name:
        perform(Path(name), arguments.seed)
        pack(Path(name) / RAW_CAPTURE, arguments.output)
    print_figures(arguments.output)


def check_machine() -> None:
    """Exit with what to do about it if this machine cannot make the capture."""
    if os.geteuid() != 0:
        sys.exit("network namespaces need root: run it with sudo")
    missing = {package for program, package in PACKAGES.items() if not shutil.which(program)}
    if not importlib.util.find_spec("dpkt"):
        missing.add("python3-dpkt")
    if missing:
        names = " ".join(sorted(missing))
        sys.exit(
            f"missing packages: {names}\n"
            f"install them: apt-get update && apt-get install -y --no-install-recommends {names}"
        )


def perform(folder: Path, seed: int) -> None:
    """Run the stage in namespaces of its own; it leaves the capture in the folder.

    On Ctrl-C `unshare` is killed; the kernel then sends the stage a SIGTERM, and it clears up. The
    pipe from it closes when it has.
    """
    namespaces = "--mount --net --pid --fork --kill-child=TERM --mount-proc"
    stage = (sys.executable, "-m", "demo_capture.stage", str(folder), str(seed))
    process = subprocess.Popen(
        ["unshare", *namespaces.split(), *stage],
        cwd=TOOLS,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # the terminal's Ctrl-C is ours, not the stage's
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            print(line, end="", flush=True)
    except KeyboardInterrupt:
        process.kill()
        print(process.stdout.read(), end="")
        raise
    finally:
        status = process.wait()
    if status:
        sys.exit(f"no capture was made: the stage ended with status {status}")


def pack(raw: Path, packed: Path) -> None:
    """Write a capture compressed, its records in the order of time; same input, same bytes.

    The kernel stamps a packet before it queues it for tcpdump: two processors may swap neighbours.
    """
    content = raw.read_bytes()
    magic = int.from_bytes(content[:4], sys.byteorder)
    assert magic == NANOSECOND_MAGIC, f"tcpdump wrote no nanosecond capture: {magic:#x}"
    records = []
    at = PCAP_HEADER_BYTES
    while at < len(content):
        seconds, nanoseconds, captured_bytes, _ = RECORD_HEADER.unpack_from(content, at)
        end = at + RECORD_HEADER.size + captured_bytes
        records.append((seconds, nanoseconds, content[at:end]))
        at = end
    records.sort(key=lambda record: record[:2])
    body = b"".join(record for _, _, record in records)
    packed.parent.mkdir(exist_ok=True)
    packed.write_bytes(gzip.compress(content[:PCAP_HEADER_BYTES] + body, mtime=0))


def print_figures(path: Path) -> None:
    """Print what is in the capture, as the rows of the table in demo/README.md."""
    from demo_capture.figures import count  # noqa: PLC0415  (dpkt may be missing until checked)

    print(f"\n{path}: {path.stat().st_size / 1e6:.2f} MB\n")
    for name, value in count(path).rows():
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped: no capture was made, and nothing is left of it")
