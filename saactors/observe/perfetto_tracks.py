"""Tracks of a Perfetto trace: slices, instants and counters, written as they come.

Perfetto sorts whole traces by time but takes a *sequence* (what one writer wrote) to be in order
already, and slices of one track to lie behind or within each other, never to overlap in part. Here
every track is a sequence of its own and starts nothing before what it has ended:

    Track      one row; a time that lies before its last one is moved up to it
    Lanes      as many rows of one name as overlapping slices need; the viewer shows them as one

A track remembers the numbers of its names and the time of its last event, so memory grows with the
number of tracks and not with the length of a trace. This module imports Protocol Buffers, 50 ms.

Source: perfetto.dev, "Advanced guide to programmatic trace generation"; ``trace_packet.proto``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO, Final, TypeAlias

from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as messages
from perfetto.trace_builder.proto_builder import StreamingTraceProtoBuilder

Details: TypeAlias = Mapping[str, str | int | float | bool | None]
NO_DETAILS: Final[Details] = {}

LANES_MAX: Final = 64  # more slices at once than workers, engine queues and edges make
INTERNED_MAX: Final = 1024  # numbered names of one track; what is beyond is written out

_Type: Final = messages.TrackEvent
_CLEARED: Final = messages.TracePacket.SEQ_INCREMENTAL_STATE_CLEARED
_NEEDED: Final = messages.TracePacket.SEQ_NEEDS_INCREMENTAL_STATE


class TraceFile:
    """Numbers the tracks and writes the packets of one trace to ``file``."""

    __slots__ = ("_builder", "_number")

    def __init__(self, file: BinaryIO) -> None:
        self._builder = StreamingTraceProtoBuilder(file)
        self._number = 0

    def next_number(self) -> int:
        """For a track that is to be declared; also the number of its sequence."""
        self._number += 1
        return self._number

    def packet(self) -> Any:  # noqa: ANN401 - a TracePacket; the package ships no types
        """An empty packet, to be filled and written."""
        return self._builder.create_packet()

    def write(self, packet: Any) -> None:  # noqa: ANN401 - a TracePacket
        """Write it; raises OSError as the file does."""
        self._builder.write_packet(packet)


class Track:
    """A row of the trace, declared when it is made; ``last_ns`` is its last event's time."""

    __slots__ = ("_details", "_file", "_names", "_open", "last_ns", "number")

    def __init__(
        self,
        file: TraceFile,
        name: str,
        parent: Track | None = None,
        *,
        rank: int = 0,
        unit: str | None = None,
    ) -> None:
        """Declare it: ``rank`` among its siblings, lowest on top; a counter if it has a unit."""
        self.last_ns = 0
        self.number = file.next_number()
        self._file = file
        self._names: dict[str, int] = {}
        self._details: dict[str, int] = {}
        self._open = 0
        packet = file.packet()
        packet.trusted_packet_sequence_id = self.number
        packet.sequence_flags = _CLEARED
        declared = packet.track_descriptor
        declared.uuid = self.number
        declared.name = name
        declared.child_ordering = declared.EXPLICIT
        declared.sibling_order_rank = rank
        if parent is not None:
            declared.parent_uuid = parent.number
        if unit is not None:
            declared.counter.unit_name = unit
        file.write(packet)

    @property
    def is_open(self) -> bool:
        """Whether a slice has begun and not ended."""
        return self._open > 0

    def begin(
        self, time_ns: int, name: str, details: Details = NO_DETAILS, flow: int | None = None
    ) -> None:
        """Begin a slice, within the one that is open; those with one ``flow`` are connected."""
        self._open += 1
        self._named(time_ns, _Type.TYPE_SLICE_BEGIN, name, details, flow)

    def end(self, time_ns: int, details: Details = NO_DETAILS) -> None:
        """End the slice that began last; one must be open."""
        assert self._open, "a slice ends that has not begun"
        self._open -= 1
        packet = self._packet(time_ns, _Type.TYPE_SLICE_END)
        self._annotate(packet, details)
        self._file.write(packet)

    def slice(
        self,
        began_ns: int,
        ended_ns: int,
        name: str,
        details: Details = NO_DETAILS,
        flow: int | None = None,
    ) -> None:
        """A slice that is over already."""
        self.begin(began_ns, name, details, flow)
        self.end(ended_ns)

    def instant(self, time_ns: int, name: str, details: Details = NO_DETAILS) -> None:
        """Something that takes no time."""
        self._named(time_ns, _Type.TYPE_INSTANT, name, details, None)

    def count(self, time_ns: int, value: float) -> None:
        """The value of a counter from now on."""
        packet = self._packet(time_ns, _Type.TYPE_COUNTER)
        if isinstance(value, int):
            packet.track_event.counter_value = value
        else:
            packet.track_event.double_counter_value = value
        self._file.write(packet)

    def close(self, time_ns: int) -> None:
        """End whatever is open."""
        while self._open:
            self.end(time_ns)

    def _named(
        self, time_ns: int, event_type: int, name: str, details: Details, flow: int | None
    ) -> None:
        packet = self._packet(time_ns, event_type)
        number = _number_of(name, self._names, packet, "event_names")
        if number:
            packet.track_event.name_iid = number
        else:
            packet.track_event.name = name
        if flow is not None:
            packet.track_event.flow_ids.append(flow)
        self._annotate(packet, details)
        self._file.write(packet)

    def _packet(self, time_ns: int, event_type: int) -> Any:  # noqa: ANN401 - a TracePacket
        self.last_ns = max(self.last_ns, time_ns)
        packet = self._file.packet()
        packet.timestamp = self.last_ns
        packet.trusted_packet_sequence_id = self.number
        packet.sequence_flags = _NEEDED
        packet.track_event.type = event_type
        packet.track_event.track_uuid = self.number
        return packet

    def _annotate(self, packet: Any, details: Details) -> None:  # noqa: ANN401 - a TracePacket
        for name, value in details.items():
            if value is None:
                continue
            entry = packet.track_event.debug_annotations.add()
            number = _number_of(name, self._details, packet, "debug_annotation_names")
            if number:
                entry.name_iid = number
            else:
                entry.name = name
            match value:
                case bool():
                    entry.bool_value = value
                case int():
                    entry.int_value = value
                case float():
                    entry.double_value = value
                case _:
                    entry.string_value = value


class Lanes:
    """Rows of one name for slices that may overlap; the viewer shows them as one track."""

    __slots__ = ("_file", "_name", "_parent", "_rank", "_tracks")

    def __init__(self, file: TraceFile, name: str, parent: Track, rank: int = 0) -> None:
        self._file = file
        self._name = name
        self._parent = parent
        self._rank = rank
        self._tracks: list[Track] = []

    def slice(
        self,
        began_ns: int,
        ended_ns: int,
        name: str,
        details: Details = NO_DETAILS,
        flow: int | None = None,
    ) -> None:
        """A slice that is over, in the first row where nothing overlaps it.

        Where ``LANES_MAX`` rows are not enough it begins late, in the row that is free first.
        """
        free = (track for track in self._tracks if track.last_ns <= began_ns)
        track = next(free, None)
        if track is None and len(self._tracks) < LANES_MAX:
            track = Track(self._file, self._name, self._parent, rank=self._rank)
            self._tracks.append(track)
        elif track is None:
            track = min(self._tracks, key=lambda each: each.last_ns)
        track.slice(began_ns, ended_ns, name, details, flow)


def _number_of(name: str, known: dict[str, int], packet: Any, table: str) -> int:  # noqa: ANN401 - a TracePacket
    """The number of a name, told in ``packet`` when it is new; 0 if there are too many."""
    number = known.get(name, 0)
    if not number and len(known) < INTERNED_MAX:
        number = known[name] = len(known) + 1
        entry = getattr(packet.interned_data, table).add()
        entry.iid = number
        entry.name = name
    return number
