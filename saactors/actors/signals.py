"""The control side: rule and parameters arrive as a message and the running system follows them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from operator import itemgetter

import structlog

from saactors.errors import UserError
from saactors.observe.events import RuleChanged
from saactors.observe.observer import Emitter
from saactors.placement.change import RuleChange, decode_signal
from saactors.placement.cost import CostModel
from saactors.runtime.clock import Clock
from saactors.runtime.edges import Outlet


async def run_signals(
    network: AsyncIterator[bytes],
    followers: Sequence[Outlet[RuleChange]],
    rule: str,
    cost: CostModel,
    clock: Clock,
    emit: Emitter,
) -> None:
    """Pass on every signal (see ``placement.change``) that makes sense to a run of ``rule``.

    One that does not is logged and changes nothing: who sends nonsense does not stop the traffic.
    """
    async for signal in network:
        try:
            change = decode_signal(signal, rule, cost)
        except UserError as problem:
            structlog.get_logger().warning("signal_ignored", problem=str(problem))
            continue
        arrived_ns = clock.now_ns()
        emit(RuleChanged(arrived_ns, change.rule, change.given))
        for follower in followers:
            await follower.send(replace(change, time_ns=arrived_ns))


class PlannedSignals:
    """A network whose signals are known beforehand: pairs of an instant in ns and a signal.

    Those of one instant arrive in the order given.
    """

    def __init__(self, planned: Iterable[tuple[int, bytes]], clock: Clock) -> None:
        self._left = iter(sorted(planned, key=itemgetter(0)))
        self._clock = clock

    def __aiter__(self) -> PlannedSignals:
        return self

    async def __anext__(self) -> bytes:
        """The next signal, when its time has come."""
        following = next(self._left, None)
        if following is None:
            raise StopAsyncIteration
        instant_ns, signal = following
        await self._clock.sleep_until_ns(instant_ns)
        return signal
