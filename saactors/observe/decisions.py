"""A traced packet's way in words: what each actor has decided, read off the packet's record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from saactors.model.packets import NO_SA, Route
from saactors.model.verdicts import Verdict
from saactors.observe.units import plain

_PASSED: Final = int(Verdict.PASSED)


def _verdict(packet: np.void) -> str:
    return f"dropped: {Verdict(int(packet['verdict'])).label}"


def _received(packet: np.void) -> str:
    return f"{int(packet['length_bytes'])} bytes, protocol {int(packet['protocol'])}"


def _classified(packet: np.void) -> str:
    if packet["verdict"] != _PASSED:
        return _verdict(packet)
    if packet["sa"] == NO_SA:
        return "bypass"
    return f"number {int(packet['order'])} of its SA"


def _measured(packet: np.void) -> str:
    return "no SA" if packet["sa"] == NO_SA else f"metric {plain(float(packet['metric']))}"


def _placed(packet: np.void) -> str:
    return Route(int(packet["route"])).name.lower()


def _encrypted(packet: np.void) -> str:
    if packet["verdict"] != _PASSED:
        return _verdict(packet)
    return f"done, sequence {int(packet['sequence'])}"


def _left(packet: np.void) -> str:
    return "left" if packet["verdict"] == _PASSED else _verdict(packet)


DECISIONS: Final[Mapping[str, Callable[[np.void], str]]] = MappingProxyType(
    {
        "source": _received,
        "classifier": _classified,
        "keeper": _measured,
        "arbiter": _placed,
        "software": _encrypted,
        "nic": _encrypted,
        "egress": _left,
    }
)
