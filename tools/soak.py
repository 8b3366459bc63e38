"""Two gateways under traffic while everything about them changes; then everything is checked.

    .venv/bin/python tools/soak.py [--seconds 600] [--rate 3000] [--seed N] [--json]

As root, in namespaces that it makes and removes. Ends with status 1 if a check fails:

    conservation   packets in = out + drops by reason, on each gateway, with nothing left inside
    datagrams      none damaged, none twice; no more missing than were counted as dropped
    IVs            no SPI and IV twice in all that was on the wire
    memory         the last half against the first, after a warm-up: within 2 %
    descriptors    and tasks, threads: no more at the end than after the warm-up
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from soaking.changes import Changes
from soaking.pair import TUNNELS, Gateway, in_namespace, pair
from soaking.wire import repeated

HERE: Final = Path(__file__).parent
WARM_UP: Final = 0.25  # of the time: caches fill, rules are compiled
MEMORY_AIM: Final = 0.02
CHANGES_APART_S: Final = 0.2
DRAIN_S: Final = 10.0
SLACK: Final = 4  # descriptors and tasks that come and go with a client


@dataclass
class Samples:
    """What one process needed over time."""

    memory_bytes: list[int] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    tasks: list[int] = field(default_factory=list)

    def take(self, gateway: Gateway) -> None:
        """Look at the process."""
        folder = Path(f"/proc/{gateway.pid}")
        pages = int((folder / "statm").read_text().split()[1])
        self.memory_bytes.append(pages * os.sysconf("SC_PAGE_SIZE"))
        self.descriptors.append(len(list((folder / "fd").iterdir())))
        self.threads.append(len(list((folder / "task").iterdir())))
        self.tasks.append(gateway.ask("status")["tasks"])


@dataclass(frozen=True)
class Check:
    """One line of the verdict."""

    name: str
    found: str
    expected: str
    good: bool


def main() -> int:
    """Soak, check, print; 1 if a check has failed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--rate", type=float, default=3000.0, help="datagrams/s each way")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("found another user, expected root, who may make network namespaces")
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1 << 31)
    print(f"seed {seed}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="saactors-soak-") as folder:
        told, checks = soak(Path(folder), given.seconds, given.rate, seed)
    if given.json:
        lines = [check.__dict__ for check in checks]
        print(json.dumps({"seed": seed, **told, "checks": lines}, indent=2))
    else:
        show(told, checks)
    return 0 if all(check.good for check in checks) else 1


def soak(
    folder: Path, seconds: float, rate: float, seed: int
) -> tuple[dict[str, Any], list[Check]]:
    """Run both gateways under traffic and changes; what was done, and the checks."""
    with pair(folder) as gateways:
        changes = Changes(gateways, seed)
        changes.begin()
        samples = {gateway.side: Samples() for gateway in gateways}
        with ExitStack() as programs:
            wires = [programs.enter_context(program(*wire_of(each))) for each in gateways]
            counters = [programs.enter_context(program(*counter_of(each))) for each in gateways]
            one, other = gateways
            senders = [
                programs.enter_context(program(*sender_of(*ends, rate, seed)))
                for ends in ((one, other), (other, one))
            ]
            began_s = time.monotonic()
            try:
                while time.monotonic() - began_s < seconds:
                    changes.make()
                    for gateway in gateways:
                        samples[gateway.side].take(gateway)
                    time.sleep(CHANGES_APART_S)
            except KeyboardInterrupt:
                print("stopped early; what there is is checked", file=sys.stderr)
            sent = [ended(sender) for sender in senders]
            totals = [settled(gateway) for gateway in gateways]
            received = [ended(counter) for counter in reversed(counters)]
            on_wire = [ended(wire) for wire in wires]
        repeats = [repeated(each.folder / "wire") for each in gateways]
    told = {
        "seconds": round(time.monotonic() - began_s, 1),
        "changes": dict(changes.made),
        "sent": sent,
        "received": received,
        "totals": totals,
        "control_p99_ms": round(1000 * sorted(changes.took_s)[int(0.99 * len(changes.took_s))], 1),
    }
    checks = [
        *conservation(totals),
        *datagrams(sent, received, totals),
        *initialisation_vectors(on_wire, repeats),
        *flatness(samples),
    ]
    return told, checks


def conservation(totals: list[dict[str, Any]]) -> Iterator[Check]:
    """Law 1, once everything has come to rest."""
    for number, total in enumerate(totals, start=1):
        inside = total["in_flight_packets"]
        found = (
            f"{total['in_packets']} in = {total['out_packets']} out"
            f" + {sum(total['dropped'].values())} dropped + {inside} inside"
        )
        yield Check(f"conservation {number}", found, "0 inside", inside == 0)


def datagrams(
    sent: list[dict[str, int]], received: list[dict[str, int]], totals: list[dict[str, Any]]
) -> Iterator[Check]:
    """What the ends saw; whatever is missing was counted by one of the gateways."""
    dropped = sum(sum(total["dropped"].values()) for total in totals)
    missing = sum(each["sent"] for each in sent) - sum(each["received"] for each in received)
    for name in ("damaged", "twice"):
        found = sum(each[name] for each in received)
        yield Check(name, str(found), "0", found == 0)
    yield Check("missing", str(missing), f"at most {dropped}, as counted", missing <= dropped)


def initialisation_vectors(on_wire: list[dict[str, int]], repeats: list[int]) -> Iterator[Check]:
    """Law 2, in everything that was on the wire."""
    for number, (wire, twice) in enumerate(zip(on_wire, repeats, strict=True), start=1):
        sample = f", {wire['missed']} not seen" if wire["missed"] else ""
        found = f"{twice} of {wire['recorded']} packets{sample}"
        yield Check(f"IVs twice, to {number}", found, "0", twice == 0 and wire["recorded"] > 0)


def flatness(samples: dict[int, Samples]) -> Iterator[Check]:
    """Nothing grows with time."""
    for side, taken in samples.items():
        memory = taken.memory_bytes[int(len(taken.memory_bytes) * WARM_UP) :]
        half = len(memory) // 2
        first, last = mean(memory[:half] or [1]), mean(memory[half:] or [1])
        growth = last / first - 1
        found = f"{first / 1e6:.1f} → {last / 1e6:.1f} MB, {growth:+.1%}"
        yield Check(f"memory {side}", found, f"below {MEMORY_AIM:+.0%}", growth < MEMORY_AIM)
        for name in ("descriptors", "threads", "tasks"):
            values = getattr(taken, name)
            rest = values[int(len(values) * WARM_UP) :]
            usual, end = max(rest[: len(rest) // 2]), rest[-1]
            good = end <= usual + SLACK
            yield Check(f"{name} {side}", str(end), f"at most {usual} + {SLACK}", good)


def settled(gateway: Gateway) -> dict[str, Any]:
    """The totals once nothing is inside any more, or the time for that is over."""
    until_s = time.monotonic() + DRAIN_S
    while True:
        packets: dict[str, Any] = gateway.ask("status")["packets"]
        if packets["in_flight_packets"] == 0 or time.monotonic() > until_s:
            return packets
        time.sleep(0.1)


def wire_of(gateway: Gateway) -> tuple[Gateway, list[str]]:
    """What records the packets that come to a gateway."""
    script = str(HERE / "soaking" / "wire.py")
    return gateway, [sys.executable, script, "wire", str(gateway.folder / "wire")]


def counter_of(gateway: Gateway) -> tuple[Gateway, list[str]]:
    """What counts the datagrams behind a gateway."""
    words = ["count", "--at", gateway.inner(0), "--flows", str(TUNNELS)]
    return gateway, [sys.executable, "-I", str(HERE / "soaking" / "datagrams.py"), *words]


def sender_of(gateway: Gateway, peer: Gateway, rate: float, seed: int) -> tuple[Gateway, list[str]]:
    """What sends the datagrams."""
    words = ["send", "--from", gateway.inner(0), "--to", peer.inner(0)]
    words += ["--flows", str(TUNNELS), "--rate", f"{rate:g}", "--seed", str(seed + gateway.side)]
    return gateway, [sys.executable, "-I", str(HERE / "soaking" / "datagrams.py"), *words]


@contextmanager
def program(gateway: Gateway, words: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A program in the gateway's namespace, up and listening; ended in any case."""
    process = subprocess.Popen(
        in_namespace(gateway, words), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )
    try:
        if "send" not in words:
            assert process.stdout is not None
            process.stdout.readline()  # it says that it listens
        yield process
    finally:
        process.kill()
        process.wait()


def ended(process: subprocess.Popen[str]) -> dict[str, int]:
    """End a program and take what it tells."""
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    told: dict[str, int] = json.loads(output.splitlines()[-1])
    return told


def show(told: dict[str, Any], checks: list[Check]) -> None:
    """The verdict as a table."""
    made = ", ".join(f"{count} × {name}" for name, count in sorted(told["changes"].items()))
    table = Table(title=f"{told['seconds']} s; {made}; control p99 {told['control_p99_ms']} ms")
    for column in ("check", "found", "expected", ""):
        table.add_column(column)
    for check in checks:
        table.add_row(check.name, check.found, check.expected, "good" if check.good else "BAD")
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
