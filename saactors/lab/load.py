"""Traces for the lab by name: a capture, a file of columns, or traffic made to order.

    load_trace("day.pcap.gz", sa_per="host-pair")
    load_trace("day.parquet")
    load_trace("synth:zipf,sas=1000,exponent=1.2", seed=7)

A capture is classified by the very classifier that a replay without scenario uses: everything is
protected, each flow (host pair, subnet) has an SA, and chunks are those of the capture reader. So
both drivers see the same packets, SAs and bursts. Unlike a replay, the lab has no receive ring that
drops packets, and no limit on SAs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from saactors.errors import ParameterError
from saactors.model.burst import Burst
from saactors.model.packets import NO_SA
from saactors.model.sa import SaTable
from saactors.model.selector import Selector, Stream, selector_columns
from saactors.model.verdicts import Verdict
from saactors.streams.outbound import OutboundClassifier
from saactors.streams.sa_maker import SaMaker, SaTemplate
from saactors.traces.column_files import READERS, read_columns
from saactors.traces.columns import TraceColumns
from saactors.traces.reader import open_capture
from saactors.traces.synthetic.table import SYNTH_PREFIX, read_synth_text, synthesise

STREAMS: Final[Mapping[str, Stream]] = MappingProxyType(
    {"flow": Stream.FLOW, "host-pair": Stream.HOST_PAIR, "subnet": Stream.SUBNET}
)

SAS_MAX: Final = np.iinfo(np.int32).max

_COMPRESSED: Final = ".gz"

Columns: TypeAlias = tuple[npt.NDArray[Any], ...]  # time_ns, sa and length_bytes of a chunk


def load_trace(
    path_or_name: str | Path,
    *,
    sa_per: str = "flow",
    seed: int = 0,
    warn: Callable[[str], None] | None = None,
) -> TraceColumns:
    """The trace that a path, ``-`` for a capture on standard input, or ``synth:…`` stands for.

    ``sa_per`` (flow, host-pair or subnet) matters for captures only, ``seed`` for ``synth:`` only.
    ``warn`` is told, a sentence each, what is wrong with a capture that could be read in part.

    Raises:
        CaptureError: no such file, or none that we read.
        ParameterError: no such ``sa_per``, model or parameter, or a value out of range.
    """
    text = str(path_or_name)
    if text.startswith(SYNTH_PREFIX):
        return replace(synthesise(*read_synth_text(text), seed=seed), name=text)
    if sa_per not in STREAMS:
        raise ParameterError("sa_per", sa_per, f"one of {', '.join(STREAMS)}")
    if Path(text).suffix.lower() in READERS:
        return replace(read_columns(text), name=stem_of(text))
    return read_capture(text, STREAMS[sa_per], warn)


def stem_of(path: str) -> str:
    """The file's name without folder and endings: ``day.pcap.gz`` is ``day``."""
    if path == "-":
        return "standard input"
    name = Path(path)
    return Path(name.stem).stem if name.suffix.lower() == _COMPRESSED else name.stem


def read_capture(
    path: str, stream: Stream, warn: Callable[[str], None] | None = None
) -> TraceColumns:
    """The columns of a capture in which each such stream has an SA, as a replay gives them.

    Packets that a replay drops before placement (no IP, malformed) stay in without SA: they fill
    bursts. Raises ``CaptureError`` for what is no capture.
    """
    sas = SaTable()
    classifier = OutboundClassifier(
        selector_columns([Selector(None, None, stream=stream)]),
        sas,
        SaMaker([SaTemplate()], seed=0),  # of keys that nobody uses
        sas_max=SAS_MAX,
        first_sequences=np.empty(0, np.uint64),
    )
    columns: list[Columns] = []
    with open_capture(path) as capture:
        for number, chunk in enumerate(capture):
            packets = chunk.packets
            classifier.classify(Burst(chunk.data, packets, number))
            passed = packets["verdict"] == Verdict.PASSED
            sa = np.where(passed, packets["sa"], NO_SA).astype(np.int32)
            columns.append((packets["time_ns"].copy(), sa, packets["length_bytes"].copy()))
        if warn is not None:
            for told in capture.warnings:
                warn(f"{path}: {told}")
    return _joined(stem_of(path), columns, len(sas))


def _joined(name: str, chunks: list[Columns], sa_count: int) -> TraceColumns:
    nothing = (np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.int32))
    time_ns, sa, length_bytes = map(np.concatenate, zip(nothing, *chunks, strict=True))
    stops = np.cumsum([len(chunk[0]) for chunk in chunks] or [0], dtype=np.int64)
    return TraceColumns(name, time_ns, sa, length_bytes, sa_count, stops)
