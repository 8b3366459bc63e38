"""SAs as rows of plain values: for lists, the page and explanations; keys are never among them.

With 10⁵ SAs a list is made column by column: sorting and filtering happen in arrays, and only the
rows that are asked for become Python objects.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from saactors.esp.lifetime import Lifetime
from saactors.gateway.live_sa import ABSENT_ROW, INBOUND_ROW, OUTBOUND_ROW, LiveSa
from saactors.gateway.parts import Parts
from saactors.model.sa import Mode

SOFTWARE, LOADING, NIC = range(3)
WHERE: Final = ("software", "loading", "nic")
_KINDS: Final = {"out": OUTBOUND_ROW, "in": INBOUND_ROW}


class SaViews:
    """Reads a gateway's parts; changes nothing."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def where(self) -> npt.NDArray[np.int8]:
        """Where each SA's crypto runs, by the card's own word: an index of WHERE per row."""
        rows, card = self._parts.sas.rows, self._parts.system.card
        where = np.zeros(rows, np.int8)
        for handles, place in ((card.loading(), LOADING), (card.residents(), NIC)):
            where[handles[handles < rows]] = place
        return where

    def metrics(self) -> npt.NDArray[np.float64]:
        """The metric of each row."""
        rows = self._parts.sas.rows
        known = self._parts.keeper.metrics()[:rows]
        return np.concatenate([known, np.zeros(rows - len(known))])

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """What lists are sorted by, each with an entry per row of the table."""
        parts = self._parts
        rows = parts.sas.rows
        counts = parts.system.leave.counters.of(rows)
        return {
            "packets": counts["packets"],
            "bytes": counts["bytes"],
            "nic_packets": counts["nic_packets"],
            "packets_per_s": parts.rates.packets_per_s(rows),
            "bits_per_s": parts.rates.bits_per_s(rows),
            "metric": self.metrics(),
            "saved_ns": self._saved_ns(counts, rows),
            "moves": parts.moves.counts(rows),
            "spi": parts.sas.table.records["spi"][:rows],
            "sa": np.arange(rows),
        }

    def list(
        self,
        *,
        search: str = "",
        sort: str = "packets_per_s",
        descending: bool = True,
        offset: int = 0,
        limit: int = 100,
        direction: str | None = None,
        where: str | None = None,
    ) -> dict[str, Any]:
        """A page of the SAs that match, in order; ties by index."""
        columns, places = self.columns(), self.where()
        sas = self._parts.sas
        matching = sas.kinds != ABSENT_ROW if direction is None else sas.kinds == _KINDS[direction]
        if search:
            matching = matching & sas.search(search)
        if where is not None:
            matching = matching & (places == WHERE.index(where))
        chosen = np.flatnonzero(matching)
        keys = columns[sort][chosen].astype(np.float64)
        order = chosen[np.argsort(-keys if descending else keys, kind="stable")]
        page = order[offset : offset + limit].tolist()
        return {
            "total": len(self._parts.sas),
            "matched": len(chosen),
            "rows": [self._row(sa, columns, places) for sa in page],
        }

    def row(self, known: LiveSa) -> dict[str, Any]:
        """One SA."""
        return self._row(known.sa, self.columns(), self.where())

    def details(self, known: LiveSa) -> dict[str, Any]:
        """One SA, with what a list has no room for."""
        parts = self._parts
        record = parts.sas.table.records[known.sa]
        in_udp = bool(record["source_port"])
        outbound = known.direction == "out"
        sequence = (
            parts.sas.classifier.outbound.next_sequence(known.sa) - 1
            if outbound
            else int(parts.sas.windows.highest(np.array([known.sa], np.int32))[0])
        )
        return {
            **self.row(known),
            "source_port": int(record["source_port"]) if in_udp else None,
            "destination_port": int(record["destination_port"]) if in_udp else None,
            "extended_sequence": bool(record["extended_sequence"]),
            "sequence": sequence,
            "replay_window": None if outbound else parts.sas.windows.window_packets,
            "lifetime": _limits(known.lifetime),
            "streams": 1,
        }

    def counts(self) -> dict[str, int]:
        """How many SAs there are, by direction and by where they are."""
        kinds = self._parts.sas.kinds
        there = kinds != ABSENT_ROW
        by_place = np.bincount(self.where()[there], minlength=len(WHERE))
        return {
            "total": int(there.sum()),
            "outbound": int((kinds == OUTBOUND_ROW).sum()),
            "inbound": int((kinds == INBOUND_ROW).sum()),
            **{name: int(by_place[place]) for place, name in enumerate(WHERE)},
        }

    def _row(
        self, sa: int, columns: dict[str, npt.NDArray[Any]], places: npt.NDArray[np.int8]
    ) -> dict[str, Any]:
        known = self._parts.sas.at(sa)
        assert known is not None, "a row that is shown has an SA"
        record = self._parts.sas.table.records[sa]
        return {
            "sa": sa,
            "spi": known.spi,
            "name": known.name,
            "direction": known.direction,
            "suite": known.suite,
            "mode": Mode(int(record["mode"])).name.lower(),
            "source": None if known.source is None else str(known.source),
            "destination": None if known.destination is None else str(known.destination),
            "where": WHERE[places[sa]],
            "pinned": self._parts.steered.pinned(sa),
            **{
                name: columns[name][sa].item()
                for name in (
                    "metric",
                    "packets",
                    "bytes",
                    "nic_packets",
                    "packets_per_s",
                    "bits_per_s",
                    "saved_ns",
                    "moves",
                )
            },
        }

    def _saved_ns(self, counts: npt.NDArray[np.void], rows: int) -> npt.NDArray[np.float64]:
        """Host time that the card has saved for each SA, less its loads.

        Bytes are counted for an SA as a whole; the card is taken to have had its share of them.
        """
        cost = self._parts.system.rule.cost
        packets = np.maximum(counts["packets"], 1)
        nic_bytes = counts["bytes"] * (counts["nic_packets"] / packets)
        saved: npt.NDArray[np.float64] = (
            counts["nic_packets"] * cost.saving_packet_ns
            + nic_bytes * cost.saving_byte_ns
            - self._parts.moves.loads(rows) * cost.load_host_ns
        )
        return saved


def _limits(lifetime: Lifetime) -> dict[str, int]:
    return {
        name: getattr(lifetime, name)
        for name in Lifetime.__dataclass_fields__
        if getattr(lifetime, name)
    }
