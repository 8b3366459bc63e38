"""Outbound: from a packet to its policy, its stream, its SA and its sequence number.

The classifier alone hands out sequence numbers, in the order of arrival, whatever component will
encrypt the packet later: no counter ever moves between software and card, so no (key, IV) pair can
come up twice (law 2). An SA whose numbers are used up stops (RFC 4303 §3.3.3), and so does one at
the end of its lifetime (RFC 4301 §4.4.2.1): what is refused for that has used no number.

The SPD is asked per packet while it is short. A longer one is asked once per flow: a direct-mapped
memo of fixed size remembers the answers, a newcomer overwriting whoever had its place.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from saactors.esp.lifetimes import LifetimeEvent, Lifetimes
from saactors.model.burst import Burst
from saactors.model.compiled import compiled
from saactors.model.packets import NO_SA
from saactors.model.sa import SaTable, grown
from saactors.model.selector import NO_MATCH, Action, Stream, first_match
from saactors.model.verdicts import Verdict
from saactors.streams.associations import ASSOCIATION, FIRST_PLACES, place_of, with_room
from saactors.streams.sa_maker import SaMaker

COUNTER: Final = np.dtype(
    [
        ("order", "i8"),  # of the next packet within its SA
        ("sequence", "u8"),  # of the next packet on the wire
        ("left", "u8"),  # sequence numbers that are left
    ]
)

# Entries of an SPD that cost less to walk than to remember.
SHORT_SPD: Final = 8
MEMO_PLACES: Final = 65_536

_PASSED: Final = int(Verdict.PASSED)
_CUT: Final = int(Verdict.CUT_BY_SNAP_LENGTH)
_NO_POLICY: Final = int(Verdict.NO_POLICY)
_DISCARDED: Final = int(Verdict.DISCARDED_BY_POLICY)
_TABLE_FULL: Final = int(Verdict.SA_TABLE_FULL)
_EXHAUSTED: Final = int(Verdict.SEQUENCE_EXHAUSTED)
_NO_SA_YET: Final = int(Verdict.NO_SA_YET)


class OutboundClassifier:
    """Classifies bursts in place: writes ``sa``, ``order``, ``sequence`` and ``verdict``.

    ``selectors`` is the SPD (record array of SELECTOR); ``sas`` holds the given SAs already, with
    their first sequence numbers in ``first_sequences``, and grows by those that ``maker`` makes on
    demand, up to ``sas_max``. ``lifetimes`` has the limits of given SAs and gets those of made
    ones, whose time begins with their first packet. With ``pad_cut`` a packet cut off by the snap
    length is sent padded to its length on the wire, without it is dropped.
    """

    def __init__(
        self,
        selectors: npt.NDArray[np.void],
        sas: SaTable,
        maker: SaMaker,
        *,
        sas_max: int,
        first_sequences: npt.NDArray[np.uint64],
        lifetimes: Lifetimes | None = None,
        pad_cut: bool = True,
    ) -> None:
        self._selectors = selectors
        self._sas = sas
        self._maker = maker
        self._lifetimes = Lifetimes() if lifetimes is None else lifetimes
        self._sas_max = sas_max
        self._pad_cut = pad_cut
        self._table = np.zeros(FIRST_PLACES, ASSOCIATION)
        self._memo = np.zeros(MEMO_PLACES if len(selectors) > SHORT_SPD else 0, ASSOCIATION)
        self._counters = np.zeros(64, COUNTER)
        self._made = np.zeros(256, np.int32)
        self._given = len(sas)
        self._open_counters(0, first_sequences)

    def set_policies(self, selectors: npt.NDArray[np.void]) -> None:
        """Go by another SPD (record array of SELECTOR) from the next burst on.

        A target of ENTRY may be NO_SA: what it protects waits for an SA, and is dropped until then.
        Streams that SAs were made for on demand are forgotten.
        """
        self._selectors = selectors
        self._table = np.zeros(FIRST_PLACES, ASSOCIATION)
        self._memo = np.zeros(MEMO_PLACES if len(selectors) > SHORT_SPD else 0, ASSOCIATION)

    def open_sa(self, sa: int, first: int, last: int, order: int) -> None:
        """Let an SA send the numbers ``first`` to ``last``; its packets are counted from ``order``.

        Who hands an index to another SA goes on counting where the old one's packets ended.
        """
        self._counters = grown(self._counters, sa + 1)
        self._counters[sa] = (order, first, last - first + 1)

    def allow(self, sa: int, last: int) -> None:
        """Let an SA send numbers up to ``last``, and no further."""
        counter = self._counters[sa]
        counter["left"] = last - int(counter["sequence"]) + 1

    def running_low(self, numbers: int) -> list[int]:
        """The SAs that may send fewer than so many numbers."""
        counters = self._counters
        low = (counters["left"] < numbers) & (counters["sequence"] > 0)
        return np.flatnonzero(low).tolist()

    def close_sa(self, sa: int) -> None:
        """Let an SA send nothing more."""
        self._counters[sa]["sequence"] = self._counters[sa]["left"] = 0

    def next_sequence(self, sa: int) -> int:
        """The number of the SA's next packet."""
        return int(self._counters[sa]["sequence"])

    def order(self, sa: int) -> int:
        """How many packets have been given a place among the SA's."""
        return int(self._counters[sa]["order"])

    @property
    def associations(self) -> npt.NDArray[np.void]:
        """The streams that SAs were made for (record array of ASSOCIATION; some places free)."""
        return self._table

    def classify(self, burst: Burst, now_ns: int = 0) -> range:
        """Classify a burst; returns the indices of the SAs made for it."""
        packets = burst.packets
        has_limits = self._maker.has_limits or self._lifetimes.has_limits
        known = len(self._sas)
        # Every packet might ask for an SA: room for that is made before compiled code runs.
        self._table = with_room(self._table, known, len(packets))
        self._counters = grown(self._counters, known + len(packets))
        if len(packets) > len(self._made):
            self._made = np.zeros(len(packets), np.int32)
        made = _classify(
            packets,
            self._selectors,
            self._memo,
            self._table,
            self._counters,
            self._made,
            known,
            self._sas_max,
            self._pad_cut,
            not has_limits,
        )
        if made:
            templates = self._selectors["target"][self._made[:made]]
            numbers = self._maker.make(self._sas, templates)
            self._maker.limit(self._lifetimes, numbers, templates, now_ns)
        if has_limits:
            self._lifetimes.charge(
                packets["sa"], packets["length_bytes"], packets["verdict"], now_ns
            )
            _number_all(packets, self._counters)
        burst.sa_count = known + made
        return range(known, known + made)

    def poll_events(self) -> list[LifetimeEvent]:
        """Limits of lifetimes that were reached since this was last asked."""
        return self._lifetimes.poll_events()

    def _open_counters(self, first: int, sequences: npt.NDArray[np.uint64]) -> None:
        """Let given SAs count from their first sequence number."""
        self._counters = grown(self._counters, first + len(sequences))
        extended = self._sas.records["extended_sequence"][first:].astype(bool)
        last = np.where(extended, np.uint64(2**64 - 1), np.uint64(2**32 - 1))
        opened = self._counters[first : first + len(sequences)]
        opened["sequence"] = sequences
        opened["left"] = last - sequences + np.uint64(1)


@njit(cache=True)
def _classify(
    packets: npt.NDArray[np.void],
    selectors: npt.NDArray[np.void],
    memo: npt.NDArray[np.void],
    table: npt.NDArray[np.void],
    counters: npt.NDArray[np.void],
    made: npt.NDArray[np.int32],
    known: int,
    sas_max: int,
    pad_cut: bool,
    numbered: bool,
) -> int:
    """Returns how many SAs are to be made; ``made`` gets the SPD entry that asks for each.

    Packets get their numbers at once if ``numbered``, or later by ``_number_all``.
    """
    made_count = 0
    for row in range(len(packets)):
        packet = packets[row]
        packet.sa = NO_SA
        packet.order = -1
        if packet.verdict != _PASSED:
            continue
        if packet.captured_bytes < packet.length_bytes and not pad_cut:
            packet.verdict = _CUT
            continue
        entry = _policy_of(selectors, memo, packets, row)
        if entry == NO_MATCH:
            packet.verdict = _NO_POLICY
            continue
        policy = selectors[entry]
        if policy.action == Action.DISCARD:
            packet.verdict = _DISCARDED
        if policy.action != Action.PROTECT:
            continue
        sa = policy.target
        if policy.stream != Stream.ENTRY:
            place = place_of(table, packet, entry, policy.stream)
            sa = table[place].sa_number - 1
            if sa == NO_SA:
                sa = known + made_count
                if sa >= sas_max:
                    packet.verdict = _TABLE_FULL
                    continue
                table[place].sa_number = sa + 1
                made[made_count] = entry
                made_count += 1
                counters[sa].sequence = 1
                counters[sa].left = np.uint64(0xFFFFFFFF)
        elif sa == NO_SA:
            packet.verdict = _NO_SA_YET
            continue
        packet.sa = sa
        if numbered:
            _number(packet, counters[sa])
    return made_count


@compiled
def _number_all(packets: npt.NDArray[np.void], counters: npt.NDArray[np.void]) -> None:
    """Give numbers to the packets that have an SA and have not been refused."""
    for row in range(len(packets)):
        packet = packets[row]
        if packet.sa != NO_SA and packet.verdict == _PASSED:
            _number(packet, counters[packet.sa])


@compiled
def _number(packet: np.record, counter: np.record) -> None:
    """Give a packet its SA's next numbers, if there are any left."""
    if counter.left == 0:
        packet.verdict = _EXHAUSTED
        return
    packet.order = counter.order
    packet.sequence = counter.sequence
    counter.order += 1
    counter.sequence += np.uint64(1)
    counter.left -= np.uint64(1)


@njit(cache=True)
def _policy_of(
    selectors: npt.NDArray[np.void],
    memo: npt.NDArray[np.void],
    packets: npt.NDArray[np.void],
    row: int,
) -> int:
    """The packet's entry in the SPD, from the memo where it is remembered."""
    if len(memo) == 0:
        return int(first_match(selectors, packets, row))
    packet = packets[row]
    ports = np.uint32(packet.source_port) << np.uint32(16) | np.uint32(packet.destination_port)
    mixed = packet.source_low * np.uint64(0x9E3779B97F4A7C15) + packet.destination_low
    mixed = (mixed ^ np.uint64(ports)) * np.uint64(0x9E3779B97F4A7C15)
    mixed += packet.source_high + packet.destination_high * np.uint64(31)
    mixed = (mixed ^ np.uint64(packet.protocol)) * np.uint64(0x9E3779B97F4A7C15)
    known = memo[(mixed >> np.uint64(32)) & np.uint64(len(memo) - 1)]
    if (
        known.sa_number == 0
        or known.source_low != packet.source_low
        or known.destination_low != packet.destination_low
        or known.ports != ports
        or known.source_high != packet.source_high
        or known.destination_high != packet.destination_high
        or known.protocol != packet.protocol
        or known.ip_version != packet.ip_version
    ):
        known.source_high, known.source_low = packet.source_high, packet.source_low
        known.destination_high = packet.destination_high
        known.destination_low = packet.destination_low
        known.ports, known.protocol = ports, packet.protocol
        known.ip_version = packet.ip_version
        # In the memo the number is that of the entry, plus 2: 0 is a free place, 1 no match.
        known.sa_number = first_match(selectors, packets, row) + 2
    return int(known.sa_number) - 2
