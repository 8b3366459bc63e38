"""A change of the rule as a message: from bytes on a network to what a running system follows.

Claims 31 to 40 are about a signal that carries the instructions to network devices. Ours is a
msgpack map ``{"v": 1, "rule": name, "parameters": {name: value}}``: the rule that the system runs
and every parameter that is not to have its default. It holds no keys.

A change may also be one for systems that exchange their rule while they run. It then has a
``plan``, by which each actor goes on when the change reaches it in its turn, behind all bursts that
the old rule has seen and before all others:

    keeper     keeper.go_on_by(change.plan)       a ``SteeredKeeper``; another rule's keeper knows
               all SAs so far, with initial metrics, and counts its ticks from 0. The change goes
               on with ``tick=keeper.ticks``
    arbiter    arbiter.go_on_by(change.plan, change.tick, now_ns)    a ``SteeredArbiter``; residents
               and loads under way are taken over, evicted is only who finds no room
    decay      ``change.parameters.period_ns``, as with any change

If the plan is of the rule that runs, both follow its parameters and lose nothing. Else both halves
begin with the same metrics at the same tick.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgpack

from saactors.errors import ParameterError
from saactors.placement.cost import CostModel
from saactors.placement.plan import RulePlan, plan_rule
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
    the keeper takes the change over. ``plan`` is there if another rule takes over. The arbiter is
    the last to hear of it and calls ``followed``.
    """

    rule: str
    given: Mapping[str, str | int | float | bool | None]
    parameters: RuleParameters
    time_ns: int = 0
    tick: int = 0
    plan: RulePlan | None = None
    followed: Callable[[], None] | None = field(default=None, compare=False)


def encode_signal(rule: str, parameters: Mapping[str, object]) -> bytes:
    """The signal that tells systems which run ``rule`` to go on with ``parameters``."""
    signal: bytes = msgpack.packb({"v": VERSION, "rule": rule, "parameters": dict(parameters)})
    return signal


def decode_signal(
    signal: bytes, running: str, cost: CostModel, *, exchanges: bool = False
) -> RuleChange:
    """What ``signal`` tells a system that runs the rule ``running``.

    Another rule takes over only if the system ``exchanges`` rules.

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
    if rule != running and not (exchanges and isinstance(rule, str)):
        raise ParameterError("rule", _shown(rule), f"{running}, which this system runs")
    if not isinstance(given, dict) or not all(isinstance(name, str) for name in given):
        raise ParameterError("parameters", type(given).__name__, "a map of names to values")
    if exchanges:
        return change_of(rule, given, cost)
    _check_plain(given)
    return RuleChange(rule, given, read_parameters(rule, given, cost))


def change_of(rule: str, given: Mapping[str, Any], cost: CostModel, time_ns: int = 0) -> RuleChange:
    """The change to ``rule`` with those parameters, with a plan, whatever runs now.

    ``plan.compile()`` from a thread, before it is sent, keeps the traffic from waiting for the
    compiler.

    Raises:
        ParameterError: no such rule, or none for running systems, or parameters it cannot have.
    """
    _check_plain(given)
    plan = plan_rule(rule, given, cost)
    return RuleChange(rule, given, plan.parameters, time_ns, plan=plan)


def _check_plain(given: Mapping[str, object]) -> None:
    for name, value in given.items():
        if not isinstance(value, PLAIN):
            raise ParameterError(name, _shown(value), "a number, a text or nothing")


def _shown(value: object) -> object:
    """A plain value as it is, any other by type: to print a nested one may take all the stack."""
    return value if isinstance(value, PLAIN) else type(value).__name__
