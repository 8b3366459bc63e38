"""The other side of the page's boundary: something that answers as a gateway does, without one.

``MadeUpGateway`` holds columns for any number of SAs and, from ``moving`` to ``moving``, answers
numbers that grow with the clock as traffic does. Standing still, it answers the same every time, so
a test can compare. Its answers are held against the models of docs/control.md by a test.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from saactors.errors import ControlError
from saactors.gateway.control.schema import read_arguments

SECOND_NS = 1_000_000_000
UGLY_NAME = "<img src=x onerror=document.title='broken'>"
REASONS = (
    "metric 812 exceeds the lowest resident's 203 by at least 460",
    "the card's slot was wanted by 0x00001007",
    "pinned by uid 0",
    "no slot is free",
)
MOVES = ("loaded", "evicted", "pinned", "refused")
EDGES = (
    ("source", "classifier"), ("classifier", "keeper"), ("keeper", "arbiter"),
    ("arbiter", "software"), ("arbiter", "nic"), ("software", "egress"), ("nic", "egress"),
)  # fmt: skip


class MadeUpGateway:
    """Answers the commands that only read; ``ask`` is what the web application takes."""

    def __init__(self, sas: int = 300, slots: int = 64, seed: int = 1) -> None:
        random = np.random.default_rng(seed)
        self.sas, self.slots = sas, slots
        self.rates = np.sort(random.pareto(1.2, sas) * 20)[::-1].copy()
        self.spis = np.arange(4096, 4096 + sas)
        self.names = [f"site-{place}" for place in range(sas)]
        self.names[2 % sas] = UGLY_NAME
        self.started_epoch_ns = time.time_ns() - 700 * SECOND_NS
        self.ready, self.draining, self.dropping = True, False, True
        self.moves_made = 40
        self.asked: list[str] = []
        self._stopped_ns: int | None = self.now_ns

    @property
    def now_ns(self) -> int:
        """Since the start."""
        return time.time_ns() - self.started_epoch_ns

    def moving(self, moves: bool) -> None:
        """Let time go on, or stand still."""
        self._stopped_ns = None if moves else self.now_ns

    async def ask(self, command: str, arguments: Mapping[str, object]) -> dict[str, Any]:
        """The answer of a command; refuses what a gateway refuses."""
        self.asked.append(command)
        checked = read_arguments(command, arguments).model_dump()
        answers = {
            "status": self._status,
            "sa.list": self._list,
            "sa.show": self._show,
            "explain": self._explain,
            "moves": self._moves,
            "history": self._history,
        }
        if command not in answers:
            raise ControlError(command, "a gateway that is made up", "one that can answer this")
        return answers[command](**checked)

    def _time(self) -> int:
        return self.now_ns if self._stopped_ns is None else self._stopped_ns

    def _packets(self) -> np.ndarray:
        """Of each SA since the start; the hottest are on the card."""
        time_s = self._time() / SECOND_NS
        return (self.rates * (time_s - 2.7 * np.cos(time_s / 9) + 5)).astype(np.int64)

    def _status(self) -> dict[str, Any]:
        now_ns, packets = self._time(), self._packets()
        nic, software = int(packets[: self.slots].sum()), int(packets[self.slots :].sum())
        bypass = now_ns // 10_000_000
        dropped = {"replayed": 12, "no_policy": now_ns // SECOND_NS, "icv_failed": 3, "not_ip": 0}
        dropped = dropped if self.dropping else {}
        out = nic + software + bypass
        residents = min(self.slots, self.sas)
        return {
            "version": "0.5.0", "name": "made-up", "pid": os.getpid(),
            "started_epoch_ns": self.started_epoch_ns, "uptime_ns": now_ns,
            "ready": self.ready, "draining": self.draining, "tasks": 20,
            "rule": {"name": "metric", "parameters": {"period_ns": 10_000_000}, "threshold": 460.0},
            "card": {
                "profile": "nfp", "slots_max": self.slots, "residents": residents,
                "loading": 1, "pinned": 2, "loads": 1200 + now_ns // SECOND_NS * 3,
                "loads_refused": 4, "loads_lost": 1, "evictions": 1100, "resets": 0,
                "engine_queue_packets": 17,
            },
            "packets": {
                "in_packets": out + sum(dropped.values()) + 256, "out_packets": out,
                "in_flight_packets": 256, "software_packets": software, "nic_packets": nic,
                "bypass_packets": bypass, "software_bytes": software * 590,
                "nic_bytes": nic * 1100, "bypass_bytes": bypass * 90, "dropped": dropped,
            },
            "edges": [self._edge(place, *ends) for place, ends in enumerate(EDGES)],
            "ports": [
                self._port("tun0", "tun", "inside", "saa0, 10.1.0.1/24, mtu 1400", out),
                self._port("udp1", "udp", "outside", "192.0.2.1:4500", out),
            ],
            "sas": {
                "total": self.sas, "outbound": self.sas - self.sas // 2, "inbound": self.sas // 2,
                "software": self.sas - residents - 1, "loading": 1, "nic": residents,
            },
            "attached": [{"id": 3, "kinds": ["loaded"], "events_sent": 812, "events_lost": 0}],
            "events_lost": 7,
        }  # fmt: skip

    def _edge(self, place: int, source: str, target: str) -> dict[str, Any]:
        return {
            "name": f"{source} → {target}", "source": source, "target": target,
            "carries": "bursts", "capacity": 16 if place else None,
            "queued": 15 if place == 3 else place % 4, "high_water": 16,
            "sent": 9000 + place, "waits": 40 * place, "waited_ns": 1_250_000 * place,
        }  # fmt: skip

    def _port(self, name: str, kind: str, side: str, detail: str, packets: int) -> dict[str, Any]:
        return {
            "name": name, "kind": kind, "side": side, "detail": detail,
            "received_packets": packets // 2, "received_bytes": packets * 400,
            "sent_packets": packets // 2, "sent_bytes": packets * 420,
            "ring_dropped": 5, "send_refused": 1,
        }  # fmt: skip

    def _row(self, place: int, packets: np.ndarray) -> dict[str, Any]:
        on_card, rate = place < self.slots, float(self.rates[place])
        return {
            "sa": place, "spi": int(self.spis[place]), "name": self.names[place],
            "direction": "in" if place % 2 else "out", "suite": "aes-gcm-256", "mode": "tunnel",
            "source": f"192.0.2.{place % 200 + 1}", "destination": "198.51.100.7",
            "where": "nic" if on_card else "loading" if place == self.slots else "software",
            "pinned": "nic" if place in {1, 3} else "auto", "metric": rate * 2,
            "packets": int(packets[place]),
            "bytes": int(packets[place]) * (1100 if on_card else 590),
            "nic_packets": int(packets[place]) if on_card else 0,
            "packets_per_s": rate, "bits_per_s": rate * 8800,
            "saved_ns": float(packets[place] * 1200.0 if on_card else -900.0), "moves": place % 7,
        }  # fmt: skip

    def _list(
        self, search: str, sort: str, descending: bool, offset: int, limit: int,
        direction: str | None, where: str | None,
    ) -> dict[str, Any]:  # fmt: skip
        packets, places = self._packets(), np.arange(self.sas)
        if search:
            fits = [
                p for p in range(self.sas) if search in self.names[p] or search in hex(p + 4096)
            ]
            places = np.array(fits, np.int64)
        if direction:
            places = places[places % 2 == (direction == "in")]
        if where:
            bounds = {"nic": (0, self.slots), "loading": (self.slots, self.slots + 1)}
            low, high = bounds.get(where, (self.slots + 1, self.sas))
            places = places[(places >= low) & (places < high)]
        keys = {"spi": self.spis, "sa": self.spis, "moves": np.arange(self.sas) % 7}
        column = keys.get(sort, self.rates)[places]
        order = np.argsort(-column if descending else column, kind="stable")
        page = places[order][offset : offset + limit]
        rows = [self._row(int(place), packets) for place in page]
        return {"total": self.sas, "matched": len(places), "rows": rows}

    def _place(self, spi: int) -> int:
        if not 4096 <= spi < 4096 + self.sas:
            raise ControlError(
                "spi", f"0x{spi:08x}", "the SPI of an SA", "see saactors ctl sa list"
            )
        return spi - 4096

    def _show(self, spi: int, destination: str | None) -> dict[str, Any]:  # noqa: ARG002 # one each
        row = self._row(self._place(spi), self._packets())
        return row | {
            "source_port": None, "destination_port": None, "extended_sequence": True,
            "sequence": row["packets"], "replay_window": 128, "lifetime": {}, "streams": 3,
        }  # fmt: skip

    def _explain(self, spi: int, destination: str | None) -> dict[str, Any]:  # noqa: ARG002 # one each
        row = self._row(self._place(spi), self._packets())
        moves = [
            {key: move[key] for key in ("time_ns", "move", "reason")} for move in self._made(5)
        ]
        return {
            "sa": row, "lowest": {"sa": 63, "spi": 4159, "metric": 203.25}, "threshold": 460.0,
            "saving_ns": 1570.0, "load_host_ns": 54_000.0, "saved_ns": row["saved_ns"],
            "text": [f"{row['name']} runs in {row['where']}.", "Its metric is above the lowest."],
            "moves": moves, "to_change": "its metric would have to fall below 203.",
        }  # fmt: skip

    def _made(self, count: int) -> list[dict[str, Any]]:
        now_ns = self._time()
        return [
            {
                "time_ns": now_ns - place * 730_000_000, "sa": place, "spi": 4096 + place,
                "move": MOVES[place % 4], "reason": REASONS[place % 4],
            }
            for place in range(min(count, self.moves_made))
        ]  # fmt: skip

    def _moves(self, limit: int) -> dict[str, Any]:
        return {"rows": self._made(limit)}

    def _history(self) -> dict[str, Any]:
        now_ns = self._time()
        points = []
        nic, software = self.rates[: self.slots].sum(), self.rates[self.slots :].sum()
        for age in range(600, 0, -1):
            swing = 1 + 0.3 * np.sin((now_ns / SECOND_NS - age) / 9)
            points.append({
                "time_ns": now_ns - age * SECOND_NS, "software_packets": int(software * swing),
                "nic_packets": int(nic * swing), "bypass_packets": 100, "dropped_packets": 1,
                "residents": min(self.slots, 600 - age), "loads": int(3 + 2 * swing),
            })  # fmt: skip
        return {"width_ns": SECOND_NS, "points": points}
