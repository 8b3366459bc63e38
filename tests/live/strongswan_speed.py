"""How fast strongSwan's user-space ESP is here: what the gateway's speed is compared with.

    .venv/bin/python tests/live/strongswan_speed.py [--seconds 5]

Charon at both ends of one tunnel (AES-GCM-128 in UDP), a sender and a receiver, all on this
machine: the same stage on which the gateway takes the place of our charon.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Final

import interop_path  # noqa: F401  # it is there for the next ones
from missing import why_not_strongswan
from namespaces import Namespace
from patience import wait_until
from strongswan_peer import charon_at_both_ends
from tunnel_streams import Traffic, stream_through
from tunnels import OURS, THEIRS, Tunnel

SIZES_BYTES: Final = (64, 1400)
_PROGRAM: Final = Path(__file__).with_name("packet_flood.py")
_SETTLING_S: Final = 15.0
_SKIPPED: Final = 77


def main() -> int:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=5.0)
    seconds = parser.parse_args().seconds
    if reason := why_not_strongswan():
        print(f"SKIPPED, STRONGSWAN IS NOT MEASURED: {reason}", file=sys.stderr)
        return _SKIPPED
    with tempfile.TemporaryDirectory(prefix="saactors-live-") as folder:
        print(json.dumps(strongswan_speed(Path(folder), seconds)))
    return 0


def strongswan_speed(folder: Path, seconds: float) -> dict[str, float]:
    """Packets/s that arrive, for each size of SIZES_BYTES, and TCP bytes/s both ways at once."""
    tunnel, found = Tunnel(1), {}
    with charon_at_both_ends(folder, [tunnel]) as (ours, theirs):
        for size_bytes in SIZES_BYTES:
            rate = packets_per_s(ours, theirs, folder, tunnel, size_bytes, seconds)
            found[f"packets_per_s_{size_bytes}"] = rate
        streams = stream_through(ours, theirs, folder, [tunnel], Traffic(seconds, loud=1))
        found["tcp_bytes_per_s"] = (streams.bytes_there + streams.bytes_back) / seconds
    return found


def packets_per_s(
    ours: Namespace,
    theirs: Namespace,
    folder: Path,
    tunnel: Tunnel,
    size_bytes: int,
    seconds: float,
) -> float:
    """How many datagrams of a size arrive at the other end in a second of flooding."""
    words = [sys.executable, "-I", str(_PROGRAM)]
    output = folder / "receiver-output"
    times = ["--seconds", f"{seconds:g}"]
    receiver_words = [*words, "receiver", "--bind", tunnel.inner(THEIRS), *times]
    with theirs.program(receiver_words, output=output) as receiver:
        wait_until(lambda: "listening" in output.read_text(), "the receiver to listen")
        ends = ["--bind", tunnel.inner(OURS), "--to", tunnel.inner(THEIRS)]
        ours.run([*words, "sender", *ends, *times, "--size", str(size_bytes)])
        receiver.wait(_SETTLING_S)
    found = json.loads(output.read_text().splitlines()[-1])
    return found["packets"] / found["seconds"]


if __name__ == "__main__":
    sys.exit(main())
