"""A change of the rule as a message: from bytes on a network to what a running system follows.

Claims 31 to 40 are about a signal that carries the instructions to network devices. Ours is a
msgpack map ``{"v": 1, "rule": name, "parameters": {name: value}}``: the rule that the system runs
and every parameter that is not to have its default. It holds no keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgpack

from saactors.errors import ParameterError
from saactors.placement.cost import CostModel
from saactors.placement.rule import RuleParameters
from saactors.placement.table import read_parameters

VERSION: Final = 1
SIGNAL_BYTES_MAX: Final = 65_536
PLAIN: Final = str | int | float | None  # what a parameter's value may be


@dataclass(slots=True, frozen=True)
class RuleChange:
    """The rule's parameters are these from now on.

    ``given`` is what the signal said, ``parameters`` the same with all defaults filled in;
    ``time_ns`` is when it arrived, and ``tick`` counts the ticks that the metrics have seen when
    the keeper takes the change over.
    """

    rule: str
    given: Mapping[str, str | int | float | bool | None]
    parameters: RuleParameters
    time_ns: int = 0
    tick: int = 0


def encode_signal(rule: str, parameters: Mapping[str, object]) -> bytes:
    """The signal that tells systems which run ``rule`` to go on with ``parameters``."""
    signal: bytes = msgpack.packb({"v": VERSION, "rule": rule, "parameters": dict(parameters)})
    return signal


def decode_signal(signal: bytes, running: str, cost: CostModel) -> RuleChange:
    """What ``signal`` tells a system that runs the rule ``running``.

    Raises:
        ParameterError: it is no signal, or for another rule, or with parameters it cannot have.
    """
    if len(signal) > SIGNAL_BYTES_MAX:
        raise ParameterError("signal", f"{len(signal)} bytes", f"at most {SIGNAL_BYTES_MAX}")
    try:
        content = msgpack.unpackb(signal)
    except (ValueError, msgpack.UnpackException):
        raise ParameterError("signal", f"{len(signal)} bytes", "a msgpack map") from None
    if not isinstance(content, dict) or set(content) != {"v", "rule", "parameters"}:
        raise ParameterError("signal", "another shape", "a map of v, rule and parameters")
    version, rule, given = content["v"], content["rule"], content["parameters"]
    if version != VERSION:
        raise ParameterError("signal version", _shown(version), f"{VERSION}")
    if rule != running:
        raise ParameterError("rule", _shown(rule), f"{running}, which this system runs")
    if not isinstance(given, dict) or not all(isinstance(name, str) for name in given):
        raise ParameterError("parameters", type(given).__name__, "a map of names to values")
    for name, value in given.items():
        if not isinstance(value, PLAIN):
            raise ParameterError(name, _shown(value), "a number, a text or nothing")
    return RuleChange(running, given, read_parameters(running, given, cost))


def _shown(value: object) -> object:
    """A plain value as it is, any other by type: to print a nested one may take all the stack."""
    return value if isinstance(value, PLAIN) else type(value).__name__
