"""The SAs and policies of a gateway, which come and go while packets flow.

One table holds the SAs of both directions (``streams.both_ways``). An SA that is deleted first
loses its packets: no policy leads to it, no SPI finds it. Only when the last packet that it still
had under way has left (``is_quiet``) are its keys wiped and its index given to another; whoever
deletes waits for that in between. So every other array may go on to be indexed by SA, and law 9
holds for a process that rekeys for weeks.

Everything here is a command between two bursts: nothing awaits, so no burst sees half of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.errors import ParameterError
from saactors.esp.association import (
    SEQUENCE_MAX,
    Address,
    Association,
    add_associations,
    replace_association,
)
from saactors.esp.lifetime import NO_LIMIT
from saactors.esp.lifetimes import Lifetimes
from saactors.esp.outbound import PATH_MTU_MIN_BYTES
from saactors.esp.reassembly import Reassembler
from saactors.esp.sa_formats.dpdk import Direction
from saactors.esp.window import WINDOW_PACKETS, ReplayWindows
from saactors.gateway.live_sa import ABSENT_ROW, INBOUND_ROW, OUTBOUND_ROW, LiveSa, NewestSas
from saactors.gateway.policies import Policies
from saactors.gateway.reserved_sequences import BLOCK, ReservedSequences
from saactors.model.packets import NO_SA
from saactors.model.sa import SaTable, grown
from saactors.streams.both_ways import BothWaysClassifier, BothWaysCrypto
from saactors.streams.crypto import Opening, Sealing
from saactors.streams.exit import Exit
from saactors.streams.inbound import InboundClassifier
from saactors.streams.outbound import OutboundClassifier
from saactors.streams.sa_maker import SaMaker

_SHORT_MAX: Final = SEQUENCE_MAX >> 32


class LiveSas:
    """SAs, policies, and the classifiers that go by them."""

    def __init__(
        self, numbers: ReservedSequences, sas_max: int, window_packets: int = WINDOW_PACKETS
    ) -> None:
        self.table = SaTable()
        self.windows = ReplayWindows(window_packets)
        self.lifetimes = Lifetimes()
        self.policies = Policies()
        self._numbers = numbers
        self._sas_max = sas_max
        self._window_packets = window_packets
        self._known: list[LiveSa | None] = []  # by index
        self._texts: list[str] = []  # by index, so that a search need not make them 10⁵ times
        self._kinds = np.zeros(64, np.uint8)  # by index
        self._by_spi: dict[int, list[LiveSa]] = {}
        self._newest = NewestSas()
        self._outbound_keys: dict[bytes, int] = {}  # fingerprint → index
        self._free: list[int] = []
        outbound = OutboundClassifier(
            self.policies.selectors(self._newest),
            self.table,
            SaMaker([], 0),
            sas_max=sas_max,
            first_sequences=np.zeros(0, np.uint64),
            lifetimes=self.lifetimes,
        )
        inbound = InboundClassifier(self._resolve, self.table, Reassembler())
        self.classifier = BothWaysClassifier(outbound, inbound)

    def crypto(self) -> BothWaysCrypto:
        """The cryptography of one component."""
        return BothWaysCrypto(Sealing(self.table), Opening(self.table, self.windows))

    def __iter__(self) -> Iterator[LiveSa]:
        return (known for known in self._known if known is not None)

    def __len__(self) -> int:
        return len(self._known) - len(self._free)

    @property
    def rows(self) -> int:
        """How many rows the table has, free ones included."""
        return len(self._known)

    def at(self, sa: int) -> LiveSa | None:
        """The SA with that index; None for a free row or one that is being deleted."""
        return self._known[sa] if 0 <= sa < len(self._known) else None

    @property
    def kinds(self) -> npt.NDArray[np.uint8]:
        """What is in each row: ABSENT_ROW, OUTBOUND_ROW or INBOUND_ROW."""
        return self._kinds[: self.rows]

    def search(self, wanted: str) -> npt.NDArray[np.bool_]:
        """In which rows a text is part of name, SPI or an endpoint, in whatever case."""
        wanted = wanted.lower()
        return np.fromiter((wanted in text for text in self._texts), np.bool_, self.rows)

    def find(self, spi: int, destination: str | None = None) -> LiveSa:
        """The SA with that SPI and, if several have it, that destination.

        Raises:
            ParameterError: there is none, or there are several.
        """
        found = self._by_spi.get(spi, [])
        if destination is not None:
            wanted = ip_address(destination)
            found = [known for known in found if known.destination == wanted]
        if not found:
            raise ParameterError("spi", f"{spi:#010x}", "the SPI of an SA; sa list shows them")
        if len(found) > 1:
            ends = ", ".join(str(known.destination) for known in found)
            several = f"{spi:#010x}, which several SAs have"
            raise ParameterError("spi", several, f"the destination as well: {ends}")
        return found[0]

    def add(
        self, given: Sequence[tuple[str, Direction, Association]], now_ns: int, leave: Exit | None
    ) -> list[LiveSa]:
        """Add SAs, all or none; ``leave`` knows where packets of a free index ended.

        A name or an outbound peer that was there already belongs to the newest from now on.

        Raises:
            ParameterError: an SA is there already, or has the key of another outbound one.
        """
        for refusal in self.refusals(given):
            if refusal is not None:
                raise refusal
        fingerprints = [
            self._numbers.fingerprint(association) if direction == "out" else b""
            for _, direction, association in given
        ]
        if len(self) + len(given) > self._sas_max:
            raise ParameterError("sas", len(self) + len(given), f"at most {self._sas_max}")
        mosts = [
            SEQUENCE_MAX if association.extended_sequence else _SHORT_MAX
            for _, _, association in given
        ]
        outbound = [number for number, (_, direction, _) in enumerate(given) if direction == "out"]
        wanted = [(fingerprints[n], given[n][2].first_sequence, mosts[n]) for n in outbound]
        granted = dict(zip(outbound, self._numbers.reserve(wanted), strict=True)) if wanted else {}
        added = []
        for number, (name, direction, association) in enumerate(given):
            sa = self._place(association)
            known = LiveSa(
                sa,
                name,
                direction,
                association.spi,
                association.suite,
                association.source,
                association.destination,
                now_ns,
                association.lifetime,
            )
            order = leave.turn(sa) if leave is not None else 0
            if direction == "out":
                known.fingerprint, known.most = fingerprints[number], mosts[number]
                first, known.last = granted[number]
                self.classifier.outbound.open_sa(sa, first, known.last, order)
                self._outbound_keys[known.fingerprint] = sa
            else:
                self.classifier.inbound.open_sa(sa, order)
                self.windows.forget(sa)
                if association.first_sequence > 1:
                    self.windows.resume(sa, association.first_sequence - 1)
            self.lifetimes.limit(sa, association.lifetime, now_ns)
            self._take_in(known)
            added.append(known)
        self.lead()
        return added

    def lead(self) -> None:
        """Let the classifiers go by the SAs and policies that there are now."""
        self.classifier.outbound.set_policies(self.policies.selectors(self._newest))
        self.classifier.inbound.ask_anew()

    def begin_delete(self, known: LiveSa) -> None:
        """Let no further packet be of this SA; ``lead`` makes it so."""
        self._known[known.sa] = None
        self._texts[known.sa] = ""
        self._kinds[known.sa] = ABSENT_ROW
        self._by_spi[known.spi].remove(known)
        if not self._by_spi[known.spi]:
            del self._by_spi[known.spi]
        if known.direction == "out":
            self._newest.remove(known, self)

    def is_quiet(self, known: LiveSa, leave: Exit) -> bool:
        """Whether nothing of an SA is under way any more."""
        inbound = known.direction == "in"
        return self.classifier.order(known.sa, inbound=inbound) == leave.turn(known.sa)

    def end_delete(self, gone: Sequence[LiveSa]) -> None:
        """Wipe the keys of quiet SAs and let their indices be used again."""
        self._release(gone)
        for known in gone:
            if known.direction == "out":
                del self._outbound_keys[known.fingerprint]
                self.classifier.outbound.close_sa(known.sa)
            self.lifetimes.limit(known.sa, NO_LIMIT, 0)
            self.windows.forget(known.sa)
            self.table.wipe(known.sa)
            self._free.append(known.sa)

    def learn_path_mtu(self, destination: Address, mtu_bytes: int) -> None:
        """A path takes no longer packets: what would be longer is answered with ICMP from now on.

        Believed down to what every path has to take (RFC 4301 §8.2): 576 or 1280 bytes.
        """
        mtu_bytes = max(mtu_bytes, PATH_MTU_MIN_BYTES[destination.version])
        records = self.table.records
        for known in self:
            if known.direction == "out" and known.destination == destination:
                before = int(records["path_mtu_bytes"][known.sa])
                if not before or mtu_bytes < before:
                    records["path_mtu_bytes"][known.sa] = mtu_bytes

    def top_up(self) -> None:
        """Reserve further numbers for SAs that have used half of theirs."""
        for sa in self.classifier.outbound.running_low(BLOCK // 2):
            known = self.at(sa)
            if known is not None and known.last < known.most:
                known.last = self._numbers.extend(known.fingerprint, known.last, known.most)
                self.classifier.outbound.allow(sa, known.last)

    def release_all(self) -> None:
        """An orderly end: nothing is sent any more, so what was not used may be used again."""
        self._release(list(self))

    def _release(self, gone: Sequence[LiveSa]) -> None:
        following = self.classifier.outbound.next_sequence
        unused = [
            (known.fingerprint, following(known.sa)) for known in gone if known.direction == "out"
        ]
        if unused:
            self._numbers.release(unused)

    def refusals(
        self, given: Sequence[tuple[str, Direction, Association]]
    ) -> list[ParameterError | None]:
        """Why each of these cannot be added, in their order; None for those that can."""
        ends: dict[int, list[Address | None]] = {}
        keys: set[bytes] = set()
        return [self._refusal(*each, ends, keys) for each in given]

    def _refusal(
        self,
        name: str,
        direction: Direction,
        association: Association,
        ends: dict[int, list[Address | None]],
        keys: set[bytes],
    ) -> ParameterError | None:
        """``ends`` and ``keys`` are those of the SAs before it, and get its own."""
        spi, end = association.spi, association.destination
        there = [other.destination for other in self._by_spi.get(spi, [])]
        there += ends.setdefault(spi, [])
        if there and (end is None or end in there or None in there):
            expected = "an SA that is not there yet; delete the other one first"
            return ParameterError("spi", f"{spi:#010x} of {name}", expected)
        if direction == "out":
            fingerprint = self._numbers.fingerprint(association)
            if fingerprint in self._outbound_keys or fingerprint in keys:
                expected = "a key that no other outbound SA has: IVs would come twice (RFC 4106 §2)"
                return ParameterError("key", f"that of another SA for {name}", expected)
            keys.add(fingerprint)
        ends[spi].append(end)
        return None

    def _place(self, association: Association) -> int:
        """A row of the table, with the SA in it."""
        if self._free:
            sa = self._free.pop()
            replace_association(self.table, sa, association)
            return sa
        self._known.append(None)
        self._texts.append("")
        self._kinds = grown(self._kinds, len(self._known))
        return add_associations(self.table, (association,))[0]

    def _take_in(self, known: LiveSa) -> None:
        self._known[known.sa] = known
        self._texts[known.sa] = known.text
        self._kinds[known.sa] = OUTBOUND_ROW if known.direction == "out" else INBOUND_ROW
        self._by_spi.setdefault(known.spi, []).append(known)
        if known.direction == "out":
            self._newest.add(known)

    def _resolve(self, _version: int, _source: str, destination: str, spi: int) -> int:
        """The inbound SA of an SPI at a destination (RFC 4301 §4.1)."""
        for known in self._by_spi.get(spi, []):
            if known.direction != "in":
                continue
            if known.destination is None or str(known.destination) == destination:
                return known.sa
        return NO_SA
