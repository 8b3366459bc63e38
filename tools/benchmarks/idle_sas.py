"""A replay that ends by telling how much memory it holds: ``memory`` runs it in its own process.

python -m benchmarks.idle_sas CAPTURE real|none
"""

from __future__ import annotations

import gc
import json
import sys
from contextlib import ExitStack
from pathlib import Path

import trio

from saactors.replay.build import build_replay
from saactors.replay.options import ReplayOptions
from saactors.runtime.clock import VirtualClock
from saactors.topology import run_system


def main(capture: str, crypto: str) -> None:
    """Replay ``capture`` and print SAs and resident bytes while all of it is still held."""
    with ExitStack() as files:
        options = ReplayOptions(capture=capture, crypto=crypto, closed_loop=True)
        built = build_replay(options, files, None, (), ())
        assert isinstance(built.system.clock, VirtualClock)
        trio.run(run_system, built.system, clock=built.system.clock)
        gc.collect()
        seen = {"sas": len(built.security.sas), "resident_bytes": anonymous_bytes()}
    print(json.dumps(seen))


def anonymous_bytes() -> int:
    """Anonymous resident memory of this process, as Linux counts it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == "RssAnon":
            return int(rest.split()[0]) * 1024
    raise OSError("/proc/self/status has no RssAnon: measuring memory needs Linux 4.5 or later")


if __name__ == "__main__":
    main(*sys.argv[1:])
