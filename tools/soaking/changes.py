"""What changes under traffic, by a seed: rekeys, pins, rules, slots, resets, listeners, reloads."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Any

from saactors.gateway.control.client import ControlClient
from soaking.pair import SLOTS, SUITE, TUNNELS, Gateway, new_key

RULES: tuple[tuple[str, dict[str, object]], ...] = (
    ("metric", {"threshold": 20.0, "decay": "factor:0.7", "period_ns": 100_000_000}),
    ("metric", {"threshold": 5.0}),
    ("lru", {}),
    ("adaptive", {}),
    ("first-come", {}),
    ("never", {}),
)
SETTLING_S = 0.05  # what is sealed with the old key arrives before the old SA goes


class Changes:
    """Makes one change after the other; counts them, and how long each call took."""

    def __init__(self, gateways: tuple[Gateway, Gateway], seed: int) -> None:
        self._gateways = gateways
        self._chance = random.Random(seed)
        self._spis = count(0x1000)
        self._current: dict[tuple[int, int], int] = {}  # (sending side, tunnel) → SPI
        self.made: Counter[str] = Counter()
        self.took_s: list[float] = []

    def begin(self) -> None:
        """Give every tunnel its first keys in both directions."""
        for sender in (0, 1):
            for tunnel in range(TUNNELS):
                self._key(sender, tunnel)

    def make(self) -> None:
        """One change, drawn at random."""
        changes: list[tuple[int, Callable[[], None]]] = [
            (10, self._rekey),
            (4, self._pin),
            (4, self._look),
            (2, self._change_rule),
            (2, self._resize),
            (1, self._reset),
            (2, self._attach),
            (1, self._reload),
        ]
        weights, calls = zip(*changes, strict=True)
        change = self._chance.choices(calls, weights)[0]
        change()
        self.made[change.__name__.strip("_")] += 1

    def _ask(self, gateway: Gateway, command: str, **arguments: object) -> dict[str, Any]:
        began_s = time.monotonic()
        answer = gateway.ask(command, **arguments)
        self.took_s.append(time.monotonic() - began_s)
        return answer

    def _any(self) -> Gateway:
        return self._gateways[self._chance.randrange(2)]

    def _key(self, sender: int, tunnel: int) -> int:
        """A new key for what that side sends: the receiver has it before the sender uses it."""
        out, into = self._gateways[sender], self._gateways[1 - sender]
        spi, key = next(self._spis), new_key()
        ends = {"source": out.outer, "destination": into.outer}
        ports = {"source_port": 4500, "destination_port": 4500}
        common = {"spi": spi, "suite": SUITE, "key": key, **ends, **ports}
        self._ask(into, "sa.add", direction="in", name=f"from-{tunnel}-{spi}", **common)
        self._ask(out, "sa.add", direction="out", name=f"tunnel-{tunnel}", **common)
        self._current[sender, tunnel] = spi
        return spi

    def _rekey(self) -> None:
        sender, tunnel = self._chance.randrange(2), self._chance.randrange(TUNNELS)
        old = self._current[sender, tunnel]
        self._key(sender, tunnel)
        self._ask(self._gateways[sender], "sa.delete", spi=old)
        time.sleep(SETTLING_S)
        self._ask(self._gateways[1 - sender], "sa.delete", spi=old)

    def _pin(self) -> None:
        (sender, _), spi = self._chance.choice(sorted(self._current.items()))
        gateway = self._gateways[sender]
        pinned = self._ask(gateway, "status")["card"]["pinned"]
        places = ("auto", "software", "nic") if pinned < 1 else ("auto", "software")
        self._ask(gateway, "sa.pin", spi=spi, where=self._chance.choice(places))

    def _look(self) -> None:
        (sender, _), spi = self._chance.choice(sorted(self._current.items()))
        self._ask(self._gateways[sender], "explain", spi=spi)
        self._ask(self._any(), "sa.list", sort="metric", limit=50)
        self._ask(self._any(), "moves", limit=100)
        self._ask(self._any(), "history")

    def _change_rule(self) -> None:
        name, parameters = self._chance.choice(RULES)
        # A rule that was never run here is compiled first; that is not the call's speed.
        self._any().ask("rule.set", name=name, parameters=parameters)

    def _resize(self) -> None:
        self._ask(self._any(), "card.resize", slots=self._chance.randrange(1, SLOTS + 1))

    def _reset(self) -> None:
        self._ask(self._any(), "card.reset")

    def _attach(self) -> None:
        """Listen for a moment, to everything, and leave without a word."""
        path = str(self._any().folder / "control.sock")
        with ControlClient(path) as client:
            kinds = ["burst_handled", "metric_sampled", "load_issued", "evicted"]
            following = client.follow("attach", {"kinds": kinds})
            for _ in range(self._chance.randrange(4)):
                following.next(0.2)

    def _reload(self) -> None:
        os.kill(self._any().pid, signal.SIGHUP)
