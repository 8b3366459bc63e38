"""What changes under traffic, by a seed: SAs, keys, pins, rules, slots, listeners, the file."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from saactors.errors import ControlError
from saactors.gateway.control.client import ControlClient
from soaking.pair import SLOTS, SUITE, TUNNELS, Gateway, new_key

RULES: Final[tuple[tuple[str, dict[str, object]], ...]] = (
    ("metric", {"threshold": 20.0, "decay": "factor:0.7", "period_ns": 100_000_000}),
    ("metric", {"threshold": 5.0}),
    ("lru", {}),
    ("adaptive", {}),
    ("first-come", {}),
    ("never", {}),
)
SETTLING_S: Final = 0.05  # what is sealed with the old key arrives before the old SA goes
RELOAD_S: Final = 60.0
ELSEWHERE: Final = "198.51.100.0/24"  # where no traffic goes
IMPORTED: Final = 3


@dataclass(frozen=True)
class Rekeyed:
    """While a tunnel changed from one SA to another; order is kept within an SA only."""

    sender: int  # 0 or 1: whose packets
    tunnel: int
    began_ns: int
    ended_ns: int


class Changes:
    """Makes one change after the other; counts them, and how long each call took."""

    def __init__(self, gateways: tuple[Gateway, Gateway], seed: int) -> None:
        self._gateways = gateways
        self._chance = random.Random(seed)
        self._spis = count(0x1000)
        self._current: dict[tuple[int, int], int] = {}  # (sending side, tunnel) → SPI
        self.made: Counter[str] = Counter()
        self.refused: list[str] = []  # what a gateway would not do
        self.rekeyed: list[Rekeyed] = []
        self.took_s: dict[str, list[float]] = defaultdict(list)  # by command
        self._weights: dict[Callable[[Gateway], None], int] = {
            self._rekey: 20,
            self._pin: 8,
            self._look: 8,
            self._change_rule: 4,
            self._resize: 4,
            self._attach: 4,
            self._add_and_delete: 4,
            self._import: 2,
            self._policy: 2,
            self._reload: 2,
            self._reset: 2,
            self._trace: 2,
        }

    def begin(self) -> None:
        """Give every tunnel its first keys in both directions."""
        for sender in (0, 1):
            for tunnel in range(TUNNELS):
                self._key(sender, tunnel)

    def warm_up(self) -> None:
        """Everything once on either gateway, so that whatever is kept for good is there."""
        for gateway in self._gateways:
            for name, parameters in (*RULES[1:], RULES[0]):
                gateway.ask("rule.set", name=name, parameters=parameters)
            for change in self._weights:
                change(gateway)
        self.took_s.clear()

    def make(self) -> None:
        """One change, drawn at random; one that is refused is noted."""
        change = self._chance.choices(list(self._weights), list(self._weights.values()))[0]
        name = change.__name__.strip("_")
        try:
            change(self._any())
        except ControlError as problem:
            self.refused.append(f"{name}: {problem}")
        self.made[name] += 1

    def _ask(self, gateway: Gateway, command: str, **arguments: object) -> dict[str, Any]:
        began_s = time.monotonic()
        try:
            return gateway.ask(command, **arguments)
        finally:
            self.took_s[command].append(time.monotonic() - began_s)

    def _any(self) -> Gateway:
        return self._gateways[self._chance.randrange(2)]

    def _sent_by(self, gateway: Gateway) -> list[int]:
        """The SPIs that carry traffic from a gateway."""
        return [spi for (side, _), spi in sorted(self._current.items()) if side == gateway.side - 1]

    def _key(self, sender: int, tunnel: int) -> None:
        """A new key for what that side sends: the receiver has it before the sender uses it."""
        out, into = self._gateways[sender], self._gateways[1 - sender]
        spi = next(self._spis)
        common = {"spi": spi, "suite": SUITE, "key": new_key()}
        common |= {"source": out.outer, "destination": into.outer}
        common |= {"source_port": 4500, "destination_port": 4500}
        self._ask(into, "sa.add", direction="in", name=f"from-{tunnel}-{spi}", **common)
        self._ask(out, "sa.add", direction="out", name=f"tunnel-{tunnel}", **common)
        self._current[sender, tunnel] = spi

    def _rekey(self, gateway: Gateway) -> None:
        """New SPI and key, make before break."""
        sender, tunnel = gateway.side - 1, self._chance.randrange(TUNNELS)
        old, began_ns = self._current[sender, tunnel], time.monotonic_ns()
        self._key(sender, tunnel)
        self._ask(gateway, "sa.delete", spi=old)
        time.sleep(SETTLING_S)
        self._ask(self._gateways[1 - sender], "sa.delete", spi=old)
        self.rekeyed.append(Rekeyed(sender, tunnel, began_ns, time.monotonic_ns()))

    def _add_and_delete(self, gateway: Gateway) -> None:
        """An SA with a policy, without traffic; the policy stays without one."""
        spi = next(self._spis)
        ends = {"source": gateway.outer, "destination": "198.51.100.1"}
        policies = [{"destination": ELSEWHERE}]
        arguments = {"direction": "out", "suite": SUITE, "key": new_key(), "policies": policies}
        self._ask(gateway, "sa.add", spi=spi, **ends, **arguments)
        self._ask(gateway, "sa.show", spi=spi)
        self._ask(gateway, "sa.delete", spi=spi)
        self._without_policies_elsewhere(gateway)

    def _import(self, gateway: Gateway) -> None:
        """Wireshark's lines; a second time with other keys, which replaces them; then none."""
        spis = [next(self._spis) for _ in range(IMPORTED)]
        for _ in range(2):
            text = "".join(
                f'"IPv4","{gateway.outer}","198.51.100.{place}","0x{spi:08x}",'
                f'"AES-GCM [RFC4106]","0x{new_key()}","NULL",""\n'
                for place, spi in enumerate(spis)
            )
            told = self._ask(gateway, "sa.import", text=text, format="esp-sa")
            if told["skipped"]:
                self.refused.append(f"import: {told['skipped'][0]['why']}")
        for spi in spis:
            self._ask(gateway, "sa.delete", spi=spi)

    def _policy(self, gateway: Gateway) -> None:
        """A policy before all others, which every stream is then looked up against anew."""
        self._ask(gateway, "policy.add", action="discard", destination=ELSEWHERE, before=0)
        self._ask(gateway, "policy.list")
        self._without_policies_elsewhere(gateway)

    def _without_policies_elsewhere(self, gateway: Gateway) -> None:
        rows = gateway.ask("policy.list")["rows"]
        for row in reversed([row for row in rows if row["destination"] == ELSEWHERE]):
            self._ask(gateway, "policy.delete", number=row["number"])

    def _pin(self, gateway: Gateway) -> None:
        spi = self._chance.choice(self._sent_by(gateway))
        pinned = self._ask(gateway, "status")["card"]["pinned"]
        places = ("auto", "software", "nic") if pinned < 1 else ("auto", "software")
        self._ask(gateway, "sa.pin", spi=spi, where=self._chance.choice(places))

    def _look(self, gateway: Gateway) -> None:
        self._ask(gateway, "explain", spi=self._chance.choice(self._sent_by(gateway)))
        self._ask(gateway, "sa.list", sort="metric", limit=50)
        self._ask(gateway, "moves", limit=100)
        self._ask(gateway, "history")
        self._ask(gateway, "card.show")
        self._ask(gateway, "rule.show")

    def _change_rule(self, gateway: Gateway) -> None:
        name, parameters = self._chance.choice(RULES)
        self._ask(gateway, "rule.set", name=name, parameters=parameters)

    def _resize(self, gateway: Gateway) -> None:
        self._ask(gateway, "card.resize", slots=self._chance.randrange(1, SLOTS + 1))

    def _reset(self, gateway: Gateway) -> None:
        self._ask(gateway, "card.reset")

    def _attach(self, gateway: Gateway) -> None:
        """Listen for a moment, to everything, and leave without a word."""
        with ControlClient(str(gateway.folder / "control.sock")) as client:
            kinds = ["burst_handled", "metric_sampled", "edge_depth", "load_issued", "evicted"]
            following = client.follow("attach", {"kinds": kinds})
            for _ in range(self._chance.randrange(4)):
                following.next(0.2)

    def _trace(self, gateway: Gateway) -> None:
        """Follow some packets on their way; half of the time no longer than they take."""
        patience_s = self._chance.choice((0.0, 5.0))
        with ControlClient(str(gateway.folder / "control.sock")) as client:
            following = client.follow("trace.add", {"count": 20, "filter": {"direction": "out"}})
            until_s = time.monotonic() + patience_s
            while following.end is None and time.monotonic() < until_s:
                following.next(0.5)

    def _reload(self, gateway: Gateway) -> None:
        """SIGHUP: as it was, then with an SA and a policy more, then without them again."""
        file = gateway.folder / "gateway.toml"
        text = file.read_text()
        extra = (
            f'[[sas]]\nname = "of-the-file"\nspi = {next(self._spis)}\nsuite = "{SUITE}"\n'
            f'key = "0x{new_key()}"\nsource = "{gateway.outer}"\ndestination = "198.51.100.9"\n'
            f'[[policies]]\naction = "discard"\ndestination = "{ELSEWHERE}"\n'
        )
        for content in (text, text + extra, text):
            file.write_text(content)
            lines = len((gateway.folder / "log").read_text().splitlines())
            os.kill(gateway.pid, signal.SIGHUP)
            self._await_reload(gateway, lines)

    def _await_reload(self, gateway: Gateway, lines_before: int) -> None:
        until_s = time.monotonic() + RELOAD_S
        while time.monotonic() < until_s:
            lines = (gateway.folder / "log").read_text().splitlines()[lines_before:]
            if any('"reloaded"' in line for line in lines):
                return
            if refusals := [line for line in lines if '"not_reloaded"' in line]:
                self.refused.append(f"reload: {refusals[0]}")
                return
            time.sleep(0.02)
        self.refused.append(f"reload: nothing said of it within {RELOAD_S:.0f} s")
